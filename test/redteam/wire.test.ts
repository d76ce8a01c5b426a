import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { askModern, connectLegacy } from './support/clients.ts';
import { endAll, startServer, startWorld, type World } from './support/world.ts';

let world: World;
let token: string;
let port: number;

beforeAll(async () => {
  const lists = { tools: [{ name: 'echo', inputSchema: { type: 'object' } }] };
  const server = await startServer({ eras: ['modern'], lists });
  world = await startWorld({ notes: { address: server.url } });
  token = await world.mint('a');
  port = Number(new URL(world.mcp).port);
});
afterAll(endAll);

/** Sends bytes as they are; the status of what comes back first, or none when the connection is closed instead. */
function status(head: readonly string[], body: string | Buffer): Promise<number | undefined> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    let text = '';
    const done = (): void => {
      socket.destroy();
      resolve(/^HTTP\/1\.1 (\d{3})/.test(text) ? Number(text.slice(9, 12)) : undefined);
    };
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      if (text.includes('\r\n')) done();
    });
    socket.on('error', done).on('close', done);
    socket.write(Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`, 'latin1'), Buffer.from(body)]));
  });
}

const list = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}';

interface Sent {
  readonly line?: string;
  readonly host?: readonly string[];
  readonly headers?: readonly string[];
  readonly type?: readonly string[];
  readonly body?: string | Buffer;
}

function send({
  line = 'POST /mcp HTTP/1.1',
  host,
  headers = [],
  type,
  body = list,
}: Sent): Promise<number | undefined> {
  const own = [
    ...(host ?? [`127.0.0.1:${port}`]).map((name) => `Host: ${name}`),
    ...(type ?? ['application/json']).map((name) => `Content-Type: ${name}`),
    `Authorization: Bearer ${token}`,
  ];
  const framed = headers.some((header) => /^(content-length|transfer-encoding)/i.test(header));
  return status([line, ...own, ...headers, ...(framed ? [] : [`Content-Length: ${Buffer.byteLength(body)}`])], body);
}

it('an honest request is answered', async () => {
  expect(await send({})).toBe(200);
});

describe('a body that means two things', () => {
  const chunked = `${list.length.toString(16)}\r\n${list}\r\n0\r\n\r\n`;
  it.each<[string, Sent]>([
    ['that says it is packed and is not', { headers: ['Content-Encoding: gzip'] }],
    ['that is packed', { headers: ['Content-Encoding: gzip'], body: gzipSync(list) }],
    ['that is packed in transfer', { headers: ['Transfer-Encoding: gzip, chunked'], body: chunked }],
    ['in unknown chunks', { headers: ['Transfer-Encoding: chunked, identity'], body: chunked }],
    ['with two lengths', { headers: ['Content-Length: 5', `Content-Length: ${list.length}`] }],
    [
      'with a length and chunks',
      { headers: [`Content-Length: ${list.length}`, 'Transfer-Encoding: chunked'], body: chunked },
    ],
    ['with a length in words', { headers: ['Content-Length: +46'] }],
    ['in chunks of a negative length', { headers: ['Transfer-Encoding: chunked'], body: '-1\r\nx\r\n0\r\n\r\n' }],
    ['of two types', { type: ['application/json', 'text/plain'] }],
    ['of two types in one line', { type: ['application/json, text/plain'] }],
    ['with a folded header', { headers: ['X-A: b\r\n c'] }],
    ['with a header without a name', { headers: [': x'] }],
    ['with space before the colon', { headers: ['Mcp-Session-Id : x'] }],
    ['with a bare line end in a header', { headers: ['X-A: b\nMcp-Session-Id: x'] }],
    ['with a NUL in a header', { headers: ['X-A: b\0c'] }],
  ])('%s is refused', async (_what, sent) => {
    expect(await send(sent)).not.toBe(200);
  });
});

describe('a path that means two things', () => {
  it.each([
    'POST http://evil.example/mcp HTTP/1.1',
    'POST //evil.example/mcp HTTP/1.1',
    'POST /mcp/../mcp HTTP/1.1',
    'POST /x/../mcp HTTP/1.1',
    'POST /%6dcp HTTP/1.1',
    'POST /mcp%2fnotes HTTP/1.1',
    'POST /MCP HTTP/1.1',
    'POST /mcp; HTTP/1.1',
    'POST /mcp\\notes HTTP/1.1',
    'POST * HTTP/1.1',
    'CONNECT /mcp HTTP/1.1',
  ])('%s is not there', async (line) => {
    expect(await send({ line })).not.toBe(200);
  });
});

describe('the protection of local servers', () => {
  it.each([
    [['evil.example']],
    [['127.0.0.1.evil.example']],
    [['localhost.evil.example']],
    [['127.0.0.1@evil.example']],
    [['evil.example@127.0.0.1']],
    [['evil.example#127.0.0.1']],
    [['evil.example:80:127.0.0.1']],
    [['127.0.0.1 evil.example']],
    [['2130706433.evil.example']],
    [['[::ffff:8.8.8.8]']],
    [['0.0.0.0.evil.example']],
    [['']],
    [[]],
    [['127.0.0.1', 'evil.example']],
    [['127.0.0.1, evil.example']],
    [['localhost..']],
  ])('takes no request for the host %j', async (host) => {
    expect(await send({ host })).not.toBe(200);
  });

  it.each([
    'null',
    'http://evil.example',
    'http://localhost.evil.example',
    'http://127.0.0.1.evil.example',
    'http://127.0.0.1',
    'https://127.0.0.1:PORT',
    'http://localhost:PORT',
    'http://evil.example:PORT',
    'http://user@127.0.0.1:PORT',
    'http://127.0.0.1:PORT.evil.example',
    'http://127.0.0.1:PORT/',
    'http://127.0.0.1:PORT, http://evil.example',
    'http://[::1]:PORT',
    'HTTP://127.0.0.1:PORT',
    'file://',
    'chrome-extension://abc',
    '',
  ])('takes none of the page %s', async (origin) => {
    expect(await send({ headers: [`Origin: ${origin.replace('PORT', String(port))}`] })).toBe(403);
  });

  it('takes none with two of them', async () => {
    const own = `Origin: http://127.0.0.1:${port}`;
    expect(await send({ headers: [own, 'Origin: http://evil.example'] })).toBe(403);
    expect(await send({ headers: ['Origin: http://evil.example', own] })).toBe(403);
  });
});

describe('headers of the new era', () => {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': {},
  };
  const call = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'notes.echo', arguments: {}, _meta } };
  const version = 'MCP-Protocol-Version: 2026-07-28';
  const [method, name] = ['Mcp-Method: tools/call', 'Mcp-Name: notes.echo'];
  it.each<[string, readonly string[], number]>([
    ['as they should be', [version, method, name], 200],
    ['another method', [version, 'Mcp-Method: tools/list', name], 400],
    ['another name', [version, method, 'Mcp-Name: notes.other'], 400],
    ['a name in capitals', [version, method, 'Mcp-Name: notes.Echo'], 400],
    ['no name', [version, method], 400],
    ['two names', [version, method, name, 'Mcp-Name: notes.other'], 400],
    ['the same name twice', [version, method, name, name], 400],
    ['two methods', [version, method, 'Mcp-Method: tools/list', name], 400],
    ['two versions', [version, 'MCP-Protocol-Version: 2025-11-25', method, name], 400],
    ['an old version', ['MCP-Protocol-Version: 2025-11-25', method, name], 400],
    ['a version to come', ['MCP-Protocol-Version: 2099-01-01', method, name], 400],
    ['a name with an odd sentinel', [version, method, 'Mcp-Name: =?base64?bm90ZXMub3RoZXI=?='], 400],
    ['a parameter that is none', [version, method, name, 'Mcp-Param-X: =?base64?%%%?='], 400],
  ])('%s', async (_what, headers, expected) => {
    expect(await send({ headers, body: JSON.stringify(call) })).toBe(expected);
  });
});

it('arguments that travel in headers make no headers of their own', async () => {
  const marked = {
    a: { type: 'string', 'x-mcp-header': 'Tenant' },
    b: { type: 'string', 'x-mcp-header': 'X: 1\r\nEvil' },
  };
  const lists = { tools: [{ name: 'do', inputSchema: { type: 'object', properties: marked } }] };
  const server = await startServer({ eras: ['modern'], lists });
  const world = await startWorld({ notes: { address: server.url } });
  const value = 'x\r\nEvil: 1\r\n\r\nPOST /evil HTTP/1.1';
  const headers = { 'Mcp-Param-Tenant': `=?base64?${Buffer.from(value).toString('base64')}?=` };
  const target = { url: world.mcp, token: await world.mint('a') };
  const reply = await askModern(target, 'tools/call', { name: 'notes.do', arguments: { a: value } }, { headers });
  expect(reply.status).toBe(200);
  const sent = server.of('tools/call')[0];
  expect(sent?.headers['mcp-param-tenant']).toBe(headers['Mcp-Param-Tenant']);
  expect(Object.keys(sent?.headers ?? {}).filter((name) => name.includes('evil'))).toEqual([]);
  const legacy = await connectLegacy(target);
  const { last } = await legacy.ask('tools/call', { name: 'notes.do', arguments: { a: 'a', b: 'b' } });
  expect(last.result.content).toHaveLength(1);
  const second = Object.keys(server.of('tools/call')[1]?.headers ?? {});
  expect(second.filter((name) => name.startsWith('mcp-param-'))).toEqual(['mcp-param-tenant']);
});
