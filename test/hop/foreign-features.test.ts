import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type NodeIncomingMessageLike, toNodeHandler } from '@modelcontextprotocol/node';
import { completable } from '@modelcontextprotocol/sdk/server/completable.js';
import { McpServer as FirstServer, ResourceTemplate as FirstTemplate } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { ElicitResultSchema, SubscribeRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import {
  completable as completableTwo,
  createMcpHandler,
  InMemoryServerEventBus,
  inputRequired,
  inputResponse,
  McpServer,
  ResourceTemplate,
} from '@modelcontextprotocol/server';
import type { Answer, JsonText } from '@sallyport/core';
import { pino } from 'pino';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import type { McpService } from '../../packages/gateway/src/upstream/mcp/service.ts';
import { createMcpHttp } from '../../packages/gateway/src/upstream/mcp/service-http.ts';
import {
  type ContractCall,
  callUpstream,
  contractTool,
} from '../../packages/gateway/src/upstream/testing/contract-call.ts';

/** Slow machines are slow: this waits long for what must come, and not at all for what has. */
const eventually = <T>(check: () => T | Promise<T>) => vi.waitFor(check, 15_000);
const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function serve(listener: RequestListener): Promise<string> {
  const http = createServer(listener);
  await new Promise<void>((resolve) => {
    http.listen(0, '127.0.0.1', resolve);
  });
  cleanups.push(() => {
    http.closeAllConnections();
    http.close();
  });
  return `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`;
}

/** A running server, and the ways to make it say something on its own. */
interface Running {
  readonly url: string;
  /** How many calls of `hang` it was told are not waited for any more. */
  cancelled(): number;
  /** Adds a tool. */
  grow(): void;
  /** Says that `note://one` has changed. */
  touch(): void;
}

const form = {
  message: 'Sure?',
  requestedSchema: { type: 'object', properties: { ok: { type: 'boolean' } } },
} as const;
const said = (text: string) => ({ content: [{ type: 'text' as const, text }] });

/** A server of the first SDK, as its examples are: one instance per session. */
async function startFirst(): Promise<Running> {
  const transports = new Map<string, StreamableHTTPServerTransport>();
  const servers = new Set<FirstServer>();
  let cancelled = 0;
  const create = (): FirstServer => {
    const server = new FirstServer(
      { name: 'first', version: '1.0.0' },
      { capabilities: { logging: {}, resources: { subscribe: true, listChanged: true } } },
    );
    server.registerTool('ask', {}, async (extra) => {
      const answer = await extra.sendRequest({ method: 'elicitation/create', params: form }, ElicitResultSchema);
      return said(JSON.stringify(answer));
    });
    // Without saying which call it is about: it goes out on the stream of the session.
    server.registerTool('ask-anywhere', {}, async () => said(JSON.stringify(await server.server.elicitInput(form))));
    server.registerTool('tell', {}, async ({ _meta, sendNotification }) => {
      const progressToken = _meta?.progressToken;
      if (progressToken !== undefined) {
        await sendNotification({ method: 'notifications/progress', params: { progressToken, progress: 1, total: 2 } });
      }
      await server.sendLoggingMessage({ level: 'warning', data: 'careful' });
      return said('told');
    });
    server.registerTool('hang', {}, async ({ signal }) => {
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      cancelled += 1;
      return said('too late');
    });
    const names = completable(z.string(), (value) => ['ada', 'alan'].filter((name) => name.startsWith(value)));
    server.registerPrompt('greet', { argsSchema: { name: names } }, ({ name }) => ({
      messages: [{ role: 'user', content: { type: 'text', text: `Hello ${name}` } }],
    }));
    server.registerResource('one', 'note://one', {}, ({ href }) => ({ contents: [{ uri: href, text: '1' }] }));
    const notes = new FirstTemplate('note://{id}', { list: undefined, complete: { id: () => ['x', 'y'] } });
    server.registerResource('any', notes, {}, ({ href }, { id }) => ({ contents: [{ uri: href, text: String(id) }] }));
    server.server.setRequestHandler(SubscribeRequestSchema, () => ({}));
    servers.add(server);
    return server;
  };
  const url = await serve(async (request, response) => {
    const id = request.headers['mcp-session-id'];
    const known = transports.get(String(id));
    if (known === undefined && id !== undefined) {
      response.writeHead(404).end();
      return;
    }
    const transport =
      known ??
      new StreamableHTTPServerTransport({
        sessionIdGenerator: () => crypto.randomUUID(),
        onsessioninitialized: (made) => void transports.set(made, transport),
      });
    // The SDK's own types disagree about optional members.
    if (known === undefined) await create().connect(transport as never);
    await transport.handleRequest(request, response);
  });
  return {
    url,
    cancelled: () => cancelled,
    grow: () => {
      for (const server of servers) server.registerTool('more', {}, async () => said('more'));
    },
    touch: () => {
      for (const server of servers)
        void server.server.sendResourceUpdated({ uri: 'note://one' }).catch(() => undefined);
    },
  };
}

/** A server of the second SDK: one instance per request. */
async function startSecond(): Promise<Running> {
  const bus = new InMemoryServerEventBus();
  let cancelled = 0;
  let isGrown = false;
  const handler = createMcpHandler(
    () => {
      const server = new McpServer(
        { name: 'second', version: '1.0.0' },
        {
          capabilities: {
            logging: {},
            tools: { listChanged: true },
            resources: { subscribe: true, listChanged: true },
          },
        },
      );
      for (const name of ['ask', 'ask-anywhere']) {
        server.registerTool(name, {}, ({ mcpReq }) => {
          const view = inputResponse(mcpReq.inputResponses, 'form');
          if (view.kind !== 'elicit') return inputRequired({ inputRequests: { form: inputRequired.elicit(form) } });
          return said(JSON.stringify({ action: view.action, content: view.content }));
        });
      }
      server.registerTool('tell', {}, async ({ mcpReq }) => {
        const progressToken = mcpReq._meta?.progressToken;
        if (progressToken !== undefined) {
          await mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress: 1, total: 2 } });
        }
        await mcpReq.log('warning', 'careful');
        return said('told');
      });
      server.registerTool('hang', {}, async ({ mcpReq }) => {
        await new Promise<void>((resolve) => mcpReq.signal.addEventListener('abort', () => resolve()));
        cancelled += 1;
        return said('too late');
      });
      if (isGrown) server.registerTool('more', {}, () => said('more'));
      const names = completableTwo(z.string(), (value) => ['ada', 'alan'].filter((name) => name.startsWith(value)));
      server.registerPrompt('greet', { argsSchema: z.object({ name: names }) }, ({ name }) => ({
        messages: [{ role: 'user', content: { type: 'text', text: `Hello ${name}` } }],
      }));
      server.registerResource('one', 'note://one', {}, ({ href }) => ({ contents: [{ uri: href, text: '1' }] }));
      const notes = new ResourceTemplate('note://{id}', { list: undefined, complete: { id: () => ['x', 'y'] } });
      server.registerResource('any', notes, {}, ({ href }, { id }) => ({
        contents: [{ uri: href, text: String(id) }],
      }));
      return server;
    },
    { legacy: 'reject', bus },
  );
  cleanups.push(() => handler.close());
  const node = toNodeHandler(handler);
  return {
    url: await serve((request, response) => void node(request as NodeIncomingMessageLike, response)),
    cancelled: () => cancelled,
    grow() {
      isGrown = true;
      bus.publish({ kind: 'tools_list_changed' });
    },
    touch: () => bus.publish({ kind: 'resource_updated', uri: 'note://one' }),
  };
}

async function follow(running: Running): Promise<McpService> {
  const log = pino({ level: 'silent' });
  const service = createMcpHttp({
    service: 'foreign',
    url: running.url,
    clientInfo: { name: 'sallyport', version: '0' },
    log,
  });
  cleanups.push(() => service.upstream.close());
  await eventually(() => expect(service.manifest()).toBeDefined());
  return service;
}

const able = { capabilitiesText: '{"elicitation":{"form":{}}}' as JsonText };
const call = (service: McpService, name: string, more: Partial<ContractCall> = {}): Promise<Answer> =>
  callUpstream(service.upstream, { tool: contractTool('foreign', name), ...more });
const contentOf = ({ text }: Answer) => JSON.parse(text) as Record<string, unknown>;

describe.each([
  ['first', startFirst],
  ['second', startSecond],
])('a server of the %s SDK', (_generation, start) => {
  it('is listed with everything it offers', async () => {
    const service = await follow(await start());
    expect(service.manifest()?.tools.map(({ name }) => name)).toEqual(['ask', 'ask-anywhere', 'tell', 'hang']);
    expect(service.manifest()).toMatchObject({
      version: '1.0.0',
      prompts: [{ name: 'greet', arguments: [{ name: 'name', required: true }] }],
      resources: [{ uri: 'note://one' }],
      templates: [{ uriTemplate: 'note://{id}' }],
    });
  });

  it('gives prompts, resources and completions', async () => {
    const service = await follow(await start());
    const prompt = await call(service, 'greet', { argumentsText: '{"name":"ada"}', method: 'prompts/get' });
    expect(contentOf(prompt)).toMatchObject({ messages: [{ content: { text: 'Hello ada' } }] });
    const read = await call(service, 'note://7', { argumentsText: '{"uri":"note://7"}', method: 'resources/read' });
    expect(contentOf(read)).toMatchObject({ contents: [{ uri: 'note://7', text: '7' }] });
    const argumentsText = '{"argument":{"name":"id","value":""}}';
    const completed = await call(service, 'note://{id}', { argumentsText, method: 'completion/complete' });
    expect(contentOf(completed)).toMatchObject({ completion: { values: ['x', 'y'] } });
  });

  it('tells of progress, and of its log to who wants it', async () => {
    const service = await follow(await start());
    const heard: unknown[] = [];
    const onProgress: ContractCall['onProgress'] = (progress) => heard.push(progress);
    const onNotification = ({ method, paramsText }: { readonly method: string; readonly paramsText: string }) =>
      void heard.push([method, JSON.parse(paramsText).data]);
    const client = { logLevel: 'info' };
    const answer = await call(service, 'tell', { onProgress, client, request: { onNotification } });
    expect(contentOf(answer)).toMatchObject({ content: [{ text: 'told' }] });
    expect(heard).toContainEqual({ progress: 1, total: 2 });
    // The first SDK tells its log on the stream of the session, which may come after the answer.
    for (const each of heard.filter(Array.isArray)) expect(each).toEqual(['notifications/message', 'careful']);
  });

  it.each(['ask', 'ask-anywhere'])('asks its caller: %s', async (name) => {
    const service = await follow(await start());
    const asked = await call(service, name, { client: able });
    expect(asked.resultType).toBe('input_required');
    const { inputRequests, requestState } = contentOf(asked) as {
      readonly inputRequests: Record<string, { readonly method: string; readonly params: object }>;
      readonly requestState?: string;
    };
    const [[key, question] = ['', undefined]] = Object.entries(inputRequests);
    expect(question).toMatchObject({ method: 'elicitation/create', params: { message: 'Sure?' } });
    const inputResponsesText = JSON.stringify({ [key]: { action: 'accept', content: { ok: true } } }) as JsonText;
    const retry = { inputResponsesText, ...(requestState !== undefined && { requestState }) };
    const answer = await call(service, name, { client: able, hop: { retry } });
    expect(JSON.parse((contentOf(answer).content as [{ text: string }])[0].text)).toEqual({
      action: 'accept',
      content: { ok: true },
    });
  });

  it('is told when a call is not waited for any more', async () => {
    const running = await start();
    const service = await follow(running);
    await expect(call(service, 'hang', { timeoutMs: 100 })).rejects.toMatchObject({ reason: 'upstream_timeout' });
    await eventually(() => expect(running.cancelled()).toBe(1));
  });

  it('tells when its tools change, and when a resource does that somebody watches', async () => {
    const running = await start();
    const service = await follow(running);
    const updated = vi.fn();
    const stop = service.feed?.watch({ kind: 'resource', uri: 'note://one' }, updated);
    // How soon it listens is not told; until it does, it is told again.
    await eventually(() => {
      running.touch();
      expect(updated).toHaveBeenCalled();
    });
    expect(JSON.parse(updated.mock.calls[0]?.[0])).toMatchObject({ uri: 'note://one' });
    stop?.();
    running.grow();
    await eventually(() => expect(service.manifest()?.tools.map(({ name }) => name)).toContain('more'));
  });
});
