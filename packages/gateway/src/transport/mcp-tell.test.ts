import type { Endpoint } from '@sallyport/core';
import { describe, expect, it } from 'vitest';
import { answer, createRelay, fakeSession, legacy, modern } from './testing/relay.ts';

const called = { name: 'docs.Search' };
const log = (level: string): string => JSON.stringify({ level, data: 'x' });

function talkative() {
  const relay = createRelay();
  relay.respond((_permit, hop) => {
    for (const progress of [1, 1, 3, 2, 4]) hop.onProgress?.({ progress });
    for (const level of ['debug', 'warning']) hop.onNotification?.('notifications/message', log(level) as never);
    hop.onNotification?.('notifications/com.example', '{"uri":"file:///a"}' as never);
    hop.onNotification?.('notifications/tools/list_changed', '{}' as never);
    hop.onNotification?.('notifications/elicitation/complete', '{"elicitationId":"e"}' as never);
    setImmediate(() => hop.onProgress?.({ progress: 9 }));
    return answer('{"content":[]}');
  });
  return relay;
}

function shown(told: readonly { readonly method: string; readonly params: Record<string, unknown> }[]) {
  return told.map(({ method, params }) =>
    `${method.replace('notifications/', '')} ${params.level ?? params.progress ?? ''}`.trim(),
  );
}

describe('ahead of an answer', () => {
  it('an old client hears all that is told', async () => {
    const relay = talkative();
    await relay.say(legacy('tools/call', { ...called, _meta: { progressToken: 'mine' } }));
    await new Promise(setImmediate);
    expect(shown(relay.told)).toEqual([
      ...['progress 1', 'progress 3', 'progress 4', 'message debug', 'message warning'],
      ...['com.example', 'elicitation/complete'],
    ]);
    expect(relay.told[0].params).toEqual({ progressToken: 'mine', progress: 1 });
  });

  it('it hears no log message below the level it set', async () => {
    const relay = talkative();
    const session = fakeSession();
    session.logLevel = 'warning';
    await relay.say(legacy('tools/call', called), { session });
    expect(shown(relay.told)).toEqual(['message warning', 'com.example', 'elicitation/complete']);
  });

  it('a new one hears log messages if it asked for them, of the level it asked for', async () => {
    const silent = talkative();
    await silent.say(modern('tools/call', called));
    expect(shown(silent.told)).toEqual(['com.example']);
    const relay = talkative();
    await relay.say(modern('tools/call', called, { meta: { 'io.modelcontextprotocol/logLevel': 'error' } }));
    expect(shown(relay.told)).toEqual(['com.example']);
    await relay.say(modern('tools/call', called, { meta: { 'io.modelcontextprotocol/logLevel': 'debug' } }));
    expect(shown(relay.told)).toEqual(['com.example', 'message debug', 'message warning', 'com.example']);
  });

  it('nothing reaches a client that takes no stream, and pauses one that does', async () => {
    const relay = createRelay();
    const pauses: (number | undefined)[] = [];
    relay.respond((_permit, hop) => {
      hop.onPause?.(500);
      return answer('{"content":[]}');
    });
    await relay.say(legacy('tools/call', called), { pause: (retryMs) => pauses.push(retryMs) });
    expect(pauses).toEqual([500]);
  });
});

describe('a subscription of a new client', () => {
  const tasks = { extensions: { 'io.modelcontextprotocol/tasks': {} } };

  it('is acknowledged as far as there is something to tell of, then told in its own names', async () => {
    const relay = createRelay();
    relay.respond(() => answer('{"resultType":"task","taskId":"t1"}', { resultType: 'task' }));
    const { taskId } = (await relay.say(modern('tools/call', called, { capabilities: tasks }))).body.result;
    const ending = new AbortController();
    const notifications = {
      ...{ toolsListChanged: true, promptsListChanged: false, resourcesListChanged: true },
      ...{ resourceSubscriptions: ['docs+file:///a', 'nobody+file:///a'], taskIds: [taskId, 'other'] },
    };
    const answered = relay.say(modern('subscriptions/listen', { notifications }), { ending: ending.signal });
    await expect.poll(() => relay.told.length).toBe(1);
    relay.change('docs');
    await expect.poll(() => relay.told.length).toBe(3);
    relay.emit({ kind: 'resource', uri: 'file:///a' }, '{"uri":"file:///a/part","x":1}');
    relay.emit({ kind: 'task', taskId: 't1' }, '{"taskId":"t1","status":"working"}');
    await expect.poll(() => relay.told.length).toBe(5);
    ending.abort();
    expect((await answered).body.result._meta['io.modelcontextprotocol/subscriptionId']).toBe(1);
    const _meta = { 'io.modelcontextprotocol/subscriptionId': 1 };
    const honored = {
      ...{ toolsListChanged: true, resourcesListChanged: true },
      ...{ resourceSubscriptions: ['docs+file:///a'], taskIds: [taskId] },
    };
    expect(relay.told.map(({ method, params }) => [method, params])).toEqual([
      ['notifications/subscriptions/acknowledged', { notifications: honored, _meta }],
      ['notifications/tools/list_changed', { _meta }],
      ['notifications/resources/list_changed', { _meta }],
      ['notifications/resources/updated', { uri: 'docs+file:///a/part', x: 1, _meta }],
      ['notifications/tasks', { taskId, status: 'working', _meta }],
    ]);
  });

  it.each([
    [{ resourceSubscriptions: 'x' }],
    [{ taskIds: [7] }],
    [{ taskIds: Array.from({ length: 1_001 }, (_, index) => String(index)) }],
  ])('%# is refused when it makes no sense', async (notifications) => {
    const { body } = await createRelay().say(modern('subscriptions/listen', { notifications }));
    expect(body.error.data.reason).toBe('malformed_params');
  });
});

describe('a session of an old client', () => {
  const mount: Endpoint = { kind: 'mount', service: 'docs' };
  const ready = { jsonrpc: '2.0', method: 'notifications/initialized' };

  async function opened(endpoint: Endpoint = mount) {
    const relay = createRelay();
    const session = fakeSession();
    await relay.say(legacy('initialize', { capabilities: {} }), { endpoint, openSession: () => session });
    expect((await relay.say(ready, { endpoint, session })).status).toBe(202);
    return { relay, session, said: { endpoint, session } };
  }

  it('hears of changed lists until it ends', async () => {
    const { relay, session, said } = await opened();
    await relay.say(ready, said);
    relay.change('docs');
    await expect.poll(() => session.sent.length).toBe(3);
    expect(session.sent.map((message) => JSON.parse(message).method)).toEqual([
      'notifications/tools/list_changed',
      'notifications/prompts/list_changed',
      'notifications/resources/list_changed',
    ]);
    session.end();
    relay.change('docs');
    await new Promise(setImmediate);
    expect(session.sent).toHaveLength(3);
  });

  it('subscribes to resources and lets go of them', async () => {
    const { relay, session, said } = await opened({ kind: 'all' });
    const uri = 'docs+file:///a';
    const update = () => relay.emit({ kind: 'resource', uri: 'file:///a' }, '{"uri":"file:///a"}');
    for (let time = 0; time < 2; time++) {
      expect((await relay.say(legacy('resources/subscribe', { uri }), said)).body.result).toBeDefined();
    }
    update();
    await expect.poll(() => session.sent.length).toBe(1);
    expect(JSON.parse(session.sent[0] ?? '')).toMatchObject({ params: { uri } });
    await relay.say(legacy('resources/unsubscribe', { uri }), said);
    update();
    await new Promise(setImmediate);
    expect([session.sent.length, session.resourceUris.size]).toEqual([1, 0]);
    const unknown = await relay.say(legacy('resources/subscribe', { uri: 'x' }), said);
    expect(unknown.body.error.code).toBe(-32002);
  });

  it('is needed to subscribe, to set a level, and to answer', async () => {
    const relay = createRelay();
    for (const [method, params] of [
      ['resources/subscribe', { uri: 'docs+file:///a' }],
      ['logging/setLevel', { level: 'info' }],
    ] as const) {
      expect((await relay.say(legacy(method, params))).body.error.data.reason).toBe('session_missing');
    }
    const { status, body } = await relay.say({ jsonrpc: '2.0', id: 1, result: {} });
    expect([status, body.error.data.reason]).toEqual([400, 'unknown_question']);
  });
});
