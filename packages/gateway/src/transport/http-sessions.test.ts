import { GatewayError } from '@sallyport/core';
import { afterEach, describe, expect, it } from 'vitest';
import { call, send } from './testing/client.ts';
import { closeSessions, connect, ping, slow, startSessions as start } from './testing/session-client.ts';

afterEach(closeSessions);

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

  it('L8: a stream is open at once, also when there is nothing to say on it yet', async () => {
    const { mcp, running } = await start();
    const [old, client] = [await connect(mcp, { version: '2025-06-18' }), await connect(mcp)];
    const news = await old.get();
    await expect.poll(() => news.comments).toEqual([' open']);
    const before = client.stream(slow());
    await expect.poll(() => running.length).toBe(1);
    running[0]?.hop.onPause?.(1);
    const after = await client.get({ 'last-event-id': (await before).events[0]?.id ?? '' });
    await expect.poll(() => after.comments).toEqual([' open']);
    expect(after.events).toEqual([]);
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

  it('L8: what is told while nobody reads waits, once', async () => {
    const { mcp, rig } = await start();
    const client = await connect(mcp);
    for (let at = 0; at < 3; at++) rig.changeCatalog();
    expect((await client.post(ping)).status).toBe(200);
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
