// biome-ignore-all lint/suspicious/noExplicitAny: tests look into what they receive without declaring it
import { Client, ProtocolError, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { type HopMethod, type JsonObject, tasksExtension } from '@sallyport/protocol';
import fc from 'fast-check';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { createHopFolder, type GatewayEnd, listenAsGateway } from './hop/gateway.fixture.ts';
import { type Listening, type Service, service, ToolError } from './index.ts';
import { meantBy } from './meaning.ts';

const token = 'a-token-of-this-test';
const log = pino({ level: 'silent' });
const closing: (() => unknown)[] = [];
const about = { description: 'For tests.' };
const canAsk = { elicitation: { form: {}, url: {} }, sampling: {}, roots: {} };
const accept = { action: 'accept', content: { name: 'Ada' } };
const sampled = { role: 'assistant', model: 'm', content: { type: 'text', text: 'Because.' } };
let library: Service;
let gateway: GatewayEnd;
let listening: Listening;
let legacy: Client;
let modern: Client;

function createService(): Service {
  const name = z.object({ name: z.string() });
  const complete = (value: string) => ['b1', 'b2'].filter((id) => id.startsWith(value));
  return service('library', { version: '1.0.0', log })
    .prompt('greet', { ...about, arguments: { who: { required: true, complete } } }, ({ who }) => `Greet ${who}.`)
    .prompt(
      'ask',
      about,
      async (_, ctx) => `Hello ${(await ctx.elicit({ message: 'Who?', schema: name })).content?.name}`,
    )
    .prompt('crash', about, () => {
      throw new Error('secret');
    })
    .resource('library://rules', { name: 'Rules', mimeType: 'text/plain', ...about, subscribe: true }, () => 'Quiet.')
    .resource('library://ask', { name: 'Ask', ...about }, async (ctx) => JSON.stringify(await ctx.roots()))
    .resourceTemplate('library://books/{id}', { name: 'Book', ...about, complete: { id: complete } }, ({ id }) => {
      if (id === 'gone') throw new ToolError('not_found', 'That book is gone.');
      return Uint8Array.from([...id].map((char) => char.charCodeAt(0)));
    })
    .tool('Desk.Ask', { ...about, input: z.object({}) }, async (_, ctx) => {
      ctx.progress({ progress: 1 });
      ctx.logToCaller('info', { step: 1 }, 'desk');
      ctx.logToCaller('debug', 'too little');
      const [who, why] = await Promise.all([
        ctx.elicit({ message: 'Who?', schema: name }),
        ctx.sample({ messages: [{ role: 'user', content: { type: 'text', text: 'Why?' } }], maxTokens: 5 }),
      ]);
      const visit = await ctx.elicit({ message: 'Sign in.', url: 'https://library.example/login' });
      ctx.progress({ progress: 2 });
      return { who: who.content, why: why.content, visit: visit.action };
    })
    .tool('Desk.Long', { ...about, input: z.object({}), task: 'optional' }, async (_, ctx) => {
      const { content } = await ctx.elicit({ message: 'Who?', schema: name });
      return { content };
    })
    .tool('Desk.Must', { ...about, input: z.object({}), task: 'required' }, () => 'done');
}

beforeAll(async () => {
  const hop = createHopFolder('library');
  const server = await listenAsGateway(hop.socket, hop.credential);
  library = createService();
  listening = await library.listen({
    hop: `unix:${hop.socket}`,
    credentialFile: hop.credentialFile,
    signals: false,
    mcp: { port: 0, token },
  });
  gateway = server.ends[0]!;
  closing.push(
    hop.remove,
    () => server.close(),
    () => library.close(),
  );
  legacy = await connectClient({});
  modern = await connectClient({ versionNegotiation: { mode: { pin: '2026-07-28' } } });
});
afterAll(async () => {
  for (const close of closing.reverse()) await close();
});

async function connectClient(options: ConstructorParameters<typeof Client>[1], capabilities: object = canAsk) {
  const client = new Client({ name: 'test', version: '1' }, { ...options, capabilities: capabilities as any });
  const can = capabilities as Partial<typeof canAsk>;
  if (can.elicitation) client.setRequestHandler('elicitation/create', () => accept as any);
  if (can.sampling) client.setRequestHandler('sampling/createMessage', () => sampled as any);
  if (can.roots) client.setRequestHandler('roots/list', () => ({ roots: [{ uri: 'file:///work' }] }));
  const requestInit = { headers: { Authorization: `Bearer ${token}` } };
  await client.connect(new StreamableHTTPClientTransport(new URL(listening.mcpUrl!), { requestInit }));
  closing.push(() => client.close());
  return client;
}

/** Calls as a gateway does, and answers what is asked. */
async function overHop(method: HopMethod, params: JsonObject): Promise<unknown> {
  const { tool, arguments: args } = meantBy(method, params);
  const texts = { capabilitiesText: JSON.stringify(canAsk) };
  let frame = await gateway.call(tool, args, { method, ...texts });
  for (;;) {
    if (frame.kind === 'error') return frame.error;
    if (frame.kind !== 'result') return frame;
    const result = JSON.parse(frame.resultText);
    if (result.resultType !== 'input_required') return result;
    const answers = Object.entries<any>(result.inputRequests).map(([key, request]) => [key, answerTo(request.method)]);
    const inputResponsesText = JSON.stringify(Object.fromEntries(answers));
    const retry = { requestState: result.requestState, inputResponsesText };
    frame = await gateway.call(tool, args, { method, ...texts, retry });
  }
}

function answerTo(method: string): object {
  if (method === 'roots/list') return { roots: [{ uri: 'file:///work' }] };
  return method === 'elicitation/create' ? accept : sampled;
}

async function overMcp(client: Client, method: HopMethod, params: JsonObject): Promise<unknown> {
  try {
    const { _meta, resultType, ttlMs, cacheScope, ...result } = (await client.request({
      method,
      params,
    } as any)) as any;
    // What the SDK says of itself is about the connection, not about the answer.
    const meta = Object.entries(_meta ?? {}).filter(([key]) => !key.startsWith('io.modelcontextprotocol/'));
    return meta.length === 0 ? result : { ...result, _meta: Object.fromEntries(meta) };
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return { code: error.code, message: error.message, data: error.data };
  }
}

const word = fc.constantFrom('greet', 'ask', 'crash', 'b', 'b1', 'gone', 'who', 'id', 'x', '');
const uri = fc.oneof(
  fc.constantFrom('library://rules', 'library://ask', 'library://books/b1', 'library://books/gone', 'library://books/'),
  fc.constantFrom('library://books/a%2Fb', 'library://books/%zz', 'library://books/a/b', 'library://x', 'x'),
);
const requests = fc.oneof(
  fc.record({
    method: fc.constant('prompts/get' as HopMethod),
    params: fc.record({ name: word, arguments: fc.dictionary(word, word) }),
  }),
  fc.record({ method: fc.constant('resources/read' as HopMethod), params: fc.record({ uri }) }),
  fc.record({
    method: fc.constant('completion/complete' as HopMethod),
    params: fc.record({
      ref: fc.oneof(
        word.map((name) => ({ type: 'ref/prompt', name })),
        fc.constantFrom('library://books/{id}', 'library://x').map((each) => ({ type: 'ref/resource', uri: each })),
      ),
      argument: fc.record({ name: word, value: word }),
    }),
  }),
);

test('both faces answer every method alike, in both eras', async () => {
  const example = (method: HopMethod, params: JsonObject): [{ method: HopMethod; params: any }] => [{ method, params }];
  await fc.assert(
    fc.asyncProperty(requests, async ({ method, params }) => {
      const expected = await overHop(method, params as JsonObject);
      expect(await overMcp(modern, method, params as JsonObject)).toEqual(expected);
      expect(await overMcp(legacy, method, params as JsonObject)).toEqual(expected);
      expect(JSON.stringify(expected)).not.toContain('secret');
    }),
    {
      numRuns: 150,
      examples: [
        example('prompts/get', { name: 'greet', arguments: { who: 'Ada' } }),
        example('prompts/get', { name: 'ask', arguments: {} }),
        example('resources/read', { uri: 'library://ask' }),
        example('resources/read', { uri: 'library://books/b1' }),
      ],
    },
  );
});

test('both faces ask their callers, tell them of progress and log for those who want it', async () => {
  const expected = {
    content: [{ type: 'text', text: expect.any(String) }],
    structuredContent: { who: { name: 'Ada' }, why: { type: 'text', text: 'Because.' }, visit: 'accept' },
  };
  expect(await overHop('tools/call', { name: 'Desk.Ask', arguments: {} })).toMatchObject(expected);
  for (const client of [legacy, modern]) {
    const heard: unknown[] = [];
    client.setNotificationHandler('notifications/message', ({ params }) => void heard.push(params));
    if (client === legacy) await client.setLoggingLevel('info');
    const _meta = client === modern ? { 'io.modelcontextprotocol/logLevel': 'info' } : {};
    const onprogress = ({ progress }: { progress: number }) => heard.push(progress);
    const result = await client.callTool({ name: 'Desk.Ask', arguments: {}, _meta }, { onprogress });
    expect(result).toMatchObject(expected);
    expect(heard).toEqual(expect.arrayContaining([1, 2, { level: 'info', data: { step: 1 }, logger: 'desk' }]));
    expect(JSON.stringify(heard)).not.toContain('too little');
  }
  const notice = gateway.next((frame) => frame.kind === 'notification' && frame.method === 'log');
  const texts = { capabilitiesText: JSON.stringify(canAsk), logLevel: 'info' };
  await gateway.call('Desk.Ask', {}, texts);
  expect(await notice).toMatchObject({ params: { level: 'info', data: { step: 1 }, logger: 'desk' } });
});

test('callers that cannot be asked are not asked, on either face', async () => {
  const expected = { code: -32603, message: 'The tool failed.', data: { reason: 'internal' } };
  const frame = await gateway.call('Desk.Ask', {});
  expect(frame).toMatchObject({ kind: 'error', error: expected });
  for (const options of [{}, { versionNegotiation: { mode: { pin: '2026-07-28' } } } as const]) {
    const mute = await connectClient(options, {});
    expect(await overMcp(mute, 'tools/call', { name: 'Desk.Ask', arguments: {} })).toEqual(expected);
  }
});

test('a client of the old era that does not answer has cancelled a form; its call goes on', async () => {
  const silent = await connectClient({});
  silent.setRequestHandler('elicitation/create', () => {
    throw new Error('not now');
  });
  const result = await silent.request({ method: 'prompts/get', params: { name: 'ask' } });
  expect(result).toMatchObject({ messages: [{ content: { text: 'Hello undefined' } }] });
});

test('both faces list the same, and say what they can', async () => {
  const { prompts, resources, templates } = await library.manifest();
  for (const client of [legacy, modern]) {
    expect((await client.listPrompts()).prompts).toEqual(prompts);
    expect((await client.listResources()).resources).toEqual(resources);
    expect((await client.listResourceTemplates()).resourceTemplates).toEqual(templates);
    expect(client.getServerCapabilities()).toMatchObject({
      prompts: {},
      resources: { subscribe: true },
      completions: {},
      logging: {},
    });
  }
});

test('whoever asked to be told of a resource is told, on both faces', async () => {
  const heard: string[] = [];
  for (const [name, client] of Object.entries({ legacy, modern })) {
    client.setNotificationHandler(
      'notifications/resources/updated',
      ({ params }) => void heard.push(`${name} ${params.uri}`),
    );
  }
  await legacy.subscribeResource({ uri: 'library://rules' });
  const subscription = await modern.listen({ resourceSubscriptions: ['library://rules'] });
  const onHop = gateway.next((frame) => frame.kind === 'notification' && frame.method === 'updated');
  await vi.waitFor(() => {
    library.resourceUpdated('library://rules');
    expect(new Set(heard)).toEqual(new Set(['legacy library://rules', 'modern library://rules']));
  }, 15_000);
  expect(await onHop).toMatchObject({ params: { uri: 'library://rules' } });
  await legacy.unsubscribeResource({ uri: 'library://rules' });
  await subscription.close();
  heard.length = 0;
  library.resourceUpdated('library://rules');
  library.resourceUpdated('library://ask');
  await legacy.ping();
  expect(heard).toEqual([]);
});

async function post(method: string, params: object, { headers = {}, extensions = { [tasksExtension]: {} } } = {}) {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': { elicitation: {}, extensions },
  };
  const { name, taskId } = params as { name?: string; taskId?: string };
  const response = await fetch(listening.mcpUrl!, {
    method: 'POST',
    headers: {
      Authorization: `Bearer ${token}`,
      'Content-Type': 'application/json',
      Accept: 'application/json, text/event-stream',
      'MCP-Protocol-Version': '2026-07-28',
      'Mcp-Method': method,
      'Mcp-Name': name ?? taskId ?? '',
      ...headers,
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { ...params, _meta } }),
  });
  return ((await response.json()) as any) ?? {};
}

test('tasks can be made and asked about on both faces, whichever made them', async () => {
  const knowing = { capabilitiesText: JSON.stringify({ elicitation: {}, extensions: { [tasksExtension]: {} } }) };
  const { result: made } = await post('tools/call', { name: 'Desk.Long', arguments: {} });
  expect(made).toMatchObject({ resultType: 'task', status: 'working', taskId: expect.stringContaining('~') });
  expect(made).not.toHaveProperty('content');
  const { taskId } = made;
  await vi.waitFor(async () => {
    const { result } = await post('tasks/get', { taskId });
    expect(result).toMatchObject({ resultType: 'complete', status: 'input_required' });
  }, 15_000);
  const { result: ack } = await post('tasks/update', { taskId, inputResponses: { q1: accept } });
  expect(ack).toMatchObject({ resultType: 'complete' });
  await vi.waitFor(async () => {
    const { result } = await post('tasks/get', { taskId });
    expect(result).toMatchObject({ status: 'completed', result: { structuredContent: { content: { name: 'Ada' } } } });
  }, 15_000);
  expect(await post('tasks/get', { taskId }, { headers: { 'Mcp-Name': 'other' } })).toMatchObject({
    error: { code: -32020 },
  });
  expect(await post('tasks/get', { taskId }, { extensions: {} as never })).toMatchObject({ error: { code: -32021 } });
  expect(await post('tasks/get', { taskId: 'x' })).toMatchObject({ error: { code: -32602, message: 'Unknown task.' } });
  expect(await post('tools/call', { name: 'Desk.Must' }, { extensions: {} as never })).toMatchObject({
    error: { code: -32021, data: { requiredCapabilities: { extensions: { [tasksExtension]: {} } } } },
  });
  expect(await post('tasks/list', {})).toMatchObject({ error: { code: -32601 } });

  const heard = gateway.next((frame) => frame.kind === 'notification' && frame.method === 'task');
  const frame = await gateway.call('Desk.Must', {}, knowing);
  const onHop = frame.kind === 'result' ? JSON.parse(frame.resultText) : frame;
  expect(await heard).toMatchObject({ params: { taskId: expect.any(String) } });
  await vi.waitFor(async () => {
    const got = await gateway.call('Desk.Must', { taskId: onHop.taskId }, { method: 'tasks/get', ...knowing });
    expect(got.kind === 'result' && JSON.parse(got.resultText)).toMatchObject({ status: 'completed' });
  }, 15_000);
  const other = await gateway.call('Desk.Long', { taskId: onHop.taskId }, { method: 'tasks/get', ...knowing });
  expect(other).toMatchObject({ error: { data: { reason: 'unknown_task' } } });
});
