import {
  type Answer,
  type AuditRecord,
  createPipeline,
  type Endpoint,
  everything,
  type Feed,
  type Hop,
  type JsonText,
  type Permit,
  type Registration,
  type Stages,
  spendPermit,
  type Topic,
} from '@sallyport/core';
import type { ServiceManifest } from '@sallyport/protocol';
import { fakePrincipal, fakeStages, plainSealer } from '@sallyport/testkit';
import { buildCatalog } from '../../catalog/build.ts';
import { entryText } from '../../catalog/entry-text.ts';
import { createSealing } from '../../upstream/sealing.ts';
import { createDispatch } from '../../upstream/stage.ts';
import { createTaskKeeper } from '../../upstream/task-keeper.ts';
import { createWatch } from '../../upstream/watch.ts';
import type { TransportDeps } from '../deps.ts';
import { createMcpAnswerer } from '../mcp-message.ts';
import { readMcp } from '../mcp-read.ts';
import type { McpExchange } from '../mcp-request.ts';
import type { Session } from '../session.ts';
import { createRig } from './rig.ts';

/** What a service of a relay answers. */
export type Respond = (permit: Permit, hop: Hop) => Answer | Promise<Answer>;

/** A message, and what of the exchange is not as usual. */
export interface Said extends Partial<Omit<McpExchange, 'endpoint'>> {
  readonly endpoint?: Endpoint;
}

/** The message layer on the real pipeline, catalog and sealing, round services that a test speaks for. */
export interface Relay {
  readonly deps: TransportDeps;
  readonly records: AuditRecord[];
  readonly dispatched: { readonly permit: Permit; readonly hop: Hop }[];
  /** What was sent ahead of answers, parsed. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into messages of every shape.
  readonly told: any[];
  /** Answers of one message: status, headers and the parsed body. */
  say(message: object | string, said?: Said): Promise<Spoken>;
  respond(respond: Respond): void;
  /** Tells whoever listens. */
  emit(topic: Topic, paramsText: string): void;
  change(...services: readonly string[]): void;
  /** Hears of changes of what is registered. */
  register(registrations: readonly Registration[]): void;
}

/** An answer, parsed. */
export interface Spoken {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape.
  readonly body: any;
}

const upstream = {
  describe: () => ({ service: 'x', kind: 'test' }),
  open: () => Promise.reject(new Error('tests answer at dispatch')),
  close: async () => undefined,
};

/** A service that is there. */
export function registered(manifest: ServiceManifest, more: Partial<Registration> = {}): Registration {
  return { manifest, upstream, instances: 1, state: 'ready', ...more };
}

/** A service with one of everything. */
export const docs: ServiceManifest = {
  service: 'docs',
  version: '1.0.0',
  tools: [
    { name: 'Search', description: 'Searches.', inputSchema: { type: 'object' }, task: 'optional' },
    {
      ...{ name: 'Count', description: 'Counts.', inputSchema: { type: 'object' } },
      outputSchema: { anyOf: [{ type: 'object' }, { type: 'integer' }] },
    },
  ],
  prompts: [{ name: 'greet', description: 'Greets.', arguments: [{ name: 'who' }] }],
  resources: [{ uri: 'file:///a', name: 'a', description: '' }],
  templates: [{ uriTemplate: 'file:///{path}', name: 'files', description: '' }],
  mcp: {
    capabilities: {
      tools: { listChanged: true },
      prompts: {},
      resources: { subscribe: true, listChanged: true },
      completions: {},
      logging: {},
      tasks: { list: {} },
      extensions: { 'io.modelcontextprotocol/tasks': {}, 'io.modelcontextprotocol/ui': {} },
    },
    instructions: 'Read before you ask.',
    serverInfo: { name: 'docs-server', version: '7' },
  },
};

/** A service of tools only. */
export const shop: ServiceManifest = {
  service: 'shop',
  version: '1.0.0',
  tools: [{ name: 'Order.Pay', description: 'Pays.', inputSchema: { type: 'object' } }],
};

const plain: Respond = ({ argumentsText }) => answer(`{"content":[],"structuredContent":${argumentsText}}`);

/** What a service answers, from its text. */
export function answer(text: string, more: Partial<Answer> = {}): Answer {
  return { text: text as JsonText, isError: false, instance: 'i1', ...more };
}

/** Makes one. The token `good` may do everything. */
export function createRelay(
  registrations: readonly Registration[] = [registered(docs), registered(shop)],
  overrides: Partial<TransportDeps> = {},
): Relay {
  let current = buildOf(registrations);
  let respond = plain;
  const listeners = new Set<Parameters<Stages['onCatalogChange']>[0]>();
  const watchers = new Set<{ readonly key: string; readonly onEvent: (paramsText: JsonText) => void }>();
  const dispatched: { permit: Permit; hop: Hop }[] = [];
  const records: AuditRecord[] = [];
  const sealing = createSealing({ sealer: plainSealer, nowMs: () => 1_000, gatewayId: 'g1' });
  const tasks = createTaskKeeper({ nowMs: () => 1_000 });
  const dispatch = createDispatch({
    ...{ sealing, tasks },
    find: () => ({
      ...upstream,
      open: async (permit, hop) => {
        spendPermit(permit);
        hop.sent();
        dispatched.push({ permit, hop });
        return respond(permit, hop);
      },
    }),
  });
  const watch: Feed['watch'] = (topic, onEvent) => {
    const watcher = { key: JSON.stringify(topic), onEvent };
    watchers.add(watcher);
    return () => watchers.delete(watcher);
  };
  const { stages } = fakeStages({
    authenticate: () => fakePrincipal(),
    view: (_principal, endpoint) => {
      const isHere = (service: string) => endpoint.kind !== 'mount' || endpoint.service === service;
      const has = (target: { service: string }) => isHere(target.service);
      return { catalog: current, has, admits: has };
    },
    toolOfTask: (principal, taskId) => sealing.openTask(principal, taskId)?.tool,
    dispatch,
    onCatalogChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    watch: createWatch({ sealing, tasks, feedOf: () => ({ watch }) }),
    record: async (record) => void records.push(record),
  });
  const deps: TransportDeps = {
    ...createRig().deps,
    pipeline: createPipeline(stages),
    entryText,
    nameStyle: ({ kind }) => (kind === 'mount' ? 'own' : 'full'),
    sealer: plainSealer,
    ...overrides,
  };
  const told: unknown[] = [];
  const answerMessage = createMcpAnswerer(deps);
  return {
    ...{ deps, records, dispatched },
    told: told as Relay['told'],
    say: async (message, said = {}) => {
      const text = typeof message === 'string' ? message : JSON.stringify(message);
      const exchange: McpExchange = {
        callId: deps.newCallId(),
        presented: { kind: 'bearer', token: 'good' },
        origin: { transport: 'http', peer: '127.0.0.1' },
        signal: new AbortController().signal,
        receivedBytes: text.length,
        endpoint: everything,
        notify: (sent) => void told.push(JSON.parse(sent)),
        ...said,
      };
      const { status, headers, body } = await answerMessage(exchange, readMcp(text));
      return { status, headers, text: body, body: body === undefined ? undefined : JSON.parse(body) };
    },
    respond: (next) => {
      respond = next;
    },
    emit: (topic, paramsText) => {
      const key = JSON.stringify(topic);
      for (const watcher of watchers) if (watcher.key === key) watcher.onEvent(paramsText as JsonText);
    },
    change: (...services) => {
      for (const tell of listeners) tell({ tools: services, prompts: services, resources: services });
    },
    register: (next) => {
      current = buildOf(next);
    },
  };
}

function buildOf(registrations: readonly Registration[]) {
  return buildCatalog({
    ...{ registrations, stale: false, overrideFor: () => ({}) },
    methodsOf: (service) => (service === 'docs' ? ['vendor/echo'] : []),
  }).catalog;
}

/** A session that keeps what it is told. */
export function fakeSession(capabilities: object = {}): Session & { readonly sent: string[] } {
  const ends: (() => void)[] = [];
  const sent: string[] = [];
  return {
    ...{ id: 'session-1', conversation: 'conversation-1', version: '2025-11-25', sent },
    capabilitiesText: JSON.stringify(capabilities) as JsonText,
    logLevel: undefined,
    resourceUris: new Set(),
    admits: () => true,
    tell: (message) => void sent.push(message),
    deliver: () => false,
    end: () => {
      for (const end of ends.splice(0)) end();
    },
    onEnd: (listener) => void ends.push(listener),
  };
}

/** A legacy request. */
export function legacy(method: string, params?: object, id: number | string = 1): object {
  return { jsonrpc: '2.0', id, method, ...(params && { params }) };
}

/** A modern request. */
export function modern(
  method: string,
  params: object = {},
  more: { readonly meta?: object; readonly capabilities?: object } = {},
): object {
  const { meta = {}, capabilities = {} } = more;
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': capabilities,
    ...meta,
  };
  return { jsonrpc: '2.0', id: 1, method, params: { ...params, _meta } };
}
