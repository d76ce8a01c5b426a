import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { HttpOptions, HttpTransport } from './http.ts';
import { call, raw, send } from './testing/client.ts';
import { createRig, type Rig, startHttp } from './testing/rig.ts';

const open: HttpTransport[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((http) => http.close(0)));
});

async function start(rig: Rig = createRig(), options: HttpOptions = {}) {
  const started = await startHttp(rig, options);
  open.push(started.http);
  return { ...started, rig };
}

describe('hostile messages', () => {
  const smuggled: [string, string, number][] = [
    [
      'a duplicate member',
      '{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call","params":{"name":"blog.Posts.Read"}}',
      400,
    ],
    [
      'a duplicate name',
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"blog.Posts.Read","n\\u0061me":"blog.Posts.Secret"}}',
      400,
    ],
    [
      'another case',
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"blog.Posts.Read","Name":"blog.Posts.Secret"}}',
      400,
    ],
    [
      'a big integer',
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"blog.Posts.Read","arguments":{"n":9007199254740993}}}',
      400,
    ],
    [
      'NaN',
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"blog.Posts.Read","arguments":{"n":NaN}}}',
      400,
    ],
    ['a depth bomb', `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${'['.repeat(20_000)}`, 400],
    ['a byte order mark', `\ufeff${call('blog.Posts.Read')}`, 400],
    ['a batch', `[${call('blog.Posts.Read')}]`, 400],
    ['an empty body', '', 400],
    ['a null id', '{"jsonrpc":"2.0","id":null,"method":"tools/call","params":{"name":"blog.Posts.Read"}}', 400],
    [
      'arguments that are no object',
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"blog.Posts.Read","arguments":[1]}}',
      400,
    ],
    [
      'a prototype',
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"blog.Posts.Read","arguments":{"__proto__":{}}}}',
      400,
    ],
  ];

  it.each(smuggled)('%s is refused, recorded and never dispatched', async (_name, body, status) => {
    const { url, rig } = await start();
    const reply = await send(`${url}/mcp`, { body });
    expect(reply.status).toBe(status);
    expect(reply.body.error.data.reason).toMatch(/^malformed_/);
    expect(rig.dispatched).toHaveLength(0);
    expect(rig.records).toHaveLength(1);
    expect(rig.records[0]).toMatchObject({ verb: 'unreadable', subject: 'alice' });
  });

  it('an answer to nothing that was asked is refused and recorded', async () => {
    const { url, rig } = await start();
    const reply = await send(`${url}/mcp`, { body: '{"jsonrpc":"2.0","id":1,"result":{}}' });
    expect([reply.status, reply.body.error.data.reason]).toEqual([400, 'unknown_question']);
    expect(rig.records).toMatchObject([{ verb: 'reply', reason: 'unknown_question', subject: 'alice' }]);
  });

  it.each(smuggled)('%s tells a stranger nothing but that he is one', async (_name, body) => {
    const { url } = await start();
    const reply = await send(`${url}/mcp`, { body, headers: { authorization: 'Bearer bad' } });
    expect([reply.status, reply.body.error.data.reason]).toEqual([401, 'credential_invalid']);
    expect(reply.body.error.data.issues).toBeUndefined();
  });

  it('broken UTF-8 is not JSON', async () => {
    const { url } = await start();
    const body = Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xc0, 0xaf]), Buffer.from('"}')]);
    expect((await send(`${url}/mcp`, { body })).body.error.data.reason).toBe('malformed_json');
  });

  it.each(['text/plain', 'application/json-patch+json', 'text/json', ''])(
    'content type %j is not taken',
    async (type) => {
      const { url, rig } = await start();
      const reply = await send(`${url}/mcp`, { body: call('blog.Posts.Read'), headers: { 'content-type': type } });
      expect(reply.status).toBe(415);
      expect(rig.records[0]).toMatchObject({ verb: 'unreadable', reason: 'malformed_request' });
    },
  );

  it('content type parameters do not matter', async () => {
    const { url } = await start();
    const headers = { 'content-type': 'Application/JSON; charset=utf-8' };
    expect((await send(`${url}/mcp`, { body: call('blog.Posts.Read'), headers })).status).toBe(200);
  });

  it('too much is refused and recorded, announced or not', async () => {
    const { url, port, rig } = await start();
    const body = call('blog.Posts.Read', { text: 'x'.repeat(rig.deps.maxRequestBytes) });
    expect((await send(`${url}/mcp`, { body })).status).toBe(413);
    const chunks = Array.from({ length: 20 }, () => `1000\r\n${'x'.repeat(4096)}\r\n`).join('');
    const head =
      'POST /mcp HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer good\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n';
    expect(await raw(port, head + chunks)).toMatch(/^HTTP\/1.1 413 /);
    expect(rig.records.map(({ reason }) => reason)).toEqual(['payload_too_large', 'payload_too_large']);
  });

  it('two lengths, or a length and chunks, do not get past the parser', async () => {
    const { port, rig } = await start();
    const head = 'POST /mcp HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer good\r\nContent-Type: application/json\r\n';
    expect(await raw(port, `${head}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello`)).toMatch(/^HTTP\/1.1 400 /);
    expect(await raw(port, `${head}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`)).toMatch(
      /^HTTP\/1.1 400 /,
    );
    expect(rig.dispatched).toHaveLength(0);
  });

  it('two hosts are one too many', async () => {
    const { port } = await start();
    const body = call('blog.Posts.Read');
    const text = `POST /mcp HTTP/1.1\r\nHost: a\r\nHost: b\r\nAuthorization: Bearer good\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`;
    expect(await raw(port, text)).toMatch(/^HTTP\/1.1 400 /);
  });
});

it('two Authorization headers are none', async () => {
  const { port, rig } = await start();
  const body = call('blog.Posts.Read');
  const head = (second: string) =>
    `POST /mcp HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer good\r\n${second}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`;
  for (const second of ['Authorization: Bearer good', 'authorization: Bearer other', 'AUTHORIZATION: x']) {
    expect(await raw(port, head(second))).toMatch(/^HTTP\/1.1 401 [\s\S]*credential_invalid/);
  }
  expect(rig.dispatched).toHaveLength(0);
});

describe('slow and greedy clients', () => {
  it('that do not finish their headers are cut off', async () => {
    const { port } = await start(createRig(), { headersTimeoutMs: 200, requestTimeoutMs: 400 });
    expect(await raw(port, 'POST /mcp HTTP/1.1\r\nHost: x\r\nX-Slow: ')).toMatch(/^HTTP\/1.1 408 /);
  });

  it('that do not finish their body are cut off', async () => {
    const { port, rig } = await start(createRig(), { headersTimeoutMs: 200, requestTimeoutMs: 400 });
    const head =
      'POST /mcp HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer good\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{';
    expect(await raw(port, head)).toMatch(/^HTTP\/1.1 408 |^$/);
    expect(rig.dispatched).toHaveLength(0);
  });

  it('that open too many connections get no more', async () => {
    const { port } = await start(createRig(), { maxConnections: 2 });
    const held = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')];
    await Promise.all(held.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
    expect(await raw(port, 'GET /health HTTP/1.1\r\nHost: x\r\n\r\n')).toBe('');
    for (const socket of held) socket.destroy();
  });

  it('that send much and finish nothing cannot fill the memory', async () => {
    const { url, port } = await start(createRig({ maxRequestBytes: 1024 }));
    const head =
      'POST /mcp HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer bad\r\nContent-Type: application/json\r\nContent-Length: 1024\r\n\r\n';
    const held = Array.from({ length: 66 }, () => connect(port, '127.0.0.1').on('error', () => undefined));
    for (const socket of held) socket.write(head + 'x'.repeat(1000));
    const body = call('blog.Posts.Read', { text: 'x'.repeat(900) });
    await expect.poll(async () => (await send(`${url}/mcp`, { body })).status).toBe(429);
    for (const socket of held) socket.destroy();
    await expect.poll(async () => (await send(`${url}/mcp`, { body })).status).toBe(200);
  });

  it('that do not read their answer are cut off', async () => {
    const rig = createRig({ maxRequestBytes: 32 * 1024 * 1024 });
    const { port } = await start(rig, { sendTimeoutMs: 100 });
    const body = call('blog.Posts.Read', { text: 'x'.repeat(24 * 1024 * 1024) });
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.pause();
    socket.write(
      `POST /mcp HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer good\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    await expect.poll(() => rig.records.length, { timeout: 10_000 }).toBe(1);
    let received = 0;
    await new Promise((resolve) => setTimeout(resolve, 500));
    socket.on('data', (chunk: Buffer) => {
      received += chunk.length;
    });
    socket.resume();
    await closed;
    expect(received).toBeLessThan(body.length);
  });
});

it('closing waits neither for connections on which nothing was ever asked, nor for a client that never stops asking', async () => {
  const { http, port, url } = await start();
  const idle = connect(port, '127.0.0.1');
  await new Promise((resolve) => idle.once('connect', resolve));
  const busy = connect(port, '127.0.0.1');
  let answers = '';
  busy.on('data', (chunk) => {
    answers += chunk;
    busy.write('GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n');
  });
  busy.on('error', () => undefined);
  busy.write('GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n');
  expect((await send(`${url}/health`, { method: 'GET' })).status).toBe(200);
  // Longer than this test may take.
  await http.close(3_600_000);
  expect(answers).toContain('200 OK');
});
