import { type Answer, GatewayError, type JsonText, type Permit, type Stages, spendPermit } from '@sallyport/core';
import { fakePrincipal } from '@sallyport/testkit';
import { afterEach, describe, expect, it } from 'vitest';
import type { HttpOptions, HttpTransport } from './http.ts';
import { call, envelope, type Reply, send } from './testing/client.ts';
import { type Reading, readStream } from './testing/event-source.ts';
import { createRig, startHttp } from './testing/rig.ts';

const open: HttpTransport[] = [];
const readings: Reading[] = [];
afterEach(async () => {
  for (const reading of readings.splice(0)) reading.drop();
  await Promise.all(open.splice(0).map((http) => http.close(0)));
});

/** What a tool does before it answers, until it is told to go on. */
interface Running {
  readonly permit: Permit;
  readonly hop: Parameters<Stages['dispatch']>[1];
  finish(answer?: Partial<Answer>): void;
}

/** A gateway whose tools do what the test says, with a principal for each token. */
async function start(options: HttpOptions = {}, stages: Partial<Stages> = {}) {
  const running: Running[] = [];
  const tokens = new Set(['good', 'renewed', 'eve']);
  const clock = { now: 1_000 };
  const rig = createRig(
    { nowMs: () => clock.now, serverInfo: { name: 'gate', version: '1' } },
    {
      authenticate: ({ presented }) => {
        if (presented.kind !== 'bearer' || !tokens.has(presented.token)) throw new GatewayError('credential_invalid');
        return fakePrincipal({ subject: presented.token === 'eve' ? 'eve' : 'ada' });
      },
      dispatch: async (permit, hop) => {
        spendPermit(permit);
        hop.sent();
        if (permit.target.name.endsWith('Read')) return answered('read');
        return new Promise<Answer>((resolve, reject) => {
          const giveUp = () => reject(new GatewayError('cancelled'));
          if (hop.signal.aborted) giveUp();
          hop.signal.addEventListener('abort', giveUp, { once: true });
          running.push({ permit, hop, finish: (answer = {}) => resolve({ ...answered('done'), ...answer }) });
        });
      },
      ...stages,
    },
  );
  const started = await startHttp(rig, options);
  open.push(started.http);
  return { ...started, rig, running, tokens, clock, mcp: `${started.url}/mcp` };
}

function answered(text: string): Answer {
  return { text: JSON.stringify({ content: [{ type: 'text', text }] }) as JsonText, isError: false, instance: 'i1' };
}

const introduction = (version: string, capabilities: object = {}) => ({
  ...{ jsonrpc: '2.0', id: 'init', method: 'initialize' },
  params: { protocolVersion: version, capabilities, clientInfo: { name: 'test', version: '1' } },
});

/** A client of one session. */
async function connect(url: string, { version = '2025-11-25', capabilities = {}, token = 'good' } = {}) {
  const authorization = `Bearer ${token}`;
  const greeted = await send(url, {
    headers: { authorization },
    body: JSON.stringify(introduction(version, capabilities)),
  });
  const id = String(greeted.headers['mcp-session-id']);
  const headers = {
    ...{ authorization, 'mcp-session-id': id, 'mcp-protocol-version': version },
    'content-type': 'application/json',
  };
  const post = (message: string | object, more: Record<string, string> = {}): Promise<Reply> =>
    send(url, {
      headers: { ...headers, ...more },
      body: typeof message === 'string' ? message : JSON.stringify(message),
    });
  const stream = async (message: string, more: Record<string, string> = {}): Promise<Reading> => {
    const reading = await readStream(url, { headers: { ...headers, ...more }, body: message });
    readings.push(reading);
    return reading;
  };
  const get = async (more: Record<string, string> = {}): Promise<Reading> => {
    const reading = await readStream(url, {
      method: 'GET',
      headers: { ...headers, accept: 'text/event-stream', ...more },
    });
    readings.push(reading);
    return reading;
  };
  const end = (): Promise<Reply> => send(url, { method: 'DELETE', headers });
  await post({ jsonrpc: '2.0', method: 'notifications/initialized' });
  return { id, headers, greeted, post, stream, get, end };
}

const slow = (id: number | string = 1, params: object = {}) =>
  JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params: { name: 'blog.Posts.Slow', ...params } });
const ping = { jsonrpc: '2.0', id: 'p', method: 'ping' };

describe('MCP 2025-11-25 over HTTP', () => {
  it('L1: a POST is answered, a GET opens an event stream, and a GET that takes none is refused', async () => {
    const { mcp } = await start();
    const client = await connect(mcp);
    expect((await client.post(call('blog.Posts.Read'))).body.result.content[0].text).toBe('read');
    const reading = await client.get();
    expect([reading.status, reading.headers['content-type']]).toEqual([200, 'text/event-stream']);
    expect((await client.get({ accept: 'application/json' })).status).toBe(406);
  });

  it('L1: GET and DELETE are judged by Host and Origin like everything else', async () => {
    const { mcp } = await start({}, { admit: ({ origin }) => refuseEvil(origin.browserOrigin) });
    const client = await connect(mcp);
    for (const method of ['GET', 'DELETE']) {
      const headers = { ...client.headers, accept: 'text/event-stream', origin: 'https://evil.example' };
      const reply = await send(mcp, { method, headers });
      expect([reply.status, reply.body.error.data.reason]).toEqual([403, 'origin_refused']);
    }
    expect((await client.post(ping)).status).toBe(200);
  });

  it.each([
    ['2025-06-18', '2025-06-18'],
    ['2025-11-25', '2025-11-25'],
    ['1999-01-01', '2025-11-25'],
  ])('L2: a client that asks for %s gets %s, and its initialized is accepted', async (asked, agreed) => {
    const { mcp } = await start();
    const { greeted, post } = await connect(mcp, { version: asked });
    expect(greeted.body.result.protocolVersion).toBe(agreed);
    const initialized = { jsonrpc: '2.0', method: 'notifications/initialized' };
    const reply = await post(initialized, { 'mcp-protocol-version': agreed });
    expect([reply.status, reply.text]).toEqual([202, '']);
  });

  it('L3: a session id is random, visible ASCII, and no credential', async () => {
    const { mcp, rig } = await start();
    const [one, two] = [await connect(mcp), await connect(mcp)];
    expect(one.id).not.toBe(two.id);
    expect(one.id).toMatch(/^[\x21-\x7e]{43}$/);
    for (const authorization of ['', 'Bearer bad']) {
      const reply = await one.post(ping, { authorization });
      expect(reply.status).toBe(401);
    }
    expect(rig.records.at(-1)).toMatchObject({ outcome: 'refused', reason: 'credential_invalid' });
  });

  it('L3: a session belongs to its principal: to another it is as unknown as one that never was', async () => {
    const { mcp, rig } = await start();
    const ada = await connect(mcp);
    const eve = { authorization: 'Bearer eve' };
    const masked = async (id: string, method: string) => {
      const headers = { ...ada.headers, ...eve, accept: 'application/json, text/event-stream', 'mcp-session-id': id };
      const body = method === 'POST' ? JSON.stringify(ping) : '';
      const { status, headers: got, text } = await send(mcp, { method, headers, body });
      const { date: _date, ...others } = got;
      return JSON.stringify([status, others, text]).replaceAll(String(got['mcp-trace-id']), 'TRACE');
    };
    for (const method of ['POST', 'GET', 'DELETE']) {
      const stolen = await masked(ada.id, method);
      expect(stolen).toBe(await masked('x'.repeat(43), method));
      expect(stolen).toContain('unknown_session');
      expect(stolen).toContain('404');
      expect(rig.records.at(-1)).toMatchObject({ reason: 'unknown_session', subject: 'eve' });
    }
    expect((await ada.post(ping)).status).toBe(200);
    expect((await ada.post(ping, { authorization: 'Bearer renewed' })).status).toBe(200);
  });

  it('L4: without the id it is 400, with an unknown one 404, and after DELETE 404 for everything', async () => {
    const { mcp, rig } = await start();
    const client = await connect(mcp);
    const { 'mcp-session-id': _id, ...without } = client.headers;
    const missing = await send(mcp, { headers: without, body: JSON.stringify(ping) });
    expect([missing.status, missing.body.error.data.reason, missing.body.id]).toEqual([400, 'session_missing', 'p']);
    expect(rig.records.at(-1)).toMatchObject({ outcome: 'refused', reason: 'session_missing' });
    expect((await client.post(ping, { 'mcp-session-id': 'nothing' })).status).toBe(404);
    expect((await client.end()).status).toBe(204);
    expect((await client.post(ping)).status).toBe(404);
    expect((await client.get()).status).toBe(404);
    expect((await client.end()).status).toBe(404);
  });

  it('L4: a client that knows neither sessions nor versions is served alone', async () => {
    const { mcp } = await start();
    expect((await send(mcp, { body: call('blog.Posts.Read') })).status).toBe(200);
  });

  it('L5: a version that there is not is refused with 400, and a missing one is the one agreed on', async () => {
    const { mcp } = await start();
    const client = await connect(mcp);
    const { 'mcp-protocol-version': _version, ...without } = client.headers;
    expect((await send(mcp, { headers: without, body: JSON.stringify(ping) })).status).toBe(200);
    const odd = { 'mcp-protocol-version': '2020-01-01' };
    const refused = await client.post(ping, odd);
    expect([refused.status, refused.body.error.data.reason]).toEqual([400, 'version_unsupported']);
    expect((await client.get(odd)).status).toBe(400);
    expect((await send(mcp, { method: 'DELETE', headers: { ...client.headers, ...odd } })).status).toBe(400);
    expect((await client.post(ping)).status).toBe(200);
  });

  it('L6: notifications and answers are accepted with 202; an answer to nothing is not', async () => {
    const { mcp } = await start();
    const client = await connect(mcp);
    expect((await client.post({ jsonrpc: '2.0', method: 'notifications/roots/list_changed' })).status).toBe(202);
    const answer = await client.post({ jsonrpc: '2.0', id: 'ask-1', result: {} });
    expect([answer.status, answer.body.error.data.reason]).toEqual([400, 'unknown_question']);
  });

  it('L7: each message is on exactly one stream', async () => {
    const { mcp, rig, running } = await start();
    const client = await connect(mcp);
    const general = await client.get();
    const [one, two] = [
      client.stream(slow(1, { _meta: { progressToken: 'a' } })),
      client.stream(slow(2, { _meta: { progressToken: 'b' } })),
    ];
    await expect.poll(() => running.length).toBe(2);
    for (const { hop } of running) hop.onProgress?.({ progress: 1 });
    rig.changeCatalog();
    const streams = [await one, await two];
    await expect.poll(() => general.messages().length).toBeGreaterThan(0);
    for (const { finish } of running) finish();
    expect(await Promise.all(streams.map(({ ended }) => ended))).toEqual([true, true]);
    expect(streams.map((stream) => stream.messages().map(({ id, params }) => id ?? params.progressToken))).toEqual([
      ['a', 1],
      ['b', 2],
    ]);
    expect(general.messages().map(({ method }) => method)).toEqual(['notifications/tools/list_changed']);
  });

  it('L8: a stream begins with an event that has an id and no data, and says when to come back before it closes', async () => {
    const { mcp, running } = await start();
    const client = await connect(mcp);
    const first = client.stream(slow());
    await expect.poll(() => running.length).toBe(1);
    running[0]?.hop.onPause?.(50);
    const before = await first;
    expect(await before.ended).toBe(true);
    expect(before.events).toMatchObject([{ id: expect.stringMatching(/^\d+-0$/), data: '' }]);
    expect(before.retries).toEqual([50]);
    running[0]?.finish();
    const after = await client.get({ 'last-event-id': before.events[0]?.id ?? '' });
    expect(await after.ended).toBe(true);
    expect(after.messages()).toMatchObject([{ id: 1, result: { content: [{ text: 'done' }] } }]);
  });

  it('L8: older clients, which stumble over events without data, get none', async () => {
    const { mcp, running } = await start();
    const client = await connect(mcp, { version: '2025-06-18' });
    const reading = client.stream(slow(1, { _meta: { progressToken: 'a' } }));
    await expect.poll(() => running.length).toBe(1);
    running[0]?.hop.onPause?.(50);
    running[0]?.hop.onProgress?.({ progress: 1 });
    running[0]?.finish();
    const { events, ended } = await reading;
    expect(await ended).toBe(true);
    expect(events.map(({ id, data }) => [id, data !== ''])).toEqual([
      ['1-1', true],
      ['1-2', true],
    ]);
  });

  it('L8: a stream that broke off is resumed where it was, with its own messages only', async () => {
    const { mcp, running } = await start();
    const client = await connect(mcp);
    const starting = [
      client.stream(slow(1, { _meta: { progressToken: 'a' } })),
      client.stream(slow(2, { _meta: { progressToken: 'b' } })),
    ];
    await expect.poll(() => running.length).toBe(2);
    for (const progress of [1, 2]) for (const { hop } of running) hop.onProgress?.({ progress });
    const [one] = await Promise.all(starting);
    await expect.poll(() => one?.messages().length).toBe(2);
    const last = one?.events.find(({ data }) => data !== '')?.id ?? '';
    one?.drop();
    for (const { hop } of running) hop.onProgress?.({ progress: 3 });
    const again = await client.get({ 'last-event-id': last });
    const mine = running.find(({ permit }) => permit.callId === one?.headers['mcp-trace-id']);
    mine?.finish();
    expect(await again.ended).toBe(true);
    expect(again.messages().map(({ id, params }) => id ?? params.progress)).toEqual([2, 3, 1]);
    const ids = new Set([...(one?.events ?? []), ...again.events].map(({ id }) => id));
    expect(ids.size).toBe(5);
  });

  it('L8: a second GET takes the stream over and misses nothing', async () => {
    const { mcp, rig } = await start();
    const client = await connect(mcp);
    const one = await client.get();
    rig.changeCatalog();
    await expect.poll(() => one.messages().length).toBe(1);
    const two = await client.get();
    expect(await one.ended).toBe(true);
    rig.changeCatalog();
    await expect.poll(() => two.messages().length).toBe(1);
    two.drop();
    rig.changeCatalog();
    const three = await client.get({ 'last-event-id': two.events.at(-1)?.id ?? '' });
    await expect.poll(() => three.messages().length).toBe(1);
  });

  it('L8: what is told while nobody reads waits', async () => {
    const { mcp, rig } = await start();
    const client = await connect(mcp);
    rig.changeCatalog();
    const reading = await client.get();
    await expect
      .poll(() => reading.messages().map(({ method }) => method))
      .toEqual(['notifications/tools/list_changed']);
  });

  it('L9: a client that goes away has not cancelled: its answer waits', async () => {
    const { mcp, rig, running } = await start();
    const client = await connect(mcp);
    const reading = client.stream(slow(1, { _meta: { progressToken: 'a' } }));
    await expect.poll(() => running.length).toBe(1);
    running[0]?.hop.onProgress?.({ progress: 1 });
    const before = await reading;
    await expect.poll(() => before.events.length).toBe(2);
    before.drop();
    expect(await before.ended).toBe(false);
    expect((await client.post(ping)).status).toBe(200);
    expect(running[0]?.hop.signal.aborted).toBe(false);
    running[0]?.finish();
    await expect
      .poll(() => rig.records.some(({ verb, outcome }) => verb === 'invoke' && outcome === 'answered'))
      .toBe(true);
    const after = await client.get({ 'last-event-id': before.events.at(-1)?.id ?? '' });
    expect(await after.ended).toBe(true);
    expect(after.messages()).toMatchObject([{ id: 1, result: {} }]);
  });

  it('L9: cancelling is said, and reaches the service whichever connection it comes on', async () => {
    const { mcp, rig, running } = await start();
    const client = await connect(mcp);
    const reply = client.post(slow('s'));
    await expect.poll(() => running.length).toBe(1);
    const cancelled = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 's' } };
    const other = await connect(mcp);
    expect((await other.post(cancelled)).status).toBe(202);
    expect(running[0]?.hop.signal.aborted).toBe(false);
    expect((await client.post(cancelled)).status).toBe(202);
    expect(running[0]?.hop.signal.aborted).toBe(true);
    await reply;
    expect(rig.records.some(({ reason }) => reason === 'cancelled')).toBe(true);
  });

  it('L9: a request that takes its time gets a stream that can be resumed, without having said anything', async () => {
    const { mcp, running } = await start();
    const client = await connect(mcp);
    const reading = await client.stream(slow());
    expect(reading.headers['content-type']).toBe('text/event-stream');
    await expect.poll(() => reading.events.length).toBe(1);
    reading.drop();
    running[0]?.finish();
    const after = await client.get({ 'last-event-id': reading.events[0]?.id ?? '' });
    await after.ended;
    expect(after.messages()).toMatchObject([{ id: 1, result: {} }]);
  });
});

function refuseEvil(origin: string | undefined): void {
  if (origin === 'https://evil.example') throw new GatewayError('origin_refused');
}

const question = (key: string) => ({
  text: JSON.stringify({
    resultType: 'input_required',
    inputRequests: { [key]: { method: 'elicitation/create', params: { message: 'Sure?', requestedSchema: {} } } },
    requestState: `state-${key}`,
  }) as JsonText,
  resultType: 'input_required',
});

describe('L10: questions to a client', () => {
  const capabilities = { elicitation: {} };
  const asking = async () => {
    const gateway = await start();
    const client = await connect(gateway.mcp, { capabilities });
    const general = await client.get();
    const reading = client.stream(slow(7));
    await expect.poll(() => gateway.running.length).toBe(1);
    gateway.running[0]?.finish(question('q'));
    const stream = await reading;
    await expect.poll(() => stream.messages().length).toBe(1);
    return { ...gateway, client, general, stream, asked: stream.messages()[0] };
  };

  it('come on the stream of the request they belong to, and the answer goes to the service', async () => {
    const { client, general, stream, asked, running } = await asking();
    expect(asked).toMatchObject({ method: 'elicitation/create', params: { message: 'Sure?' } });
    expect((await client.post({ jsonrpc: '2.0', id: asked.id, result: { action: 'accept' } })).status).toBe(202);
    await expect.poll(() => running.length).toBe(2);
    expect(running[1]?.permit.retry).toMatchObject({ requestState: 'state-q' });
    expect(JSON.parse(running[1]?.permit.retry?.inputResponsesText ?? '{}')).toEqual({ q: { action: 'accept' } });
    running[1]?.finish();
    expect(await stream.ended).toBe(true);
    expect(stream.messages().at(-1)).toMatchObject({ id: 7, result: {} });
    expect(general.messages()).toEqual([]);
    expect((await client.post({ jsonrpc: '2.0', id: asked.id, result: {} })).status).toBe(400);
  });

  it('are answered by nobody else: not in another session, not by another principal', async () => {
    const { mcp, client, asked, running } = await asking();
    const answer = { jsonrpc: '2.0', id: asked.id, result: { action: 'accept' } };
    const [mine, hers] = [await connect(mcp), await connect(mcp, { token: 'eve' })];
    expect((await mine.post(answer)).body.error.data.reason).toBe('unknown_question');
    expect((await hers.post(answer)).body.error.data.reason).toBe('unknown_question');
    const stolen = await client.post(answer, { authorization: 'Bearer eve' });
    expect(stolen.body.error.data.reason).toBe('unknown_session');
    expect(running).toHaveLength(1);
  });

  it('wait for a client that lost its connection and comes back', async () => {
    const { client, stream, asked, running } = await asking();
    stream.drop();
    const again = await client.get({ 'last-event-id': stream.events[0]?.id ?? '' });
    await expect.poll(() => again.messages()).toMatchObject([{ id: asked.id }]);
    await client.post({ jsonrpc: '2.0', id: asked.id, result: { action: 'decline' } });
    await expect.poll(() => running.length).toBe(2);
    running[1]?.finish();
    expect(await again.ended).toBe(true);
  });

  it('are withdrawn when the request is cancelled', async () => {
    const { client, stream, asked } = await asking();
    await client.post({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 7 } });
    expect(await stream.ended).toBe(true);
    expect(stream.messages().slice(1)).toMatchObject([
      { method: 'notifications/cancelled', params: { requestId: asked.id } },
    ]);
  });
});

describe('endpoints', () => {
  it('have sessions of their own: one of another endpoint is unknown', async () => {
    const { url, mcp } = await start();
    const client = await connect(mcp);
    for (const path of ['/mcp/blog', '/mcp/views/blog']) {
      const reply = await send(`${url}${path}`, { headers: client.headers, body: JSON.stringify(ping) });
      expect([path, reply.status, reply.body.error.data.reason]).toEqual([path, 404, 'unknown_session']);
    }
    const mounted = await connect(`${url}/mcp/blog`);
    expect(mounted.greeted.status).toBe(200);
    expect((await mounted.post(ping)).status).toBe(200);
    expect((await send(mcp, { headers: mounted.headers, body: JSON.stringify(ping) })).status).toBe(404);
  });

  it('take calls under the names of their place', async () => {
    const { url, rig } = await start();
    const mounted = await connect(`${url}/mcp/blog`);
    expect((await mounted.post(call('Posts.Read'))).body.result.content[0].text).toBe('read');
    expect((await mounted.post(call('blog.Posts.Read'))).body.error.data.reason).toBe('unknown_tool');
    expect(rig.records.filter(({ verb }) => verb === 'invoke').map(({ tool }) => tool)).toEqual([
      'blog.Posts.Read',
      'blog.Posts.Read',
    ]);
  });

  it('that are reserved, or no names, are not there', async () => {
    const { url } = await start();
    for (const path of [
      '/mcp/tools',
      '/mcp/call',
      '/mcp/ws',
      '/mcp/views',
      '/mcp/Blog',
      '/mcp/views/',
      '/mcp/a/b',
      '/mcp/',
    ]) {
      const { status } = await send(`${url}${path}`, { body: JSON.stringify(ping) });
      expect([path, [404, 405].includes(status) || path === '/mcp/call']).toEqual([path, true]);
    }
  });

  it('pay no heed to sessions in messages of the new era', async () => {
    const { mcp } = await start();
    const headers = {
      ...{ 'mcp-session-id': 'nothing', 'mcp-protocol-version': '2026-07-28' },
      ...{ 'mcp-method': 'tools/call', 'mcp-name': 'blog.Posts.Read' },
    };
    const params = { name: 'blog.Posts.Read', _meta: envelope };
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params });
    expect((await send(mcp, { headers, body })).status).toBe(200);
  });
});

describe('hostile clients', () => {
  it('that resume with event ids of others get nothing: not of another session, not made up', async () => {
    const { mcp, running } = await start();
    const [ada, eve] = [await connect(mcp), await connect(mcp, { token: 'eve' })];
    const reading = ada.stream(slow(1, { _meta: { progressToken: 'a' } }));
    await expect.poll(() => running.length).toBe(1);
    running[0]?.hop.onProgress?.({ progress: 1 });
    const { events } = await reading;
    await expect.poll(() => events.length).toBe(2);
    for (const id of [...events.map((event) => event.id ?? ''), '0-99', '99-0', '-1', 'x', "1-0' OR 1=1"]) {
      const stolen = await eve.get({ 'last-event-id': id });
      expect([id, stolen.status]).toEqual([id, 400]);
      expect(stolen.text()).not.toContain('progress');
    }
    const stolen = await ada.get({ 'last-event-id': events[0]?.id ?? '', authorization: 'Bearer eve' });
    expect(stolen.status).toBe(404);
  });

  it('that open a thousand sessions have no more than they may, and hurt nobody else', async () => {
    const { mcp, rig } = await start({ sessions: { max: 100, perPrincipal: 20, idleMs: 60_000 } });
    const ada = await connect(mcp);
    const ids: string[] = [];
    for (let at = 0; at < 1_000; at++) {
      const body = JSON.stringify(introduction('2025-11-25'));
      const { headers } = await send(mcp, { headers: { authorization: 'Bearer eve' }, body });
      ids.push(String(headers['mcp-session-id']));
    }
    const eve = { authorization: 'Bearer eve' };
    const statuses = await Promise.all(
      ids.map((id) => send(mcp, { headers: { ...eve, 'mcp-session-id': id }, body: JSON.stringify(ping) })),
    );
    expect(statuses.filter(({ status }) => status === 200)).toHaveLength(20);
    expect((await ada.post(ping)).status).toBe(200);
    expect(rig.records.filter(({ verb }) => verb === 'list').length).toBeGreaterThan(1_000);
  });

  it('that keep all their sessions busy get no more', async () => {
    const { mcp } = await start({ sessions: { max: 100, perPrincipal: 2, idleMs: 60_000 } });
    const clients = [await connect(mcp), await connect(mcp)];
    for (const client of clients) await client.get();
    const refused = await send(mcp, { body: JSON.stringify(introduction('2025-11-25')) });
    expect([refused.status, refused.body.error.data.reason]).toEqual([429, 'sessions_exhausted']);
    expect(refused.headers['mcp-session-id']).toBeUndefined();
  });

  it('that have no token open nothing, however often they try', async () => {
    const { mcp, rig } = await start();
    for (let at = 0; at < 50; at++) {
      const reply = await send(mcp, {
        headers: { authorization: 'Bearer bad' },
        body: JSON.stringify(introduction('2025-11-25')),
      });
      expect([reply.status, reply.headers['mcp-session-id']]).toEqual([401, undefined]);
    }
    expect(rig.records).toHaveLength(50);
  });

  it('that start calls and run away leave few behind', async () => {
    const { mcp, running } = await start();
    const client = await connect(mcp);
    const started = Array.from({ length: 40 }, (_, id) =>
      client.stream(slow(id, { _meta: { progressToken: id } })).catch(() => undefined),
    );
    await expect.poll(() => running.length).toBe(40);
    for (const { hop } of running) hop.onProgress?.({ progress: 1 });
    for (const reading of await Promise.all(started)) reading?.drop();
    await expect.poll(() => running.filter(({ hop }) => hop.signal.aborted).length).toBe(8);
  });

  it('that use one id twice at once are told so', async () => {
    const { mcp, running } = await start();
    const client = await connect(mcp);
    const first = client.post(slow(3));
    await expect.poll(() => running.length).toBe(1);
    expect((await client.post(slow(3))).body.error.data.reason).toBe('malformed_request');
    running[0]?.finish();
    expect((await first).status).toBe(200);
  });

  it('that read nothing are cut off, and can resume', async () => {
    const { mcp, running } = await start();
    const client = await connect(mcp);
    const reading = client.stream(slow(1, { _meta: { progressToken: 'a' } }));
    await expect.poll(() => running.length).toBe(1);
    running[0]?.hop.onProgress?.({ progress: 0 });
    const before = await reading;
    await expect.poll(() => before.events.length).toBe(2);
    before.pause();
    let progress = 0;
    const flood = setInterval(() => {
      for (let at = 0; at < 20; at++) {
        running[0]?.hop.onProgress?.({ progress: ++progress, message: 'x'.repeat(50_000) });
      }
    }, 1);
    await expect.poll(() => progress, { timeout: 5_000 }).toBeGreaterThan(500);
    clearInterval(flood);
    running[0]?.finish();
    before.drop();
    const after = await client.get({ 'last-event-id': before.events[0]?.id ?? '' });
    expect(await after.ended).toBe(true);
    expect(after.messages().at(-1)).toMatchObject({ id: 1, result: {} });
    expect(after.text().length).toBeLessThan(1024 * 1024);
  });
});

describe('the end of a session', () => {
  it('by DELETE ends its stream and cancels what it was doing', async () => {
    const { mcp, running, rig } = await start();
    const client = await connect(mcp);
    const general = await client.get();
    const reply = client.post(slow());
    await expect.poll(() => running.length).toBe(1);
    expect((await client.end()).status).toBe(204);
    expect(await general.ended).toBe(true);
    expect(running[0]?.hop.signal.aborted).toBe(true);
    await reply;
    expect(rig.records.some(({ reason }) => reason === 'cancelled')).toBe(true);
  });

  it('comes when it was idle for long enough, but not while its stream is open', async () => {
    const { mcp, clock } = await start({ sessions: { max: 10, perPrincipal: 10, idleMs: 1_000 } });
    const [idle, read] = [await connect(mcp), await connect(mcp)];
    await read.get();
    clock.now += 5_000;
    expect((await idle.post(ping)).status).toBe(404);
    expect((await read.post(ping)).status).toBe(200);
  });

  it('of a token ends the open stream; the session stays for the next token', async () => {
    const { mcp, tokens, rig } = await start();
    const client = await connect(mcp);
    const reading = await client.get();
    tokens.delete('good');
    rig.changeCatalog();
    expect(await reading.ended).toBe(true);
    expect(reading.messages()).toEqual([]);
    expect((await client.post(ping)).status).toBe(401);
    expect((await client.post(ping, { authorization: 'Bearer renewed' })).status).toBe(200);
  });

  it('of the gateway ends streams in good order and lets calls finish', async () => {
    const { mcp, running, http } = await start();
    const client = await connect(mcp);
    const general = await client.get();
    const reading = await client.stream(slow());
    const closing = http.close(5_000);
    expect(await general.ended).toBe(true);
    running[0]?.finish();
    expect(await reading.ended).toBe(true);
    expect(reading.messages()).toMatchObject([{ id: 1, result: {} }]);
    await closing;
  });
});

it('records each GET and DELETE once, with its principal', async () => {
  const { mcp, rig } = await start();
  const client = await connect(mcp);
  const before = rig.records.length;
  await client.get();
  await client.end();
  expect(rig.records.slice(before)).toMatchObject([
    {
      verb: 'listen',
      outcome: 'answered',
      subject: 'ada',
      origin: { era: 'legacy', transport: 'http' },
    },
    { verb: 'list', outcome: 'answered', subject: 'ada' },
  ]);
});

it('refuses a call in a session with the status it has without one', async () => {
  const { mcp } = await start();
  const client = await connect(mcp);
  const accept = { accept: 'text/event-stream, application/json' };
  const secret = await client.post(call('blog.Posts.Secret'), accept);
  expect([secret.status, secret.headers['www-authenticate']]).toEqual([
    403,
    expect.stringContaining('insufficient_scope'),
  ]);
  expect((await client.post(call('blog.Posts.Limited'), accept)).status).toBe(429);
});

it('answers with the kind of body that a client names first', async () => {
  const { mcp } = await start();
  const client = await connect(mcp);
  const kind = async (accept: string) =>
    (await client.post(call('blog.Posts.Read'), { accept })).headers['content-type'];
  expect(await kind('application/json, text/event-stream')).toBe('application/json');
  expect(await kind('text/event-stream, application/json')).toBe('text/event-stream');
  expect(await kind('text/event-stream')).toBe('text/event-stream');
  expect(await kind('application/json')).toBe('application/json');
});
