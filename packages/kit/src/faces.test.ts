import { Client, ProtocolError, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import fc from 'fast-check';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { createHopFolder, type GatewayEnd, listenAsGateway } from './hop/gateway.fixture.ts';
import { type Listening, type Service, service, ToolError } from './index.ts';

const token = 'a-token-of-this-test';
const log = pino({ level: 'silent' });
const closing: (() => unknown)[] = [];
let tasks: Service;
let gateway: GatewayEnd;
let listening: Listening;
let legacy: Client;
let modern: Client;

function createService(): Service {
  const created = service('tasks', { version: '1.0.0', log });
  const item = z.object({ title: z.string().min(1).max(20), tags: z.array(z.string()).optional() });
  created
    .tool('Item.Echo', { description: 'Echoes.', input: item, output: item }, (input) => input)
    .tool('Item.Loose', { description: 'No output schema.', input: item }, ({ title }) => title)
    .tool('Item.Nothing', { description: 'Returns nothing.', input: item }, () => undefined)
    .tool('Item.Later', { description: 'Takes a turn.', input: item, output: item }, async (input) => {
      await new Promise((resolve) => setImmediate(resolve));
      return input;
    })
    .tool('Item.Refuse', { description: 'Refuses.', input: item }, ({ title }) => {
      throw new ToolError('failed_precondition', `Not "${title}".`);
    })
    .tool('Item.Crash', { description: 'Crashes.', input: item }, ({ title }) => {
      throw new Error(`secret ${title}`);
    })
    .tool('Item.Reject', { description: 'Crashes later.', input: item }, async () => {
      await Promise.resolve();
      throw 'not even an error';
    })
    .tool(
      'Item.Wrong',
      { description: 'Breaks its promise.', input: item, output: z.object({ n: z.number() }) },
      () => ({ n: 'secret' }) as never,
    )
    .tool('Item.Unprintable', { description: 'Returns no JSON.', input: item }, () => 1n)
    .tool('Item.Slow', { description: 'Never ends.', input: item, timeoutMs: 30 }, (_, { signal }) => {
      return new Promise((resolve) => signal.addEventListener('abort', resolve));
    })
    .tool(
      'Item.Raw',
      {
        description: 'JSON Schema, no library.',
        input: { jsonSchema: { type: 'object', required: ['title'], properties: { title: { type: 'string' } } } },
      },
      (input) => input,
    );
  return created;
}

beforeAll(async () => {
  const hop = createHopFolder('tasks');
  const server = await listenAsGateway(hop.socket, hop.credential);
  tasks = createService();
  const { credentialFile } = hop;
  listening = await tasks.listen({
    hop: `unix:${hop.socket}`,
    credentialFile,
    signals: false,
    mcp: { port: 0, token },
  });
  gateway = server.ends[0]!;
  closing.push(
    hop.remove,
    () => server.close(),
    () => tasks.close(),
  );
  legacy = await connectClient({});
  modern = await connectClient({ versionNegotiation: { mode: { pin: '2026-07-28' } } });
});
afterAll(async () => {
  for (const close of closing.reverse()) await close();
});

async function connectClient(options: ConstructorParameters<typeof Client>[1]): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' }, options);
  const requestInit = { headers: { Authorization: `Bearer ${token}` } };
  await client.connect(new StreamableHTTPClientTransport(new URL(listening.mcpUrl!), { requestInit }));
  closing.push(() => client.close());
  return client;
}

async function overHop(name: string, args: object): Promise<unknown> {
  const frame = await gateway.call(name, args, name === 'Item.Slow' ? { timeoutMs: 30 } : {});
  if (frame.kind === 'result') return JSON.parse(frame.resultText);
  return frame.kind === 'error' ? frame.error : frame;
}

async function overMcp(client: Client, name: string, args: any): Promise<unknown> {
  try {
    const { _meta, resultType, ...result } = (await client.callTool({ name, arguments: args })) as any;
    // What the SDK says of itself is about the connection, not about the answer.
    const meta = Object.entries(_meta ?? {}).filter(([key]) => !key.startsWith('io.modelcontextprotocol/'));
    return meta.length === 0 ? result : { ...result, _meta: Object.fromEntries(meta) };
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return { code: error.code, message: error.message, data: error.data };
  }
}

const names = [
  ...[
    'Item.Echo',
    'Item.Loose',
    'Item.Nothing',
    'Item.Later',
    'Item.Refuse',
    'Item.Crash',
    'Item.Reject',
    'Item.Wrong',
  ],
  ...['Item.Unprintable', 'Item.Slow', 'Item.Raw', 'Item.Unknown', '', '__proto__'],
];
const args = fc.oneof(
  fc.record(
    { title: fc.string({ minLength: 1, maxLength: 20 }), tags: fc.array(fc.string()) },
    { requiredKeys: ['title'] },
  ),
  fc.dictionary(fc.constantFrom('title', 'tags', 'x', '__proto__'), fc.jsonValue()),
);

test('both faces give the same answer to every call, in both eras', async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...names), args, async (name, value) => {
      const sent = JSON.parse(JSON.stringify(value));
      const expected = await overHop(name, sent);
      expect(await overMcp(modern, name, sent)).toEqual(expected);
      expect(await overMcp(legacy, name, sent)).toEqual(expected);
      expect(JSON.stringify(expected)).not.toContain('secret');
    }),
    { numRuns: 150, examples: names.map((name) => [name, { title: 'secret'.slice(0, 3) }] as [string, any]) },
  );
});

test('both faces show the same tools', async () => {
  const { tools } = await tasks.manifest();
  for (const client of [legacy, modern]) {
    const listed = await client.listTools();
    expect(listed.tools.map(({ name, description }) => ({ name, description }))).toEqual(
      tools.map(({ name, description }) => ({ name, description })),
    );
  }
});

test('the MCP endpoint refuses whoever has no token, browsers and foreign names', async () => {
  const url = new URL(listening.mcpUrl!);
  expect(url.hostname).toBe('127.0.0.1');
  const body = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}';
  const send = async (headers: Record<string, string>, path = url) =>
    (await fetch(path, { method: 'POST', headers: { 'Content-Type': 'application/json', ...headers }, body })).status;
  expect(await send({})).toBe(401);
  expect(await send({ Authorization: 'Bearer wrong' })).toBe(401);
  expect(await send({ Authorization: `bearer ${token} ` })).toBe(401);
  expect(await send({ Authorization: `Bearer ${token}`, Origin: 'https://evil.example' })).toBe(403);
  expect(await send({ Authorization: `Bearer ${token}` }, new URL('/other', url))).toBe(404);
  await expect(createService().listen({ signals: false, mcp: { port: 0, token: 'short' } })).rejects.toThrow('token');
});
