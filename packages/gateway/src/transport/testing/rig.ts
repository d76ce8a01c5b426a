import { randomBytes, randomUUID } from 'node:crypto';
import {
  type Answer,
  type AuditRecord,
  type CallId,
  createPipeline,
  GatewayError,
  type JsonText,
  type ListChanges,
  type Permit,
  type Stages,
  spendPermit,
  type Tool,
} from '@sallyport/core';
import { type JsonObject, parseTraceparent } from '@sallyport/protocol';
import { fakePrincipal, fakeStages, fakeTool } from '@sallyport/testkit';
import pino from 'pino';
import type { TransportDeps } from '../deps.ts';
import { createHttp, type HttpOptions, type HttpTransport } from '../http.ts';

/** The real pipeline round fake stages, and what it recorded. */
export interface Rig {
  readonly deps: TransportDeps;
  readonly records: AuditRecord[];
  readonly dispatched: Permit[];
  /** Tokens that are good; take one away and it is revoked. */
  readonly tokens: Set<string>;
  changeCatalog(): void;
}

export const rigTools: readonly Tool[] = [
  fakeTool({ name: 'blog.Posts.Create', description: 'Creates a post.', scopes: ['posts:write'] }),
  fakeTool({ name: 'blog.Posts.Fail' }),
  fakeTool({ name: 'blog.Posts.Hidden' }),
  fakeTool({ name: 'blog.Posts.Limited' }),
  fakeTool({ name: 'blog.Posts.Read', description: 'Reads a post.' }),
  fakeTool({ name: 'blog.Posts.Secret', scopes: ['a:read', 'b:read'] }),
  fakeTool({ name: 'blog.Posts.Slow' }),
  fakeTool({ name: 'blog.Posts.Strict' }),
];

/** What the tools of the rig do, by the last part of their name. */
const behaviours: Readonly<
  Record<string, (permit: Permit, hop: Parameters<Stages['dispatch']>[1]) => Promise<string>>
> = {
  Fail: async () =>
    JSON.stringify({
      content: [{ type: 'text', text: 'no such post' }],
      isError: true,
      _meta: { 'dev.sallyport/error': { code: 'not_found', message: 'no such post' } },
    }),
  Slow: async (_permit, hop) => {
    hop.onProgress?.({ progress: 1, total: 3, message: 'started' });
    hop.onProgress?.({ progress: 1 });
    hop.onProgress?.({ progress: 2 });
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(resolve, 60);
      hop.signal.addEventListener('abort', () => {
        clearTimeout(timer);
        reject(new GatewayError('cancelled'));
      });
    });
    return '{"content":[{"type":"text","text":"done"}]}';
  },
};

/** Makes a rig. The token `good` lacks only the scopes of `Secret`. */
export function createRig(overrides: Partial<TransportDeps> = {}, stageOverrides: Partial<Stages> = {}): Rig {
  const tokens = new Set(['good', 'other']);
  const listeners = new Set<(changes: ListChanges) => void>();
  const dispatched: Permit[] = [];
  const records: AuditRecord[] = [];
  const stages: Stages = {
    ...judgingStages(tokens),
    dispatch: async (permit, hop) => {
      spendPermit(permit);
      hop.sent();
      dispatched.push(permit);
      const behave = behaviours[permit.target.remoteName.split('.').at(-1) ?? ''];
      const text = (await behave?.(permit, hop)) ?? echo(permit.argumentsText);
      return { text, isError: text.includes('"isError":true'), instance: 'i1' } as Answer;
    },
    record: async (record) => {
      records.push(record);
    },
    onCatalogChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    ...stageOverrides,
  };
  const changeCatalog = (): void => {
    for (const listener of listeners) listener({ tools: ['blog'], prompts: [], resources: [] });
  };
  return { deps: { ...rigDeps(stages), ...overrides }, records, dispatched, tokens, changeCatalog };
}

/** Each refuses the tool that is named for it. */
function judgingStages(tokens: ReadonlySet<string>): Stages {
  const { stages } = fakeStages({}, rigTools);
  return {
    ...stages,
    admit: ({ origin }) => {
      if (origin.browserOrigin === 'https://evil.example') throw new GatewayError('origin_refused');
    },
    authenticate: ({ presented }) => {
      if (presented.kind === 'none') throw new GatewayError('credential_missing');
      if (presented.kind === 'bearer' && tokens.has(presented.token)) return fakePrincipal();
      throw new GatewayError('credential_invalid');
    },
    view: async (principal, endpoint) => {
      const view = await stages.view(principal, endpoint);
      return { ...view, has: (tool) => !tool.name.endsWith('Hidden') };
    },
    entitle: (_principal, tool) =>
      tool.name.endsWith('Secret') ? new GatewayError('insufficient_scope', { scopes: tool.scopes }) : undefined,
    rate: (_call, _principal, tool) => {
      if (tool.name.endsWith('Limited')) throw new GatewayError('rate_limited', { retryAfterMs: 1500 });
    },
    validate: (call, tool) => {
      const text = call.request.argumentsText;
      if (tool.name.endsWith('Strict')) throw new GatewayError('invalid_input', { issues: ['/title: is missing'] });
      return { text, value: JSON.parse(text) };
    },
  };
}

function rigDeps(stages: Stages): TransportDeps {
  return {
    pipeline: createPipeline(stages),
    newCallId: () => randomUUID() as CallId,
    nowMs: () => 1_000,
    newTrace: (traceparent) => {
      const parent = traceparent === undefined ? undefined : parseTraceparent(traceparent);
      const traceId = parent?.traceId ?? randomBytes(16).toString('hex');
      return { traceId, spanId: randomBytes(8).toString('hex'), sampled: parent?.sampled ?? true };
    },
    serverInfo: { name: 'sallyport-test', version: '0.0.0' },
    log: pino({ level: 'silent' }),
    maxRequestBytes: 64 * 1024,
    pageSize: 100,
    trustedProxies: () => false,
    ready: () => ({ ready: true }),
    nameStyle: () => 'full',
    sealer: {
      seal: (kind, claims) => Buffer.from(JSON.stringify({ kind, claims })).toString('base64url'),
      open: (kind, text) => openPlain(kind, text),
    },
    entryText: (target) => {
      const { name, description } = target;
      const { inputSchema } = target.capability === 'tool' ? target : {};
      return JSON.stringify({ name, description, inputSchema }) as JsonText;
    },
  };
}

/** Nothing is secret in a rig. */
function openPlain(kind: string, text: string): JsonObject | undefined {
  try {
    const opened = JSON.parse(Buffer.from(text, 'base64url').toString()) as { kind: string; claims: JsonObject };
    return opened.kind === kind ? opened.claims : undefined;
  } catch {
    return undefined;
  }
}

/** A rig that listens on a free port. */
export async function startHttp(
  rig: Rig,
  options: HttpOptions = {},
): Promise<{ readonly http: HttpTransport; readonly url: string; readonly port: number }> {
  const http = createHttp(rig.deps, options);
  const { port } = await http.listen({ host: '127.0.0.1', port: 0 });
  return { http, port, url: `http://127.0.0.1:${port}` };
}

function echo(argumentsText: string): JsonText {
  const text = JSON.stringify(argumentsText);
  return `{"content":[{"type":"text","text":${text}}],"structuredContent":${argumentsText}}` as JsonText;
}
