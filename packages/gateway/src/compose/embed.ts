import { randomBytes, randomUUID } from 'node:crypto';
import type { TracerProvider } from '@opentelemetry/api';
import type { AuditLog, AuditRecord, Authenticator, RateLimit, RefusalCount, Registry } from '@sallyport/core';
import type { Logger } from 'pino';
import { boundHostsOf, createAdmit, hostOrigin, peerFlood } from '../admission/index.ts';
import { createRecord, type OnRecord } from '../audit/index.ts';
import type { ToolOverride } from '../catalog/targets.ts';
import {
  compileOverrides,
  createMemoryLimiter,
  createRate,
  defaultPresets,
  type LimitOverride,
  type Presets,
} from '../limits/index.ts';
import { defaultRedaction, type RedactionSettings } from '../output/index.ts';
import { saidOfTools } from '../policy/declared.ts';
import type { PolicySet } from '../policy/revision.ts';
import { withoutAllowed } from '../policy/validate.ts';
import { createSealer } from '../secrets/index.ts';
import { createLogger, createProvidedTracing } from '../telemetry/index.ts';
import { createEmbedded, type Embedded } from '../transport/embedded.ts';
import { createHttp, type HttpOptions } from '../transport/http.ts';
import { type StdioOptions, serveStdio } from '../transport/stdio.ts';
import { ordinaryWaitMs } from '../transport/waiting.ts';
import { createSealing } from '../upstream/sealing.ts';
import { mcpUrl } from './listen.ts';
import { createPlane, type Plane, type PlaneSettings } from './plane.ts';
import { createPolicies, type PolicyParts } from './policies.ts';
import { transportDeps } from './serving.ts';
import type { ExtraKinds } from './stages.ts';
import { version } from './version.ts';

/** What a gateway inside a program of one's own is made of. */
export interface GatewayOptions extends ExtraKinds {
  /** What is taken out of answers. Default: what opens doors (keys, tokens, passwords). */
  readonly redaction?: RedactionSettings;
  /** Where the services come from. */
  readonly registry: Registry;
  /** Who may do what, beyond scopes: what `loadPolicies` read, and its settings. Default: scopes alone decide. */
  readonly policies?: PolicySet;
  /** Who may call. There is no default: a gateway without authenticators lets nobody in. */
  readonly authenticators: readonly Authenticator[];
  /** Where records go; the answer waits for it. `openAuditLog` makes a durable, tamper-evident one. */
  readonly audit: AuditLog;
  /** Told of every record after it was written. The record is frozen and holds no arguments. */
  readonly onRecord?: OnRecord;
  /** Replaces what services declared, by pattern: later ones win, key by key. */
  readonly tools?: readonly (ToolOverride & LimitOverride)[];
  readonly presets?: Partial<Presets>;
  /** Budget of one principal for refused attempts. Default: 5 a second, 20 at once. */
  readonly denied?: RateLimit;
  /** Budget of one address. Default: 200 a second, 400 at once; a hundred times that on loopback. */
  readonly peer?: RateLimit;
  readonly allowedHosts?: readonly string[];
  readonly allowedOrigins?: readonly string[];
  readonly trustedProxies?: readonly string[];
  /** Default: 4 MiB. */
  readonly maxRequestBytes?: number;
  /** Milliseconds since the epoch. Default: the clock of the system. */
  readonly nowMs?: () => number;
  /** The longest that a caller is kept while its call waits for an approval, in milliseconds. Default: 20 seconds. */
  readonly approvalWaitMs?: number;
  /** Default: warnings and errors to standard error, as JSON lines. */
  readonly log?: Logger;
  /** Where spans of calls are made: the program's own OpenTelemetry. Default: none are. */
  readonly tracerProvider?: TracerProvider;
}

/** A gateway inside a program. */
export interface Gateway extends Embedded {
  /** Serves HTTP, WebSocket and REST. Resolves with the MCP endpoint. */
  listen(address: { readonly host?: string; readonly port: number }, options?: HttpOptions): Promise<URL>;
  /** Serves MCP over a pair of streams until the input ends. */
  serveStdio(options: StdioOptions): Promise<void>;
  /** Ends what was begun here. The registry and the audit log are the caller's to close. */
  close(): Promise<void>;
}

const fourMebibytes = 4 * 1024 * 1024;

/** Makes a gateway for a program to hold: the same stages, in the same order, as `sallyport serve`. */
export function createGateway(options: GatewayOptions): Gateway {
  const log = options.log ?? createLogger({ level: 'warn' });
  const { registry, audit, onRecord } = options;
  const nowMs = options.nowMs ?? Date.now;
  const record = createRecord({ log: audit, logger: log, nowMs, ...(onRecord && { onRecord }) });
  let boundHosts: readonly string[] = [];
  const settings = settingsOf(options, () => boundHosts);
  const sealer = createSealer(randomBytes(32), nowMs);
  const sealing = createSealing({ sealer, nowMs, gatewayId: randomUUID() });
  const tracing = options.tracerProvider && createProvidedTracing(options.tracerProvider, version);
  const kinds = kindsOf(options, { catalog: () => plane.catalog.current(), log });
  const plane: Plane = createPlane(
    { ...options, ...kinds, record, sealing, nowMs, log, ...(tracing && { tracing }) },
    settings,
  );
  const deps = transportDeps(plane, {
    ...{ registry, log, nowMs, sealer, newTrace: tracing?.newTrace },
    waitMs: () => options.approvalWaitMs ?? ordinaryWaitMs,
    mayWait: () => (options.approvers ?? []).length > 0,
    maxRequestBytes: options.maxRequestBytes ?? fourMebibytes,
    trustedProxies: options.trustedProxies ?? [],
  });
  const closers: (() => Promise<void>)[] = [record.close];
  return {
    ...createEmbedded(deps),
    serveStdio: (stdio) => serveStdio(deps, stdio),
    async listen({ host = '127.0.0.1', port }, httpOptions = {}) {
      refuseOpenBind(host, httpOptions, options.trustedProxies ?? []);
      const http = createHttp(deps, httpOptions);
      closers.push(() => http.close());
      const bound = await http.listen({ host, port });
      boundHosts = [...boundHosts, ...boundHostsOf(host)];
      return mcpUrl(bound, httpOptions.tls !== undefined);
    },
    async close() {
      for (const close of closers.splice(0).reverse()) await close();
      plane.close();
    },
  };
}

/** Its own kinds, and those of its policies. */
function kindsOf(
  { policies, policyEngines = [], attributeSources = [], outputFilters = [] }: GatewayOptions,
  parts: Pick<PolicyParts, 'catalog' | 'log'>,
): Pick<ExtraKinds, 'policyEngines' | 'attributeSources' | 'outputFilters'> {
  if (policies === undefined) return { policyEngines, attributeSources, outputFilters };
  const [open] = withoutAllowed(policies.source, policies.settings);
  if (open !== undefined) throw new Error(`${open.file}:${open.line}:${open.column} ${open.message}`);
  const { kinds } = createPolicies({ ...parts, policies, sources: attributeSources });
  return {
    ...kinds,
    policyEngines: [...policyEngines, ...(kinds.policyEngines ?? [])],
    outputFilters: [...(kinds.outputFilters ?? []), ...outputFilters],
  };
}

/** An audit log that only tells: for programs that keep records themselves. Nothing is durable. */
export function callbackAuditLog(onRecord: (record: AuditRecord | RefusalCount) => void | Promise<void>): AuditLog {
  return { append: async (record) => onRecord(record), close: async () => undefined };
}

function settingsOf(options: GatewayOptions, boundHosts: () => readonly string[]): PlaneSettings {
  const limiter = createMemoryLimiter({ nowMs: () => performance.now() });
  const overrides = options.tools ?? [];
  const overrideFor = compileOverrides(overrides);
  const saidOf = saidOfTools(options.policies?.source ?? { tools: [] });
  const { allowedHosts = [], allowedOrigins = [] } = options;
  return {
    admit: createAdmit([
      peerFlood({ limiter, limit: options.peer ?? { rate: 200, burst: 400 } }),
      hostOrigin({ boundHosts, scheme: 'http', allowedHosts, allowedOrigins }),
    ]),
    rate: createRate({
      limiter,
      presets: { ...defaultPresets, ...options.presets },
      overrides,
      denied: options.denied ?? { rate: 5, burst: 20 },
    }),
    overrideFor: (name): ToolOverride => ({ ...overrideFor(name), ...saidOf(name) }),
    methodsOf: () => [],
    viewNamed: () => undefined,
    redaction: options.redaction ?? defaultRedaction,
  };
}

/** Tokens over plain HTTP belong on this machine or behind a named proxy that speaks TLS. */
function refuseOpenBind(host: string, { tls }: HttpOptions, trustedProxies: readonly string[]): void {
  const isLoopback = host === 'localhost' || host === '::1' || host.startsWith('127.');
  if (isLoopback || tls !== undefined || trustedProxies.length > 0) return;
  throw new Error(`to listen on ${host}, pass tls or name the proxies in front with trustedProxies`);
}
