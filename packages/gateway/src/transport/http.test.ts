import { afterEach, describe, expect, it } from 'vitest';
import type { TransportDeps } from './deps.ts';
import type { HttpOptions, HttpTransport } from './http.ts';
import { call, envelope, modernCall, send } from './testing/client.ts';
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

describe('calls', () => {
  it('carry the arguments as they were written, newlines apart, and the answer back', async () => {
    const { url, rig } = await start();
    const body =
      '{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"blog.Posts.Read","arguments":{ "a":\r\n 1.50 , "b":"\\u00e9\\n" }}}';
    const reply = await send(`${url}/mcp`, { body });
    expect(reply.status).toBe(200);
    expect(rig.dispatched.at(-1)?.argumentsText).toBe('{ "a":   1.50 , "b":"\\u00e9\\n" }');
    expect(reply.body.id).toBe('x');
    expect(reply.headers['mcp-trace-id']).toBe(rig.records.at(-1)?.callId);
    expect(reply.body.result._meta['dev.sallyport/traceId']).toBe(reply.headers['mcp-trace-id']);
  });

  it('without arguments have empty ones', async () => {
    const { url, rig } = await start();
    await send(`${url}/mcp`, {
      body: '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"blog.Posts.Read"}}',
    });
    expect(rig.dispatched.at(-1)?.argumentsText).toBe('{}');
  });

  it('continue the trace of the message rather than that of the headers', async () => {
    const { url, rig } = await start();
    const traceparent = (digit: string) => `00-${digit.repeat(32)}-${digit.repeat(16)}-01`;
    const params = { _meta: { ...envelope, traceparent: traceparent('a') } };
    const sending = modernCall('blog.Posts.Read', params);
    await send(`${url}/mcp`, { ...sending, headers: { ...sending.headers, traceparent: traceparent('b') } });
    expect(rig.records.at(-1)?.traceId).toBe('a'.repeat(32));
    await send(`${url}/mcp`, { body: call('blog.Posts.Read'), headers: { traceparent: traceparent('b') } });
    expect(rig.records.at(-1)?.traceId).toBe('b'.repeat(32));
  });

  it('are cancelled when the caller goes away', async () => {
    const { url, rig } = await start();
    const gone = new AbortController();
    const sent = fetch(`${url}/mcp`, {
      method: 'POST',
      headers: { authorization: 'Bearer good', 'content-type': 'application/json' },
      body: call('blog.Posts.Slow'),
      signal: gone.signal,
    });
    await expect.poll(() => rig.dispatched.length).toBe(1);
    gone.abort();
    await expect(sent).rejects.toThrow();
    await expect.poll(() => rig.records.at(-1)?.reason).toBe('cancelled');
  });

  it('in modern form say that they are complete and who answered', async () => {
    const { url } = await start();
    const { body } = await send(`${url}/mcp`, modernCall('blog.Posts.Read'));
    expect(body.result).toMatchObject({ resultType: 'complete' });
    expect(body.result._meta['io.modelcontextprotocol/serverInfo']).toEqual({
      name: 'sallyport-test',
      version: '0.0.0',
    });
  });

  it('without an id are never executed', async () => {
    const { url, rig } = await start();
    const body = '{"jsonrpc":"2.0","method":"tools/call","params":{"name":"blog.Posts.Read"}}';
    expect((await send(`${url}/mcp`, { body })).status).toBe(400);
    expect(rig.dispatched).toHaveLength(0);
  });
});

describe('refusals', () => {
  it.each([
    ['blog.Posts.Secret', 403, 403, 'insufficient_scope'],
    ['blog.Posts.Limited', 429, 429, 'rate_limited'],
    ['blog.Posts.Nothing', 200, -32602, 'unknown_tool'],
  ])('of %s are typed', async (name, status, code, reason) => {
    const { url, rig } = await start();
    const reply = await send(`${url}/mcp`, { body: call(name) });
    expect(reply.status).toBe(status);
    expect(reply.body.error).toMatchObject({ code, data: { reason, traceId: reply.headers['mcp-trace-id'] } });
    expect(rig.records.at(-1)).toMatchObject({ outcome: 'refused', reason });
  });

  it('name all scopes, and when to come back', async () => {
    const { url } = await start();
    const secret = await send(`${url}/mcp`, { body: call('blog.Posts.Secret') });
    expect(secret.headers['www-authenticate']).toBe(
      'Bearer error="insufficient_scope", scope="a:read b:read", error_description="The token lacks a scope for this tool."',
    );
    expect(secret.body.error.data.scopes).toEqual(['a:read', 'b:read']);
    const limited = await send(`${url}/mcp`, { body: call('blog.Posts.Limited') });
    expect(limited.headers['retry-after']).toBe('2');
  });

  it('of hidden and of unknown tools are the same, byte for byte', async () => {
    const { url } = await start();
    const masked = async (name: string, path: string, body: string) => {
      const { status, headers, text } = await send(`${url}${path}`, { body });
      const { date: _date, ...others } = headers;
      const trace = String(headers['mcp-trace-id']);
      return JSON.stringify([status, others, text]).replaceAll(trace, 'TRACE').replaceAll(name, 'NAME');
    };
    for (const args of [{}, { wrong: 'type' }]) {
      const [hidden, unknown] = ['blog.Posts.Hidden', 'blog.Posts.Nobody'];
      expect(await masked(hidden, '/mcp', call(hidden, args))).toBe(await masked(unknown, '/mcp', call(unknown, args)));
      const rest = (tool: string) => JSON.stringify({ tool, input: args });
      expect(await masked(hidden, '/mcp/call', rest(hidden))).toBe(await masked(unknown, '/mcp/call', rest(unknown)));
    }
  });

  it.each([
    ['no token', {}, 'credential_missing', 'Bearer'],
    [
      'a bad token',
      { authorization: 'Bearer bad' },
      'credential_invalid',
      'Bearer error="invalid_token", error_description="This token is not valid here."',
    ],
    ['another scheme', { authorization: 'Basic Z29vZDo=' }, 'credential_missing', 'Bearer'],
    ['a token with blanks', { authorization: 'Bearer good good' }, 'credential_invalid', /invalid_token/],
  ])('of %s challenge the caller', async (_name, headers, reason, challenge) => {
    const { url } = await start();
    const sending = { body: call('blog.Posts.Read'), headers: { authorization: [] as string[], ...headers } };
    const reply = await send(`${url}/mcp`, sending);
    expect(reply.status).toBe(401);
    expect(reply.body.error.data.reason).toBe(reason);
    expect(reply.headers['www-authenticate']).toMatch(challenge);
  });

  it('challenge as they are told to, for the endpoint that was asked', async () => {
    const challenge: TransportDeps['challenge'] = (error, endpoint) => ({
      'WWW-Authenticate': `Test ${error.reason} ${JSON.stringify(endpoint)}`,
    });
    const { url } = await start(createRig({ challenge, answerHeaders: () => ({ 'DPoP-Nonce': 'n1' }) }));
    for (const [path, endpoint] of [
      ['/mcp', { kind: 'all' }],
      ['/mcp/blog', { kind: 'mount', service: 'blog' }],
      ['/mcp/views/public', { kind: 'view', name: 'public' }],
    ] as const) {
      const reply = await send(`${url}${path}`, { headers: { authorization: 'Bearer bad' }, body: call('x') });
      expect(reply.headers['www-authenticate']).toBe(`Test credential_invalid ${JSON.stringify(endpoint)}`);
      expect(reply.headers['dpop-nonce']).toBe('n1');
    }
  });

  it('publish what OAuth clients need to know, to everybody, where there is something to know', async () => {
    const resourceMetadata: TransportDeps['resourceMetadata'] = (path, isEndpoint) =>
      isEndpoint(path.replace('/.well-known/oauth-protected-resource', '')) ? { resource: path } : undefined;
    const { url } = await start(createRig({ resourceMetadata }));
    const known = await fetch(`${url}/.well-known/oauth-protected-resource/mcp/views/public`);
    expect([known.status, known.headers.get('access-control-allow-origin'), await known.json()]).toEqual([
      200,
      '*',
      { resource: '/.well-known/oauth-protected-resource/mcp/views/public' },
    ]);
    expect(known.headers.get('cache-control')).toBe('max-age=300');
    expect((await fetch(`${url}/.well-known/oauth-protected-resource/other`)).status).toBe(404);
    expect((await fetch(`${url}/.well-known/oauth-protected-resource`, { method: 'POST' })).status).toBe(404);
    const { url: plain } = await start();
    expect((await fetch(`${plain}/.well-known/oauth-protected-resource/mcp`)).status).toBe(404);
  });

  it('take no token from the URL, and a scheme in any case', async () => {
    const { url } = await start();
    const body = call('blog.Posts.Read');
    const inUrl = { body, headers: { authorization: [] as string[] } };
    expect((await send(`${url}/mcp?access_token=good&token=good&_token=good`, inUrl)).status).toBe(401);
    expect((await send(`${url}/mcp`, { body, headers: { authorization: 'bEARER good' } })).status).toBe(200);
  });

  it('speak of unknown methods in the way of the era', async () => {
    const { url } = await start();
    const legacy = await send(`${url}/mcp`, { body: '{"jsonrpc":"2.0","id":1,"method":"posts/list"}' });
    expect([legacy.status, legacy.body.error.code]).toEqual([200, -32601]);
    for (const method of ['posts/list', 'ping', 'initialize', 'logging/setLevel']) {
      const modern = await send(`${url}/mcp`, {
        headers: { 'mcp-protocol-version': '2026-07-28', 'mcp-method': method },
        body: JSON.stringify({ jsonrpc: '2.0', id: 5, method, params: { _meta: envelope } }),
      });
      expect([modern.status, modern.body.error.code, modern.body.id]).toEqual([404, -32601, 5]);
    }
  });
});

describe('the handshake', () => {
  it.each([
    ['2025-06-18', '2025-06-18'],
    ['2024-11-05', '2024-11-05'],
    ['1999-01-01', '2025-11-25'],
    ['2026-07-28', '2025-11-25'],
  ])('asked for %s agrees to %s', async (asked, agreed) => {
    const { url } = await start();
    const params = { protocolVersion: asked, capabilities: {}, clientInfo: { name: 'x', version: '1' } };
    const reply = await send(`${url}/mcp`, {
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params }),
    });
    expect(reply.body.result).toMatchObject({ protocolVersion: agreed, serverInfo: { name: 'sallyport-test' } });
    expect(reply.headers['mcp-session-id']).toMatch(/^[\w-]{43}$/);
  });

  it('is authenticated and recorded like a call', async () => {
    const { url, rig } = await start();
    const body = '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}';
    expect((await send(`${url}/mcp`, { body, headers: { authorization: 'Bearer bad' } })).status).toBe(401);
    expect((await send(`${url}/mcp`, { body: '{"jsonrpc":"2.0","method":"notifications/initialized"}' })).status).toBe(
      202,
    );
    expect(rig.records.map(({ reason, outcome }) => reason ?? outcome)).toEqual(['credential_invalid', 'answered']);
  });

  it('need not be: without a session there is no GET and no DELETE', async () => {
    const { url } = await start();
    for (const method of ['GET', 'DELETE', 'PUT', 'OPTIONS']) {
      const reply = await send(`${url}/mcp`, { method });
      expect([reply.status, reply.headers.allow]).toEqual([405, 'POST']);
    }
  });
});

describe('where a request comes from', () => {
  const forwarded = {
    'x-forwarded-for': '203.0.113.9, 198.51.100.7',
    forwarded: 'for=192.0.2.1',
    'x-real-ip': '192.0.2.2',
  };
  const peers = async (rig: Rig, headers: Record<string, string>) => {
    const { url } = await start(rig);
    await send(`${url}/mcp`, { body: call('blog.Posts.Read'), headers });
    return rig.records.at(-1)?.origin.peer;
  };

  it('is its socket, whatever the headers say', async () => {
    expect(await peers(createRig(), forwarded)).toBe('127.0.0.1');
  });

  it('is the right-most address that is no trusted proxy, behind one', async () => {
    const trustedProxies = (address: string) => ['127.0.0.1', '198.51.100.7'].includes(address);
    expect(await peers(createRig({ trustedProxies }), forwarded)).toBe('203.0.113.9');
    const spoofed = { 'x-forwarded-for': '10.0.0.1, 203.0.113.9, ::ffff:198.51.100.7' };
    expect(await peers(createRig({ trustedProxies }), spoofed)).toBe('203.0.113.9');
    expect(await peers(createRig({ trustedProxies }), { 'x-forwarded-for': 'unknown, 198.51.100.7' })).toBe(
      '198.51.100.7',
    );
  });

  it('is judged by the pipeline before anything else', async () => {
    const { url } = await start();
    const reply = await send(`${url}/mcp`, {
      body: '{',
      headers: { origin: 'https://evil.example', authorization: 'Bearer bad' },
    });
    expect([reply.status, reply.body.error.data.reason]).toEqual([403, 'origin_refused']);
  });
});

it('answers probes without a token', async () => {
  const { url } = await start();
  expect((await fetch(`${url}/health`)).status).toBe(200);
  expect(await (await fetch(`${url}/ready`)).json()).toEqual({ ready: true });
  const starting = await start(createRig({ ready: () => ({ ready: false }) }));
  expect((await fetch(`${starting.url}/ready`)).status).toBe(503);
  expect((await fetch(`${url}/nothing`)).status).toBe(404);
});

it('sends no answer that a browser would run or a cache would keep', async () => {
  const { url } = await start();
  const { headers } = await send(`${url}/mcp`, { body: call('blog.Posts.Read') });
  expect(headers).toMatchObject({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
  expect(headers['access-control-allow-origin']).toBeUndefined();
});

it('finishes what is in flight before it closes, and ends subscriptions with their result', async () => {
  const { url, http, rig } = await start();
  const slow = send(`${url}/mcp`, { body: call('blog.Posts.Slow') });
  const listening = send(`${url}/mcp`, {
    headers: {
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'subscriptions/listen',
      accept: 'text/event-stream',
    },
    body: JSON.stringify({
      ...{ jsonrpc: '2.0', id: 'sub', method: 'subscriptions/listen' },
      params: { notifications: { toolsListChanged: true }, _meta: envelope },
    }),
  });
  await expect.poll(() => rig.records.length + rig.dispatched.length).toBe(2);
  await http.close(5_000);
  expect((await slow).status).toBe(200);
  const events = (await listening).text.split('\n').filter((line) => line.startsWith('data: '));
  const [acknowledged, ended] = events.map((line) => JSON.parse(line.slice(6)));
  expect(acknowledged).toMatchObject({
    method: 'notifications/subscriptions/acknowledged',
    params: { notifications: { toolsListChanged: true }, _meta: { 'io.modelcontextprotocol/subscriptionId': 'sub' } },
  });
  expect(ended).toMatchObject({ id: 'sub', result: { _meta: { 'io.modelcontextprotocol/subscriptionId': 'sub' } } });
});

it('opens no subscription for a client that takes no stream', async () => {
  const { url } = await start();
  const reply = await send(`${url}/mcp`, {
    headers: { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'subscriptions/listen' },
    body: JSON.stringify({
      ...{ jsonrpc: '2.0', id: 1, method: 'subscriptions/listen' },
      params: { notifications: { toolsListChanged: true }, _meta: envelope },
    }),
  });
  expect([reply.status, reply.body.error.data.reason]).toEqual([400, 'malformed_request']);
});

it('ends a subscription when its token is revoked', async () => {
  const { url, rig } = await start();
  const listening = send(`${url}/mcp`, {
    headers: {
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'subscriptions/listen',
      accept: 'text/event-stream',
    },
    body: JSON.stringify({
      ...{ jsonrpc: '2.0', id: 1, method: 'subscriptions/listen' },
      params: { notifications: { toolsListChanged: true }, _meta: envelope },
    }),
  });
  await expect.poll(() => rig.records.length).toBe(1);
  rig.tokens.delete('good');
  rig.changeCatalog();
  expect((await listening).text).not.toContain('list_changed');
});
