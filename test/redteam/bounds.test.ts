import { afterEach, expect, it } from 'vitest';
import type { FakeAnswer } from '../../packages/gateway/src/upstream/mcp/testing/fake-http-server.ts';
import { askModern, connectLegacy } from './support/clients.ts';
import { atEnd, endAll, eventually, startServer, startWorld } from './support/world.ts';

afterEach(endAll);

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
