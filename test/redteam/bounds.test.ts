import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { afterEach, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { FakeAnswer } from '../../packages/gateway/src/upstream/mcp/testing/fake-http-server.ts';
import { able, askModern, connectLegacy, modernRequest, type Target } from './support/clients.ts';
import { atEnd, endAll, eventually, startServer, startWorld } from './support/world.ts';

afterEach(endAll);

function webSocket({ url, token }: Target): WebSocket {
  const headers = { Authorization: `Bearer ${token}` };
  const socket = new WebSocket(`${url.replace('http', 'ws')}/ws`, { headers });
  atEnd(() => socket.on('error', () => undefined).terminate());
  return socket;
}

it('nobody can subscribe to so much that others hear nothing any more', async () => {
  const stream: { open?: FakeAnswer } = {};
  const server = await startServer({
    ...{
      eras: ['legacy'],
      capabilities: { resources: { subscribe: true } },
      lists: { resources: [{ uri: 'a://x', name: 'x' }] },
    },
    on(call, answer) {
      if (call.method === 'resources/subscribe') {
        answer.json('{}');
        return true;
      }
      if (call.verb !== 'GET') return undefined;
      answer.event({ id: 'open' });
      stream.open ??= answer;
      return true;
    },
  });
  const world = await startWorld({ notes: { address: server.url } });
  const greedy = { url: world.mcp, token: await world.mint('greedy') };
  const stop = new AbortController();
  atEnd(() => stop.abort());
  const refused: unknown[] = [];
  for (let part = 0; part < 12; part++) {
    const resourceSubscriptions = Array.from({ length: 1_000 }, (_, n) => `notes+a://${part}/${n}`);
    const params = { notifications: { resourceSubscriptions } };
    askModern(greedy, 'subscriptions/listen', params, { signal: stop.signal }).then(
      ({ last }) => refused.push(last.error?.data.reason),
      () => undefined,
    );
  }
  await eventually(() => expect(refused.length).toBeGreaterThan(8));
  expect(new Set(refused)).toEqual(new Set(['rate_limited']));

  const session = await connectLegacy({ url: world.mcp, token: await world.mint('modest') });
  const { heard } = await session.listen();
  await session.ask('resources/subscribe', { uri: 'notes+a://x' });
  stream.open?.event({ message: { method: 'notifications/resources/updated', params: { uri: 'a://x' } } });
  await eventually(() => expect(heard).toHaveLength(1));
});

it('no account keeps all connections open by listening, in whichever way', async () => {
  const server = await startServer({
    eras: ['modern'],
    lists: { tools: [{ name: 'x', inputSchema: { type: 'object' } }] },
  });
  const world = await startWorld({ notes: { address: server.url } }, { limits: { maxConnections: 40 } });
  const greedy = { url: world.mcp, token: await world.mint('greedy') };
  const stops: AbortController[] = [];
  atEnd(() => {
    for (const stop of stops) stop.abort();
  });
  const params = { notifications: { toolsListChanged: true } };
  const listen = async (): Promise<number> => {
    const stop = new AbortController();
    stops.push(stop);
    const response = await fetch(
      greedy.url,
      modernRequest(greedy, 'subscriptions/listen', params, { signal: stop.signal }),
    );
    return response.status;
  };
  const statuses = await Promise.all(Array.from({ length: 18 }, listen));
  expect(new Set(statuses)).toEqual(new Set([200]));
  const session = await connectLegacy(greedy);
  const opened = [
    await session.listen(),
    await (await connectLegacy(greedy)).listen(),
    await (await connectLegacy(greedy)).listen(),
  ];
  expect(opened.map(({ status }) => status)).toEqual([200, 200, 429]);
  expect(await listen()).toBe(429);
  const refused = once(webSocket(greedy), 'unexpected-response') as Promise<[unknown, IncomingMessage]>;
  expect((await refused)[1].statusCode).toBe(429);

  const modest = { url: world.mcp, token: await world.mint('modest') };
  expect((await (await connectLegacy(modest)).listen()).status).toBe(200);
  await once(webSocket(modest), 'open');
  stops[0]?.abort();
  await eventually(async () => expect(await listen()).toBe(200));
});

it('calls that wait for answers are bounded for each account, and in all', async () => {
  const params = { message: 'really?', requestedSchema: { type: 'object', properties: {} } };
  const server = await startServer({
    ...{ eras: ['legacy'], lists: { tools: [{ name: 'ask', inputSchema: { type: 'object' } }] } },
    on(call, answer) {
      if (call.method !== 'tools/call') return undefined;
      answer.event({ message: { id: 1, method: 'elicitation/create', params } });
      return true;
    },
  });
  const limits = { parked: { max: 5, perPrincipal: 3 } };
  const world = await startWorld({ notes: { address: server.url } }, { limits });
  const ask = async (token: string): Promise<unknown> => {
    const call = { name: 'notes.ask', arguments: {} };
    const { last } = await askModern({ url: world.mcp, token }, 'tools/call', call, { capabilities: able });
    return last.result?.resultType ?? last.error.data.reason;
  };
  const asked = async (account: string): Promise<unknown[]> => {
    const token = await world.mint(account);
    const answers: unknown[] = [];
    for (let n = 0; n < 4; n++) answers.push(await ask(token));
    return answers;
  };
  const [fine, full] = ['input_required', 'sessions_exhausted'];
  expect(await asked('greedy')).toEqual([fine, fine, fine, full]);
  expect(await asked('modest')).toEqual([fine, fine, full, full]);
});
