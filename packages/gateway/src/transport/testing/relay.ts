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
  type Target,
  type Topic,
  type Upstream,
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
  const services = createServices(registrations);
  const records: AuditRecord[] = [];
  const { stages } = fakeStages({
    ...services.stages,
    authenticate: () => fakePrincipal(),
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
  const { dispatched, respond, emit, change } = services;
  return {
    ...{ deps, records, dispatched, respond, emit, change },
    told: told as Relay['told'],
    say: createSay(deps, (message) => told.push(JSON.parse(message))),
  };
}

function createSay(deps: TransportDeps, notify: (message: string) => void): Relay['say'] {
  const answerMessage = createMcpAnswerer(deps);
  return async (message, said = {}) => {
    const text = typeof message === 'string' ? message : JSON.stringify(message);
    const exchange: McpExchange = {
      callId: deps.newCallId(),
      presented: { kind: 'bearer', token: 'good' },
      origin: { transport: 'http', peer: '127.0.0.1' },
      signal: new AbortController().signal,
      receivedBytes: text.length,
      endpoint: everything,
      notify,
      ...said,
    };
    const { status, headers, body } = await answerMessage(exchange, readMcp(text));
    return { status, headers, text: body, body: body === undefined ? undefined : JSON.parse(body) };
  };
}

type Services = Pick<Relay, 'dispatched' | 'respond' | 'emit' | 'change'> & {
  readonly stages: Pick<Stages, 'view' | 'toolOfTask' | 'dispatch' | 'watch' | 'onCatalogChange'>;
};

/** The stages that lead to services, with a test in the place of each service. */
function createServices(registrations: readonly Registration[]): Services {
  const catalog = buildOf(registrations);
  let respond = plain;
  const listeners = new Set<Parameters<Stages['onCatalogChange']>[0]>();
  const feed = createFeed();
  const dispatched: { permit: Permit; hop: Hop }[] = [];
  const sealing = createSealing({ sealer: plainSealer, nowMs: () => 1_000, gatewayId: 'g1' });
  const tasks = createTaskKeeper({ nowMs: () => 1_000 });
  const open: Upstream['open'] = async (permit, hop) => {
    spendPermit(permit);
    hop.sent();
    dispatched.push({ permit, hop });
    return respond(permit, hop);
  };
  return {
    dispatched,
    respond: (next) => {
      respond = next;
    },
    emit: feed.emit,
    change: (...services) => {
      for (const tell of listeners) tell({ tools: services, prompts: services, resources: services });
    },
    stages: {
      view: (_principal, endpoint) => {
        const has = (target: Target) => endpoint.kind !== 'mount' || endpoint.service === target.service;
        return { catalog, has, admits: has };
      },
      toolOfTask: (principal, taskId) => sealing.openTask(principal, taskId)?.tool,
      dispatch: createDispatch({ sealing, tasks, find: () => ({ ...upstream, open }) }),
      watch: createWatch({ sealing, tasks, feedOf: () => feed }),
      onCatalogChange: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    },
  };
}

function createFeed(): Feed & Pick<Relay, 'emit'> {
  const watchers = new Set<{ readonly key: string; readonly onEvent: (paramsText: JsonText) => void }>();
  return {
    watch: (topic, onEvent) => {
      const watcher = { key: JSON.stringify(topic), onEvent };
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
    emit: (topic, paramsText) => {
      const key = JSON.stringify(topic);
      for (const watcher of watchers) if (watcher.key === key) watcher.onEvent(paramsText as JsonText);
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
