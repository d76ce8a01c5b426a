import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { type Authenticator, notResponsible } from '@sallyport/core';
import { callbackAuditLog, createGateway } from '@sallyport/gateway';
import { type Service, service } from '@sallyport/kit';
import { metaKeys, tasksExtension } from '@sallyport/protocol';
import { fakePrincipal } from '@sallyport/testkit';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { createAnnounceRegistry } from '../../packages/gateway/src/registry/announce.ts';
import { fakeCredential } from '../../packages/gateway/src/registry/testing/fake-service.ts';
import { createKitUpstream } from '../../packages/gateway/src/upstream/kit.ts';

const eventually = <T>(check: () => T | Promise<T>) => vi.waitFor(check, 15_000);
const log = pino({ level: 'silent' });
const cleanups: (() => unknown)[] = [];
const about = { description: 'For tests.' };
const name = z.object({ name: z.string() });
let url: URL;
let library: Service;

const byToken: Authenticator = {
  authenticate: ({ presented }) =>
    presented.kind === 'bearer'
      ? fakePrincipal({ subject: presented.token, scopes: presented.token === 'reader' ? [] : ['rules:read'] })
      : notResponsible,
};

function createLibrary(): Service {
  const complete = (value: string) => ['b1', 'b2'].filter((id) => id.startsWith(value));
  return service('library', { version: '1.0.0', log })
    .prompt('greet', { ...about, arguments: { who: { required: true, complete } } }, ({ who }) => `Greet ${who}.`)
    .resource(
      'library://rules',
      { name: 'Rules', ...about, subscribe: true, scopes: ['rules:read'] },
      (ctx) => `Quiet, ${ctx.principal.subject}.`,
    )
    .resourceTemplate(
      'library://books/{id}',
      { name: 'Book', ...about, complete: { id: complete } },
      ({ id }) => `Book ${id}`,
    )
    .tool('Desk.Ask', { ...about, input: z.object({ n: z.number() }) }, async ({ n }, ctx) => {
      ctx.progress({ progress: 1 });
      ctx.logToCaller('warning', { n });
      const [who, why] = await Promise.all([
        ctx.elicit({ message: 'Who?', schema: name }),
        ctx.sample({ messages: [{ role: 'user', content: { type: 'text', text: 'Why?' } }], maxTokens: 5 }),
      ]);
      const roots = await ctx.roots();
      return { n, who: who.content, why: why.model, roots };
    })
    .tool('Desk.Long', { ...about, input: z.object({}), task: 'optional' }, async (_, ctx) => {
      const { content } = await ctx.elicit({ message: 'Who?', schema: name });
      return { content };
    });
}

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-'));
  const credential = fakeCredential('library');
  const credentialFile = join(folder, 'credential.json');
  await writeFile(credentialFile, JSON.stringify(credential), { mode: 0o600 });
  const socket = join(folder, 'hop.sock');
  const nowMs = () => performance.now();
  const registry = await createAnnounceRegistry({
    ...{ socket, log, nowMs, credentials: () => [credential] },
    createPool: (request) => createKitUpstream({ ...request, nowMs }),
    onInvoke: async () => ({ ok: '{"content":[]}' }),
  });
  const audit = callbackAuditLog(() => undefined);
  const gateway = createGateway({ registry, authenticators: [byToken], audit, log });
  url = await gateway.listen({ port: 0 });
  library = createLibrary();
  await library.listen({ hop: `unix:${socket}`, credentialFile, signals: false });
  await eventually(() => expect(registry.registrations()).toMatchObject([{ state: 'ready' }]));
  cleanups.push(
    () => rm(folder, { recursive: true, force: true }),
    () => registry.close(),
    () => gateway.close(),
    () => library.close(),
  );
});
afterAll(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

const modern = { versionNegotiation: { mode: { pin: '2026-07-28' } } } as const;

async function connect(options: ConstructorParameters<typeof Client>[1], { token = 'ada', mount = '' } = {}) {
  const capabilities = { elicitation: { form: {} }, sampling: {}, roots: {} };
  const client = new Client({ name: 'test', version: '1' }, { ...options, capabilities });
  client.setRequestHandler('elicitation/create', () => ({ action: 'accept', content: { name: 'Ada' } }));
  client.setRequestHandler('sampling/createMessage', () => ({
    ...{ role: 'assistant', model: 'a-model' },
    content: { type: 'text', text: 'Because.' },
  }));
  client.setRequestHandler('roots/list', () => ({ roots: [{ uri: 'file:///work' }] }));
  const requestInit = { headers: { Authorization: `Bearer ${token}` } };
  await client.connect(new StreamableHTTPClientTransport(new URL(`${url.href}${mount}`), { requestInit }));
  cleanups.push(() => client.close());
  return client;
}

describe.each([
  ['a client of the old era', {}],
  ['a client of the new era', modern],
])('through the gateway %s', (_who, options) => {
  it('gets prompts, resources and completions of a kit service, under the gateway’s names and its own', async () => {
    const whole = await connect(options);
    const mounted = await connect(options, { mount: '/library' });
    const places = [
      { client: whole, prompt: 'library.greet', uri: (rest: string) => `library+library://${rest}` },
      { client: mounted, prompt: 'greet', uri: (rest: string) => `library://${rest}` },
    ];
    for (const { client, prompt, uri } of places) {
      expect((await client.listPrompts()).prompts).toMatchObject([{ name: prompt, arguments: [{ name: 'who' }] }]);
      expect((await client.listResources()).resources).toMatchObject([{ uri: uri('rules'), name: 'Rules' }]);
      expect((await client.listResourceTemplates()).resourceTemplates).toMatchObject([
        { uriTemplate: uri('books/{id}') },
      ]);
      expect(await client.getPrompt({ name: prompt, arguments: { who: 'Ada' } })).toMatchObject({
        messages: [{ content: { text: 'Greet Ada.' } }],
      });
      expect(await client.readResource({ uri: uri('rules') })).toMatchObject({
        contents: [{ uri: uri('rules'), text: 'Quiet, ada.' }],
      });
      expect(await client.readResource({ uri: uri('books/b%201') })).toMatchObject({
        contents: [{ text: 'Book b 1' }],
      });
      await expect(client.readResource({ uri: uri('nothing') })).rejects.toMatchObject({ code: expect.any(Number) });
      const argument = { name: 'who', value: 'b1' };
      expect(
        (await client.complete({ ref: { type: 'ref/prompt', name: prompt }, argument })).completion.values,
      ).toEqual(['b1']);
      const template = {
        ref: { type: 'ref/resource', uri: uri('books/{id}') },
        argument: { name: 'id', value: '' },
      } as const;
      expect((await client.complete(template)).completion.values).toEqual(['b1', 'b2']);
    }
    const reader = await connect(options, { token: 'reader' });
    expect((await reader.listResources()).resources).toEqual([]);
    await expect(reader.readResource({ uri: 'library+library://rules' })).rejects.toThrow();
  });

  it('is asked, told of progress and logged to by a kit service', async () => {
    const client = await connect(options);
    const heard: unknown[] = [];
    client.setNotificationHandler('notifications/message', ({ params }) => void heard.push(params.data));
    if (options !== modern) await client.setLoggingLevel('info');
    const _meta = options === modern ? { 'io.modelcontextprotocol/logLevel': 'info' } : {};
    const onprogress = ({ progress }: { readonly progress: number }) => heard.push(progress);
    const calls = [1, 2, 3].map((n) =>
      client.callTool({ name: 'library.Desk.Ask', arguments: { n }, _meta }, { onprogress }),
    );
    expect((await Promise.all(calls)).map(({ structuredContent }) => structuredContent)).toEqual(
      [1, 2, 3].map((n) => ({ n, who: { name: 'Ada' }, why: 'a-model', roots: [{ uri: 'file:///work' }] })),
    );
    expect(heard).toEqual(expect.arrayContaining([1, { n: 1 }, { n: 2 }, { n: 3 }]));
  });

  it('hears of what has changed', async () => {
    const client = await connect(options);
    const uri = 'library+library://rules';
    const heard: string[] = [];
    client.setNotificationHandler('notifications/resources/updated', ({ params }) => void heard.push(params.uri));
    if (options === modern) await client.listen({ resourceSubscriptions: [uri] });
    else await client.subscribeResource({ uri });
    await eventually(() => {
      library.resourceUpdated('library://rules');
      expect(heard).toContain(uri);
    });
  });
});

async function post(method: string, params: Readonly<Record<string, unknown>>, token = 'ada') {
  const _meta = {
    [metaKeys.protocolVersion]: '2026-07-28',
    [metaKeys.clientInfo]: { name: 'test', version: '1' },
    [metaKeys.clientCapabilities]: { elicitation: {}, extensions: { [tasksExtension]: {} } },
  };
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      Authorization: `Bearer ${token}`,
      'Content-Type': 'application/json',
      Accept: 'application/json, text/event-stream',
      'MCP-Protocol-Version': '2026-07-28',
      'Mcp-Method': method,
      'Mcp-Name': String(params.name ?? params.taskId),
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { ...params, _meta } }),
  });
  return response.json();
}

it('a call of a kit service can go on as a task, for the one who made it and nobody else', async () => {
  const made = await post('tools/call', { name: 'library.Desk.Long', arguments: {} });
  expect(made).toMatchObject({ result: { resultType: 'task', status: 'working' } });
  const { taskId } = made.result;
  await eventually(async () => {
    const asking = await post('tasks/get', { taskId });
    expect(asking).toMatchObject({ result: { taskId, status: 'input_required', inputRequests: { q1: {} } } });
  });
  expect(await post('tasks/get', { taskId }, 'eve')).toMatchObject({ error: { code: -32602 } });
  const inputResponses = { q1: { action: 'accept', content: { name: 'Ada' } } };
  expect(await post('tasks/update', { taskId, inputResponses })).toMatchObject({ result: { resultType: 'complete' } });
  await eventually(async () => {
    const ended = await post('tasks/get', { taskId });
    expect(ended).toMatchObject({
      result: { status: 'completed', result: { structuredContent: { content: { name: 'Ada' } } } },
    });
  });
  expect(await post('tasks/cancel', { taskId })).toMatchObject({ result: { resultType: 'complete' } });
});
