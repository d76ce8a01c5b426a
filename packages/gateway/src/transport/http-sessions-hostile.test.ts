import { afterEach, describe, expect, it } from 'vitest';
import { call, envelope, send } from './testing/client.ts';
import { closeSessions, connect, introduction, ping, slow, startSessions as start } from './testing/session-client.ts';

afterEach(closeSessions);

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
