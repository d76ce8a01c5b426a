import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JsonObject } from '@sallyport/protocol';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type {
  FakeAnswer,
  FakeHttpServer,
  Received,
} from '../../packages/gateway/src/upstream/mcp/testing/fake-http-server.ts';
import {
  able,
  askModern,
  connectLegacy,
  type Legacy,
  legacySession,
  type Reply,
  type Target,
} from './support/clients.ts';
import { atEnd, endAll, eventually, startServer, startWorld, type World } from './support/world.ts';

interface Answer {
  readonly result?: object;
  readonly error?: { readonly data: { readonly reason: string } };
}

const tool = (name: string): JsonObject => ({ name, inputSchema: { type: 'object' } });
const lists = {
  tools: ['ask', 'other', 'slow', 'task', 'tell'].map(tool),
  prompts: [{ name: 'ask' }],
  resources: [{ uri: 'a://x', name: 'x' }],
};
const capabilities = { tools: {}, prompts: {}, resources: { subscribe: true }, logging: {} };
const form = { message: 'really?', requestedSchema: { type: 'object', properties: {} } };

let old: FakeHttpServer;
let young: FakeHttpServer;
let world: World;
let ann: Target;
let bob: Target;
/** Calls of `slow` that wait, and how to answer them. */
const waiting: { readonly call: Received; readonly answer: FakeAnswer }[] = [];
/** Streams of the sessions at the old server, by its own session ids. */
const streams = new Map<string, FakeAnswer>();

function oldServer(call: Received, answer: FakeAnswer): boolean | undefined {
  if (call.verb === 'GET') {
    streams.set(String(call.headers['mcp-session-id']), answer);
    answer.event({ id: 'open' });
    return true;
  }
  if (call.method === 'resources/subscribe' || call.method === 'logging/setLevel') return json(answer, {});
  if (call.method !== 'tools/call') return undefined;
  if (call.params.name === 'slow') return waiting.push({ call, answer }) > 0;
  if (call.params.name !== 'ask') return undefined;
  answer.event({ message: { id: 'question', method: 'elicitation/create', params: form } });
  waiting.push({ call, answer });
  return true;
}

function youngServer(call: Received, answer: FakeAnswer): boolean | undefined {
  const { method, params } = call;
  if (method === 'tasks/get') return json(answer, { taskId: params.taskId, status: 'working' });
  if (method !== 'tools/call' && method !== 'prompts/get') return undefined;
  if (params.name === 'slow') return waiting.push({ call, answer }) > 0;
  if (params.name === 'task') return json(answer, { resultType: 'task', taskId: 'task-1', status: 'working' });
  if (params.name !== 'ask') return undefined;
  if (params.requestState !== undefined)
    return json(answer, { content: [{ type: 'text', text: params.requestState }] });
  const inputRequests = { q: { method: 'elicitation/create', params: form } };
  return json(answer, { resultType: 'input_required', requestState: 'secret of the server', inputRequests });
}

function metaOf(call: Received | undefined): JsonObject {
  return (call?.params._meta ?? {}) as JsonObject;
}

function json(answer: FakeAnswer, result: object): boolean {
  answer.json(JSON.stringify(result));
  return true;
}

beforeAll(async () => {
  old = await startServer({ eras: ['legacy'], lists, capabilities, on: oldServer });
  young = await startServer({ eras: ['modern'], lists, capabilities, on: youngServer });
  world = await startWorld({ old: { address: old.url }, young: { address: young.url } });
  ann = { url: world.mcp, token: await world.mint('ann') };
  bob = { url: world.mcp, token: await world.mint('bob') };
});
beforeEach(() => waiting.splice(0));
afterAll(endAll);

const varying = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|"id":\d+/g;
const told = ({ status, text }: Reply): object => ({ status, text: text.replaceAll(varying, '') });

describe('a session', () => {
  it('of somebody else is no session, whatever is done with its id', async () => {
    const hers = await connectLegacy(ann, able);
    const stolen = legacySession(bob, hers.id);
    const madeUp = legacySession(bob, 'made-up');
    const deeds: readonly ((session: Legacy) => Promise<Reply>)[] = [
      (session) => session.ask('tools/list'),
      (session) => session.ask('ping'),
      (session) => session.ask('tools/call', { name: 'old.other', arguments: {} }),
      (session) => session.ask('logging/setLevel', { level: 'debug' }),
      (session) => session.ask('resources/subscribe', { uri: 'old+a://x' }),
      (session) => session.send({ method: 'notifications/cancelled', params: { requestId: 1 } }),
      (session) => session.send({ method: 'notifications/initialized' }),
      (session) => session.send({ id: 'ask-1', result: { action: 'accept' } }),
      (session) => session.send({ nonsense: true }),
    ];
    for (const deed of deeds) expect(told(await deed(stolen))).toEqual(told(await deed(madeUp)));
    for (const id of [undefined, '0-0', '1-1']) {
      expect((await stolen.listen(id)).status).toBe((await madeUp.listen(id)).status);
    }
    const end = (id: string): Promise<Response> =>
      fetch(bob.url, { method: 'DELETE', headers: { Authorization: `Bearer ${bob.token}`, 'Mcp-Session-Id': id } });
    expect((await end(hers.id)).status).toBe((await end('made-up')).status);
    expect((await hers.ask('ping')).status).toBe(200);
  });

  it('of a WebSocket belongs to whoever began it, though others send messages on it', async () => {
    const socket = new WebSocket(`${world.mcp.replace('http', 'ws')}/ws`);
    atEnd(() => socket.terminate());
    await once(socket, 'open');
    const ask = async ({ token }: Target, id: number, method: string, params: JsonObject = {}): Promise<Answer> => {
      socket.send(JSON.stringify({ jsonrpc: '2.0', id, method, params: { ...params, _token: token } }));
      const [data] = await once(socket, 'message');
      return JSON.parse(String(data)) as Answer;
    };
    const clientInfo = { name: 'redteam', version: '1' };
    const begun = await ask(ann, 1, 'initialize', { protocolVersion: '2025-11-25', capabilities: able, clientInfo });
    expect(begun.result).toBeDefined();
    const call = { name: 'old.other', arguments: {} };
    expect((await ask(ann, 2, 'tools/call', call)).result).toBeDefined();
    const before = old.of('tools/call').length;
    expect((await ask(bob, 3, 'tools/call', call)).error?.data.reason).toBe('unknown_session');
    expect((await ask(bob, 4, 'logging/setLevel', { level: 'debug' })).error?.data.reason).toBe('unknown_session');
    expect(old.of('tools/call')).toHaveLength(before);
  });

  it('at a server is another one for each session, and for each who has none', async () => {
    const call = { name: 'old.other', arguments: {} };
    const before = old.received.length;
    const [one, two, his] = [await connectLegacy(ann), await connectLegacy(ann), await connectLegacy(bob)];
    for (const session of [one, two, his]) await session.ask('tools/call', call);
    for (const target of [ann, bob]) await askModern(target, 'tools/call', call);
    const calls = old.received.slice(before).filter(({ method }) => method === 'tools/call');
    expect(new Set(calls.map(({ headers }) => headers['mcp-session-id'])).size).toBe(5);
  });

  it('has a log level of its own, at the server too', async () => {
    const [hers, his] = [await connectLegacy(ann), await connectLegacy(bob)];
    await hers.ask('logging/setLevel', { level: 'debug' });
    for (const session of [hers, his]) await session.ask('tools/call', { name: 'old.other', arguments: {} });
    const levels = old.of('logging/setLevel').map(({ headers }) => headers['mcp-session-id']);
    const calls = old.of('tools/call').map(({ headers }) => headers['mcp-session-id']);
    expect(levels).toContain(calls.at(-2));
    expect(levels).not.toContain(calls.at(-1));
  });
});

describe('what a server says on the stream of a session', () => {
  it('in the course of one caller’s call is not heard by another', async () => {
    const [hers, his] = [await connectLegacy(ann), await connectLegacy(bob)];
    const heard = { hers: (await hers.listen()).heard, his: (await his.listen()).heard };
    const said: unknown[] = [];
    const calls = [hers, his].map((session) =>
      session.follow('tools/call', { name: 'old.slow', arguments: {} }, (message) => {
        if (session === his) said.push(message);
      }),
    );
    await eventually(() => expect(waiting).toHaveLength(2));
    const [first] = waiting.map(({ call }) => String(call.headers['mcp-session-id']));
    const owners = waiting.map(({ call }) => streams.get(String(call.headers['mcp-session-id'])));
    await eventually(() => expect(streams.has(first ?? '')).toBe(true));
    const message = { method: 'notifications/message', params: { level: 'error', data: 'for one ear' } };
    for (const stream of owners.slice(0, 1)) stream?.event({ message });
    await sleep(50);
    for (const { answer } of waiting) answer.json('{"content":[]}');
    const replies = await Promise.all(calls);
    const ears = [...replies.map(({ text }) => text), JSON.stringify(heard.hers), JSON.stringify(heard.his)];
    expect(ears.filter((text) => text.includes('for one ear')).length).toBeLessThanOrEqual(1);
    expect(said.length + heard.his.length).toBeLessThanOrEqual(2);
  });
});

describe('a call', () => {
  it.each(['old', 'young'])(
    'at the %s server is not cancelled by somebody else who uses the same id',
    async (service) => {
      const [hers, his] = [await connectLegacy(ann), await connectLegacy(bob)];
      const answered = hers.send({ id: 7, method: 'tools/call', params: { name: `${service}.slow`, arguments: {} } });
      await eventually(() => expect(waiting).toHaveLength(1));
      await his.send({ method: 'notifications/cancelled', params: { requestId: 7 } });
      await askModern(bob, 'notifications/cancelled', { requestId: 7 }).catch(() => undefined);
      await sleep(50);
      waiting[0]?.answer.json('{"content":[]}');
      expect((await answered).last.result.content).toEqual([]);
    },
  );

  it.each(['old', 'young'])(
    'at the %s server hears its own progress, though others use the same token',
    async (service) => {
      const meta = { progressToken: 'mine' };
      const call = { name: `${service}.slow`, arguments: {} };
      const both = [askModern(ann, 'tools/call', call, { meta }), askModern(bob, 'tools/call', call, { meta })];
      await eventually(() => expect(waiting).toHaveLength(2));
      const [first, second] = waiting;
      const tokenOf = (call: Received | undefined): unknown => metaOf(call).progressToken;
      const params = { progressToken: tokenOf(second?.call), progress: 1 };
      first?.answer.event({ message: { method: 'notifications/progress', params } });
      for (const each of waiting) each.answer.final({ content: [each === first ? 'first' : 'second'] });
      for (const { messages, last } of await Promise.all(both)) {
        const isFirst = last.result.content[0] === 'first';
        if (isFirst) expect(messages).toHaveLength(1);
      }
      expect(tokenOf(first?.call)).not.toEqual(tokenOf(second?.call));
    },
  );
});

describe('the state of a question', () => {
  const accepted = { q: { action: 'accept', content: {} }, q1: { action: 'accept', content: {} } };

  it.each(['old', 'young'])(
    'that the %s server asked is good for its caller, tool and arguments alone',
    async (service) => {
      const call = { name: `${service}.ask`, arguments: { sum: 1 } };
      const ask = (target: Target, params: JsonObject, method = 'tools/call'): Promise<Reply> =>
        askModern(target, method, params, { capabilities: able });
      const { last } = await ask(ann, call);
      const { requestState } = last.result;
      expect(requestState).toMatch(/^s1\./);
      const retry = { ...call, requestState, inputResponses: accepted };
      const forged: readonly (readonly [Target, JsonObject, string?])[] = [
        [bob, retry],
        [ann, { ...retry, arguments: { sum: 1_000 } }],
        [ann, { ...retry, arguments: { sum: 1.0, more: 1 } }],
        [ann, { ...retry, name: `${service}.other` }],
        [ann, { ...retry, name: 'old.other' }],
        [ann, { name: `${service}.ask`, arguments: {}, requestState, inputResponses: accepted }],
        [ann, { ...retry, requestState: `${requestState}A` }],
        [ann, { ...retry, requestState: requestState.slice(0, -1) }],
        [ann, { ...retry, requestState: 'parked:AAAAAAAAAAAAAAAAAAAAAA' }],
        [ann, { ...retry, requestState: 'secret of the server' }],
        [ann, { ...retry, requestState: '' }],
        [ann, { name: `${service}.ask`, requestState, inputResponses: accepted }, 'prompts/get'],
      ];
      for (const [target, params, method] of forged) {
        expect((await ask(target, params, method)).last.error.data.reason, JSON.stringify(params)).toBe(
          'state_invalid',
        );
      }
      if (service === 'young') expect((await ask(ann, retry)).last.result.content[0].text).toBe('secret of the server');
    },
  );

  it('of a parked call is good once', async () => {
    const call = { name: 'old.ask', arguments: {} };
    const { last } = await askModern(ann, 'tools/call', call, { capabilities: able });
    const retry = { ...call, requestState: last.result.requestState, inputResponses: accepted };
    const again = (): Promise<Reply> => askModern(ann, 'tools/call', retry, { capabilities: able });
    const first = again();
    await eventually(() => expect(old.received.at(-1)?.body).toContain('accept'));
    expect((await again()).last.error.data.reason).toBe('parked_elsewhere');
    waiting[0]?.answer.final({ content: [] });
    expect((await first).last.result.content).toEqual([]);
  });
});

describe('an answer', () => {
  it.each([5, 'accept', null, true, [], [{ action: 'accept' }]])(
    'that is %j reaches the server that asked as a refusal',
    async (answer) => {
      const call = { name: 'old.ask', arguments: {} };
      const { last } = await askModern(ann, 'tools/call', call, { capabilities: able });
      const { requestState } = last.result;
      const retry = { ...call, requestState, inputResponses: { q1: answer } };
      const after = old.received.length;
      const answered = askModern(ann, 'tools/call', retry, { capabilities: able });
      const sent = () => old.received.slice(after).find(({ body }) => body.includes('"id":"question"'))?.body;
      await eventually(() => expect(sent()).toBeDefined());
      expect(JSON.parse(sent() ?? '')).toMatchObject({ id: 'question', error: { code: -32602 } });
      waiting.at(-1)?.answer.final({ content: [] });
      expect((await answered).status).toBe(200);
    },
  );
});

describe('a task', () => {
  it('of somebody else is none', async () => {
    const tasks = { extensions: { 'io.modelcontextprotocol/tasks': {} } };
    const { last } = await askModern(ann, 'tools/call', { name: 'young.task', arguments: {} }, { capabilities: tasks });
    const { taskId } = last.result;
    expect(taskId).not.toContain('task-1');
    const get = (target: Target, id: string, method = 'tasks/get'): Promise<Reply> =>
      askModern(target, method, { taskId: id }, { capabilities: tasks });
    expect((await get(ann, taskId)).last.result.status).toBe('working');
    for (const method of ['tasks/get', 'tasks/cancel', 'tasks/update']) {
      const stolen = told(await get(bob, taskId, method));
      for (const madeUp of ['task-1', `${taskId}A`, 's1.AAAA', '']) {
        expect(told(await get(bob, madeUp, method)), `${method} ${madeUp}`).toEqual(stolen);
      }
    }
    expect(young.received.filter(({ method }) => method.startsWith('tasks/'))).toHaveLength(1);
  });

  it('cannot be listened to by somebody else', async () => {
    const tasks = { extensions: { 'io.modelcontextprotocol/tasks': {} } };
    const made = await askModern(ann, 'tools/call', { name: 'young.task', arguments: {} }, { capabilities: tasks });
    const notifications = { taskIds: [made.last.result.taskId] };
    const listen = await askModern(bob, 'subscriptions/listen', { notifications }, { capabilities: tasks });
    expect(listen.messages[0].params.notifications).toEqual({});
  });
});

describe('what a client says of itself', () => {
  it('in _meta cannot be taken for what the gateway says of it', async () => {
    const claimed = {
      ...{ 'dev.sallyport/account': 'root', 'dev.sallyport/traceId': 'x', baggage: 'user=root', kept: 1 },
      ...{ 'io.modelcontextprotocol/serverInfo': { name: 'forged' }, 'io.modelcontextprotocol/x': 1 },
      ...{ traceparent: '00-00000000000000000000000000000001-0000000000000001-01', tracestate: 'a=b\r\nx-evil: 1' },
    };
    for (const service of ['old', 'young']) {
      await askModern(ann, 'tools/call', { name: `${service}.other`, arguments: {} }, { meta: claimed });
      const server = service === 'old' ? old : young;
      const received = server.of('tools/call').at(-1);
      const meta = metaOf(received);
      const kept = Object.keys(meta);
      const own = ['protocolVersion', 'clientInfo', 'clientCapabilities'].map(
        (key) => `io.modelcontextprotocol/${key}`,
      );
      expect(kept.filter((key) => !own.includes(key)).sort()).toEqual(['kept', 'traceparent']);
      expect(
        Object.keys(received?.headers ?? {}).filter((name) => /evil|baggage|authorization|forwarded/.test(name)),
      ).toEqual([]);
      expect(JSON.stringify(meta)).not.toContain('redteam');
    }
  });

  it.each([
    'Dev.Sallyport/account',
    'dev.sallyport\u017f/x',
    'PROGRESSTOKEN',
    'Io.modelcontextprotocol/clientCapabilities',
  ])('is refused where %s might be read as something else, or means nothing', async (key) => {
    const before = young.of('tools/call').length;
    const reply = await askModern(ann, 'tools/call', { name: 'young.other', arguments: {} }, { meta: { [key]: 1 } });
    const sent = young
      .of('tools/call')
      .slice(before)
      .map(({ body }) => body);
    expect(reply.status === 400 || !JSON.stringify(sent).toLowerCase().includes('dev.sallyport/')).toBe(true);
  });
});
