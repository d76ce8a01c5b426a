import { afterEach, describe, expect, it, vi } from 'vitest';
import type { FakeAnswer, FakeHttpOptions, Received } from './testing/fake-http-server.ts';
import { cleanup, connect } from './testing/service.ts';

const eventually = <T>(check: () => T | Promise<T>) => vi.waitFor(check, 15_000);
const capabilities = { resources: { subscribe: true }, extensions: { 'io.modelcontextprotocol/tasks': {} } };
const updated = { message: { method: 'notifications/resources/updated', params: { uri: 'a://1' } } };

afterEach(cleanup);

/** A server that keeps the streams on which it can tell something. */
function telling(eras: FakeHttpOptions['eras']): FakeHttpOptions & { readonly streams: FakeAnswer[] } {
  const streams: FakeAnswer[] = [];
  return {
    ...{ eras, capabilities, streams },
    lists: { tools: [], resources: [], resourceTemplates: [] },
    on({ verb, method, headers }: Received, answer) {
      const isSubscribing = method === 'resources/subscribe' || method === 'resources/unsubscribe';
      if (isSubscribing) answer.json('{}');
      if (method === 'subscriptions/listen') {
        answer.event({ message: { method: 'notifications/subscriptions/acknowledged', params: {} } });
        streams.push(answer);
      }
      // After a restart it does not know its sessions, and says so.
      if (verb === 'GET' && headers['last-event-id'] === undefined) {
        answer.event({ id: '1' });
        streams.push(answer);
        return true;
      }
      return isSubscribing || method === 'subscriptions/listen';
    },
  };
}

describe('what a legacy server tells of', () => {
  it('is subscribed to once, however many watch it', async () => {
    const server = telling(['legacy']);
    const { fake, service } = await connect(server);
    await eventually(() => expect(server.streams).toHaveLength(1));
    const heard = [vi.fn(), vi.fn()];
    const stops = heard.map((listener) => service.feed?.watch({ kind: 'resource', uri: 'a://1' }, listener));
    await eventually(() =>
      expect(fake.of('resources/subscribe').map(({ params }) => params)).toEqual([{ uri: 'a://1' }]),
    );
    server.streams[0]?.event(updated);
    for (const listener of heard) await eventually(() => expect(listener).toHaveBeenCalledWith('{"uri":"a://1"}'));
    for (const stop of stops) stop?.();
    await eventually(() => expect(fake.of('resources/unsubscribe')).toHaveLength(1));
    expect(fake.of('resources/subscribe')).toHaveLength(1);
  });

  it('is subscribed to again after a restart', async () => {
    const server = telling(['legacy']);
    const { fake, service } = await connect(server);
    await eventually(() => expect(server.streams).toHaveLength(1));
    const heard = vi.fn();
    service.feed?.watch({ kind: 'resource', uri: 'a://1' }, heard);
    await eventually(() => expect(fake.of('resources/subscribe')).toHaveLength(1));
    await fake.restart();
    await eventually(() => expect(fake.of('resources/subscribe')).toHaveLength(2));
    const [before, after] = fake.of('resources/subscribe').map(({ headers }) => headers['mcp-session-id']);
    expect(after).not.toBe(before);
    await eventually(() => expect(server.streams).toHaveLength(2));
    server.streams[1]?.event(updated);
    await eventually(() => expect(heard).toHaveBeenCalledOnce());
  });
});

describe('what a modern server tells of', () => {
  it('is listened to on one stream for all that is watched, again after a restart, and no longer than somebody watches', async () => {
    const server = telling(['modern']);
    const { fake, service } = await connect(server);
    const [one, task] = [vi.fn(), vi.fn()];
    const stops = [
      service.feed?.watch({ kind: 'resource', uri: 'a://1' }, one),
      service.feed?.watch({ kind: 'task', taskId: 't-1' }, task),
    ];
    await eventually(() => expect(server.streams).toHaveLength(1));
    expect(fake.of('subscriptions/listen')[0]?.params).toMatchObject({
      notifications: { resourceSubscriptions: ['a://1'], taskIds: ['t-1'] },
    });
    server.streams[0]?.event(updated);
    server.streams[0]?.event({
      message: { method: 'notifications/tasks', params: { taskId: 't-1', status: 'working' } },
    });
    await eventually(() => expect(task).toHaveBeenCalledWith('{"taskId":"t-1","status":"working"}'));
    expect(one).toHaveBeenCalledOnce();
    await fake.restart();
    await eventually(() => expect(server.streams).toHaveLength(2));
    server.streams[1]?.event(updated);
    await eventually(() => expect(one).toHaveBeenCalledTimes(2));
    const before = fake.cancelled();
    for (const stop of stops) stop?.();
    await eventually(() => expect(fake.cancelled()).toBe(before + 1));
  });

  it('is listened to without a gap when more is watched', async () => {
    const server = telling(['modern']);
    const { fake, service } = await connect(server);
    service.feed?.watch({ kind: 'resource', uri: 'a://1' }, vi.fn());
    await eventually(() => expect(server.streams).toHaveLength(1));
    service.feed?.watch({ kind: 'resource', uri: 'a://2' }, vi.fn());
    await eventually(() => expect(fake.cancelled()).toBe(1));
    expect(server.streams).toHaveLength(2);
    expect(fake.of('subscriptions/listen')[1]?.params).toMatchObject({
      notifications: { resourceSubscriptions: ['a://1', 'a://2'] },
    });
  });
});
