import { type JsonText, type Permit, spendPermit } from '@sallyport/core';
import { fakeCatalog } from '@sallyport/testkit';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { HttpTransport } from './http.ts';
import { call, envelope } from './testing/client.ts';
import { createRig, type Rig, startHttp } from './testing/rig.ts';

const open: HttpTransport[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((http) => http.close(0)));
});

interface Socket {
  readonly ws: WebSocket;
  /** Everything received so far, parsed. */
  readonly received: any[];
  readonly closed: Promise<number>;
  ask(message: string | Buffer): Promise<any>;
}

async function start(rig: Rig = createRig()) {
  const { http, port } = await startHttp(rig);
  open.push(http);
  return { rig, http, url: `ws://127.0.0.1:${port}/mcp/ws` };
}

async function dial(url: string, headers: Record<string, string> = { authorization: 'Bearer good' }): Promise<Socket> {
  const ws = new WebSocket(url, { headers });
  const received: any[] = [];
  const waiting: ((message: any) => void)[] = [];
  ws.on('message', (data) => {
    const message = JSON.parse(String(data));
    received.push(message);
    if (message.method === undefined) waiting.shift()?.(message);
  });
  const closed = new Promise<number>((resolve) => ws.once('close', resolve));
  await new Promise<void>((resolve, reject) => {
    ws.once('open', resolve);
    ws.once('error', reject);
  });
  ws.on('error', () => undefined);
  const ask = (message: string | Buffer) =>
    new Promise<any>((resolve) => {
      waiting.push(resolve);
      ws.send(message);
    });
  return { ws, received, closed, ask };
}

describe('a WebSocket', () => {
  it('lists and calls in both eras, and names each call', async () => {
    const { url, rig } = await start();
    const { ask } = await dial(url);
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } };
    const greeted = await ask(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params }));
    expect(greeted.result.protocolVersion).toBe('2025-11-25');
    const listed = await ask(
      JSON.stringify({ jsonrpc: '2.0', id: 2, method: 'tools/list', params: { _meta: envelope } }),
    );
    expect(listed.result).toMatchObject({ resultType: 'complete', cacheScope: 'private' });
    const called = await ask(call('blog.Posts.Read', { id: 7 }));
    expect(called.result.structuredContent).toEqual({ id: 7 });
    expect(called.result._meta['dev.sallyport/traceId']).toBe(rig.records.at(-1)?.callId);
    expect(rig.records.at(-1)?.origin).toMatchObject({ transport: 'ws', era: 'legacy' });
  });

  it('serves many calls at once, up to 32', async () => {
    const { url } = await start();
    const { ask } = await dial(url);
    const answers = await Promise.all(Array.from({ length: 40 }, (_, id) => ask(call('blog.Posts.Slow', {}, id))));
    const refused = answers.filter(({ error }) => error?.data.reason === 'rate_limited');
    expect(refused).toHaveLength(8);
    expect(answers.filter(({ result }) => result)).toHaveLength(32);
  });

  it('does not take one id for two calls at once', async () => {
    const { url } = await start();
    const { ask } = await dial(url);
    const [one, two] = await Promise.all([ask(call('blog.Posts.Slow', {}, 9)), ask(call('blog.Posts.Slow', {}, 9))]);
    expect([one, two].map(({ error }) => error?.data.reason).filter(Boolean)).toEqual(['malformed_request']);
  });

  it('cancels a call when told to, and never answers notifications', async () => {
    const { url, rig } = await start();
    const { ws, ask, received } = await dial(url);
    ws.send(call('blog.Posts.Slow', {}, 'slow'));
    await expect.poll(() => rig.dispatched.length).toBe(1);
    ws.send('{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"slow"}}');
    await expect.poll(() => rig.records.some(({ reason }) => reason === 'cancelled')).toBe(true);
    await ask('{"jsonrpc":"2.0","id":"after","method":"ping"}');
    expect(received.map(({ id }) => id)).toEqual(['after']);
  });

  it('sends progress, and cancels everything when it closes', async () => {
    const { url, rig } = await start();
    const { ws, received } = await dial(url);
    const params = { name: 'blog.Posts.Slow', arguments: {}, _meta: { progressToken: 'p' } };
    ws.send(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }));
    await expect.poll(() => received.length, { timeout: 5_000 }).toBeGreaterThan(1);
    expect(received.map(({ params: told }) => told?.progress)).toEqual([1, 2]);
    ws.terminate();
    await expect.poll(() => rig.records.some(({ reason }) => reason === 'cancelled'), { timeout: 5_000 }).toBe(true);
  });

  it('tells of changes of the catalog', async () => {
    const { url, rig } = await start();
    const { ws, received } = await dial(url);
    const params = { notifications: { toolsListChanged: true }, _meta: envelope };
    ws.send(JSON.stringify({ jsonrpc: '2.0', id: 's', method: 'subscriptions/listen', params }));
    await expect.poll(() => received.length).toBe(1);
    rig.changeCatalog();
    await expect.poll(() => received.length).toBe(2);
    expect(received.map(({ method }) => method)).toEqual([
      'notifications/subscriptions/acknowledged',
      'notifications/tools/list_changed',
    ]);
    expect(received[1].params._meta['io.modelcontextprotocol/subscriptionId']).toBe('s');
  });
});

const asks = (key: string) => ({
  text: JSON.stringify({
    resultType: 'input_required',
    inputRequests: { [key]: { method: 'elicitation/create', params: { message: 'Sure?', requestedSchema: {} } } },
    requestState: `state-${key}`,
  }) as JsonText,
  resultType: 'input_required',
  isError: false,
  instance: 'i1',
});

/** A gateway whose tools ask before they answer. */
function askingRig() {
  const retries: (Permit['retry'] | undefined)[] = [];
  const rig = createRig(
    {},
    {
      dispatch: async (permit, hop) => {
        spendPermit(permit);
        hop.sent();
        retries.push(permit.retry);
        if (permit.retry === undefined) return asks('q');
        return { text: '{"content":[{"type":"text","text":"done"}]}' as JsonText, isError: false, instance: 'i1' };
      },
    },
  );
  return { rig, retries };
}

const introduce = (id: number | string, more: object = {}) =>
  JSON.stringify({
    ...{ jsonrpc: '2.0', id, method: 'initialize' },
    params: {
      ...{ protocolVersion: '2025-11-25', clientInfo: { name: 'x', version: '1' } },
      ...{ capabilities: { elicitation: {} }, ...more },
    },
  });
const initialized = '{"jsonrpc":"2.0","method":"notifications/initialized"}';

describe('a WebSocket of an old client is one session', () => {
  it('is asked on it in the course of its request, and answers', async () => {
    const { rig, retries } = askingRig();
    const { url } = await start(rig);
    const { ws, ask, received } = await dial(url);
    await ask(introduce(1));
    ws.send(initialized);
    const called = ask(call('blog.Posts.Read', {}, 2));
    await expect.poll(() => received.find(({ method }) => method === 'elicitation/create')).toBeDefined();
    const question = received.find(({ method }) => method === 'elicitation/create');
    ws.send(JSON.stringify({ jsonrpc: '2.0', id: question.id, result: { action: 'accept' } }));
    expect((await called).result.content).toEqual([{ type: 'text', text: 'done' }]);
    expect(JSON.parse(retries[1]?.inputResponsesText ?? '')).toEqual({ q: { action: 'accept' } });
  });

  it('cannot be asked before it initialized', async () => {
    const { rig } = askingRig();
    const { url } = await start(rig);
    const { ask } = await dial(url);
    expect((await ask(call('blog.Posts.Read', {}, 2))).error).toBeDefined();
  });

  it('is told of changes once it said that it is ready', async () => {
    const { url, rig } = await start();
    const { ws, ask, received } = await dial(url);
    await ask(introduce(1));
    rig.changeCatalog();
    ws.send(initialized);
    await expect.poll(() => rig.records.some(({ verb }) => verb === 'listen')).toBe(true);
    rig.changeCatalog();
    await expect
      .poll(() => received.map(({ method }) => method).filter(Boolean))
      .toEqual(['notifications/tools/list_changed']);
  });

  it('answers without a token of its own under that of the request it was asked in', async () => {
    const { rig } = askingRig();
    const { url } = await start(rig);
    const { ws, ask, received } = await dial(url, {});
    await ask(introduce(1, { _token: 'good' }));
    const params = { name: 'blog.Posts.Read', _token: 'good' };
    const called = ask(JSON.stringify({ jsonrpc: '2.0', id: 2, method: 'tools/call', params }));
    await expect.poll(() => received.find(({ method }) => method === 'elicitation/create')).toBeDefined();
    const { id } = received.find(({ method }) => method === 'elicitation/create');
    ws.send(JSON.stringify({ jsonrpc: '2.0', id, result: { action: 'accept' } }));
    expect((await called).result).toBeDefined();
    expect(rig.records.filter(({ verb }) => verb === 'reply')).toMatchObject([{ outcome: 'answered' }]);
  });

  it('ends with it: what was being asked is given up', async () => {
    const { rig, retries } = askingRig();
    const { url } = await start(rig);
    const { ws, ask, received } = await dial(url);
    await ask(introduce(1));
    ws.send(call('blog.Posts.Read', {}, 2));
    await expect.poll(() => received.some(({ method }) => method === 'elicitation/create')).toBe(true);
    ws.terminate();
    await expect.poll(() => retries.length).toBe(2);
    expect(retries[1]?.inputResponsesText).toBeUndefined();
  });

  it('begins anew when it initializes again', async () => {
    const { url, rig } = await start();
    const { ws, ask, received } = await dial(url);
    for (const id of [1, 2]) {
      await ask(introduce(id));
      ws.send(initialized);
    }
    await expect.poll(() => rig.records.filter(({ verb }) => verb === 'listen').length).toBe(2);
    rig.changeCatalog();
    await ask('{"jsonrpc":"2.0","id":"after","method":"ping"}');
    await expect.poll(() => received.filter(({ method }) => method !== undefined).length).toBe(1);
  });
});

describe('WebSockets at other endpoints', () => {
  it('speak the names of their place', async () => {
    const { url, rig } = await start();
    const { ask } = await dial(url.replace('/mcp/ws', '/mcp/blog/ws'));
    expect((await ask(call('Posts.Read', { id: 7 }))).result.structuredContent).toEqual({ id: 7 });
    expect(rig.dispatched.at(-1)?.target.name).toBe('blog.Posts.Read');
  });

  it('are not there where there is nothing', async () => {
    const { url } = await start();
    const at = (path: string) => dial(url.replace('/mcp/ws', path));
    await expect(at('/mcp/Nothing/ws')).rejects.toThrow('404');
    await expect(at('/mcp/tools/ws')).rejects.toThrow('404');
    await expect(at('/mcp/blog')).rejects.toThrow('405');
  });

  it('are not there for who may see nothing there', async () => {
    const catalog = fakeCatalog([]);
    const rig = createRig({}, { view: async () => ({ catalog, has: () => false, admits: () => false }) });
    const { url } = await start(rig);
    for (const path of ['/mcp/hidden/ws', '/mcp/views/hidden/ws']) {
      await expect(dial(url.replace('/mcp/ws', path))).rejects.toThrow('404');
      expect(rig.records.at(-1)).toMatchObject({ reason: 'unknown_endpoint', origin: { transport: 'ws' } });
    }
  });
});

describe('the token of a WebSocket', () => {
  it('is checked at the upgrade', async () => {
    const { url, rig } = await start();
    await expect(dial(url, { authorization: 'Bearer bad' })).rejects.toThrow('401');
    expect(rig.records.at(-1)).toMatchObject({ reason: 'credential_invalid' });
    await expect(dial(url, { origin: 'https://evil.example', authorization: 'Bearer good' })).rejects.toThrow('403');
  });

  it('is not taken from the URL', async () => {
    const { url } = await start();
    const { ask } = await dial(`${url}?token=good&access_token=good`, {});
    expect((await ask(call('blog.Posts.Read'))).error.data.reason).toBe('credential_missing');
  });

  it('is checked again with every message: a revoked one closes the socket', async () => {
    const { url, rig } = await start();
    const { ask, closed } = await dial(url);
    expect((await ask(call('blog.Posts.Read'))).result).toBeDefined();
    rig.tokens.delete('good');
    expect((await ask(call('blog.Posts.Read'))).error.data.reason).toBe('credential_invalid');
    expect(await closed).toBe(4401);
    expect(rig.dispatched).toHaveLength(1);
  });

  it('is checked before anything is told: a revoked one closes a socket on which nothing is sent', async () => {
    const { url, rig } = await start();
    const { ws, ask, closed, received } = await dial(url);
    await ask(introduce(1));
    ws.send(initialized);
    await expect.poll(() => rig.records.some(({ verb }) => verb === 'listen')).toBe(true);
    rig.tokens.delete('good');
    rig.changeCatalog();
    expect(await closed).toBe(4401);
    expect(received.map(({ method }) => method).filter(Boolean)).toEqual([]);
  });

  it('may come with each message instead, but not against that of the connection', async () => {
    const { url } = await start();
    const withToken = (token: string, id: number) =>
      JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params: { name: 'blog.Posts.Read', _token: token } });
    const anonymous = await dial(url, {});
    expect((await anonymous.ask(withToken('bad', 1))).error.data.reason).toBe('credential_invalid');
    expect((await anonymous.ask(withToken('good', 2))).result).toBeDefined();
    expect((await anonymous.ask(call('blog.Posts.Read', {}, 3))).error.data.reason).toBe('credential_missing');
    const known = await dial(url);
    expect((await known.ask(withToken('bad', 4))).result).toBeDefined();
  });

  it('missing is allowed to few sockets only', async () => {
    const { url } = await start();
    const sockets = await Promise.all(Array.from({ length: 64 }, () => dial(url, {})));
    await expect(dial(url, {})).rejects.toThrow('401');
    await dial(url);
    sockets[0]?.ws.terminate();
    await expect
      .poll(() =>
        dial(url, {}).then(
          () => 'open',
          () => 'refused',
        ),
      )
      .toBe('open');
  });
});

describe('hostile messages on a WebSocket', () => {
  it.each([
    ['{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}', 'malformed_request'],
    [
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"blog.Posts.Read","NAME":"x"}}',
      'malformed_request',
    ],
    [
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"blog.Posts.Read","arguments":{"n":1e999}}}',
      'malformed_request',
    ],
    [`${'['.repeat(1000)}`, 'malformed_request'],
    ['\ufeff{}', 'malformed_json'],
    ['', 'malformed_json'],
    ['[]', 'malformed_request'],
    [Buffer.from([1, 2, 3]), 'malformed_request'],
    [' '.repeat(65 * 1024), 'payload_too_large'],
  ])('%# are refused and recorded', async (message, reason) => {
    const { url, rig } = await start();
    const { ask } = await dial(url);
    expect((await ask(message)).error.data.reason).toBe(reason);
    expect(rig.records.at(-1)).toMatchObject({ verb: 'unreadable', reason });
    expect(rig.dispatched).toHaveLength(0);
  });

  it('far too large ones cut the socket, and are recorded all the same', async () => {
    const { url, rig } = await start();
    const { ws, closed } = await dial(url);
    ws.send('x'.repeat(200 * 1024));
    expect(await closed).toBe(1009);
    await expect.poll(() => rig.records.at(-1)?.reason).toBe('payload_too_large');
  });

  it('many at once are read no faster than they are answered', async () => {
    const gate: { isHeld: boolean } = { isHeld: true };
    let waiting = 0;
    const release: (() => void)[] = [];
    const rig = createRig(
      {},
      {
        rate: () => {
          waiting++;
          return gate.isHeld ? new Promise<void>((resolve) => release.push(resolve)) : undefined;
        },
      },
    );
    const { url } = await start(rig);
    const { ws, received } = await dial(url);
    for (let id = 0; id < 500; id++) ws.send(call('blog.Posts.Read', {}, id));
    await expect.poll(() => waiting).toBe(32);
    gate.isHeld = false;
    for (const go of release) go();
    await expect.poll(() => received.length).toBe(500);
  });
});

it('a client that does not read is cut off', async () => {
  const { url, rig } = await start(createRig({ maxRequestBytes: 1024 * 1024 }));
  const { ws, closed } = await dial(url);
  ws.pause();
  for (let id = 0; id < 40; id++) ws.send(call('blog.Posts.Read', { text: 'x'.repeat(1000 * 1000) }, id));
  await expect.poll(() => rig.dispatched.length, { timeout: 10_000 }).toBeGreaterThan(4);
  await new Promise((resolve) => setTimeout(resolve, 300));
  ws.resume();
  expect(await closed).toBe(1006);
});

it('a closing gateway lets calls finish and says goodbye', async () => {
  const { url, rig, http } = await start();
  const { ask, closed } = await dial(url);
  const slow = ask(call('blog.Posts.Slow'));
  await expect.poll(() => rig.dispatched.length).toBe(1);
  await http.close(5_000);
  expect((await slow).result).toBeDefined();
  expect(await closed).toBe(1001);
});
