import { PassThrough } from 'node:stream';
import { type Call, createPipeline, notResponsible, type Pipeline, type Principal, type Stages } from '@sallyport/core';
import {
  type Driver,
  embedded,
  type FakeRegistry,
  fakeRegistry,
  httpLegacy,
  httpModern,
  plainSealer,
  type RecordingAuditLog,
  recordingAuditLog,
  rest,
  type Seen,
  stdio,
  type TokenFate,
  tokenAuthenticator,
  ws,
} from '@sallyport/testkit';
import { pino } from 'pino';
import { boundHostsOf, createAdmit, hostOrigin, peerFlood } from '../../packages/gateway/src/admission/index.ts';
import { createRecord } from '../../packages/gateway/src/audit/index.ts';
import { createLiveCatalog } from '../../packages/gateway/src/catalog/live.ts';
import type { Plane } from '../../packages/gateway/src/compose/plane.ts';
import { createServiceCalls } from '../../packages/gateway/src/compose/service-calls.ts';
import { transportDeps } from '../../packages/gateway/src/compose/serving.ts';
import { composeStages, type ExtraKinds, type Parts } from '../../packages/gateway/src/compose/stages.ts';
import {
  type BucketLimiter,
  createMemoryLimiter,
  createRate,
  defaultPresets,
} from '../../packages/gateway/src/limits/index.ts';
import { inProcessService } from '../../packages/gateway/src/registry/in-process.ts';
import { createEmbedded } from '../../packages/gateway/src/transport/embedded.ts';
import { createHttp } from '../../packages/gateway/src/transport/http.ts';
import { serveStdio } from '../../packages/gateway/src/transport/stdio.ts';
import { bridgeStdio } from '../../packages/gateway/src/transport/stdio-bridge.ts';
import { createSealing } from '../../packages/gateway/src/upstream/sealing.ts';
import { hop } from './hop-driver.ts';
import { type Caller, callers, labHandlers, labKinds, manifest, overrides, principalOf, type Served } from './lab.ts';
import { createWitness, type Departed } from './witness.ts';

/** All ways in. */
export const ways = [
  'http-modern',
  'http-legacy',
  'ws',
  'ws-message-token',
  'stdio',
  'stdio-bridge',
  'rest',
  'embedded',
  'hop',
] as const;
export type Way = (typeof ways)[number];

/** The ways that can list: a service on its hop can only call. */
export const listingWays = ways.filter((way) => way !== 'hop');

/** What is not as in a gateway that is whole. */
export interface WorldOptions {
  /** Takes a stage away, or makes it fail. */
  readonly mutate?: (stages: Stages) => Stages;
  /** More kinds, beside those of the lab. */
  readonly kinds?: ExtraKinds;
  /** Other parts altogether. */
  readonly parts?: Partial<Parts>;
  /** What one principal may be refused at once; it never fills up again, for the clock of limits stands still. */
  readonly deniedBurst?: number;
  readonly singly?: number;
  /** Another way to make a service of the lab's handlers. */
  readonly makeService?: typeof inProcessService;
}

/** A gateway with its real stages and transports, a lab behind it, and witnesses at its doors. */
export interface World {
  readonly audit: RecordingAuditLog;
  readonly registry: FakeRegistry;
  readonly stages: Stages;
  readonly pipeline: Pipeline;
  readonly singly: number;
  /** Who was let in, by call. Seen at the pipeline, not taken from records. */
  readonly authenticated: ReadonlyMap<string, Principal>;
  /** What passed the door of the lab, in order. */
  readonly departed: readonly Departed[];
  readonly served: readonly Served[];
  /** What a witness found wrong with permits as they were spent. */
  readonly permitFaults: readonly string[];
  /** Everything that a call could be recorded by, oldest first. */
  readonly events: readonly string[];
  driver(way: Way, caller: Caller): Driver;
  /** Buckets as they were at the start. */
  freshLimits(): void;
  /** Ends the window of refusals that are only counted. */
  closeRefusalWindow(): Promise<void>;
  /** Resolves when every call let in has its record. Waits a second once, for the first call that never gets one. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

/** Largest request of the worlds, in bytes. */
export const maxRequestBytes = 64 * 1024;

const log = pino({ level: 'silent' });

/** Builds a world and opens its doors. */
export async function makeWorld(options: WorldOptions = {}): Promise<World> {
  const { singly = 20, deniedBurst = 1_000_000, makeService = inProcessService } = options;
  const audit = recordingAuditLog();
  const witness = createWitness(audit);
  const registry = fakeRegistry([witness.watch(makeService(manifest, labHandlers(witness.onServed)))]);
  const limiter = renewableLimiter();
  const record = createRecord({ log: audit, logger: log, nowMs: Date.now, singly });
  const catalog = createLiveCatalog({ registry, overrideFor: () => ({}), log });
  let boundHosts: readonly string[] = [];
  const composed = composeStages({
    admit: createAdmit([
      peerFlood({ limiter, limit: { rate: 1, burst: 1_000_000 } }),
      hostOrigin({ boundHosts: () => boundHosts, scheme: 'http', allowedHosts: [], allowedOrigins: [] }),
    ]),
    authenticators: [tokenAuthenticator(tokens), { authenticate: (call) => serviceCaller(call) }],
    catalog,
    rate: createRate({ limiter, presets: defaultPresets, overrides, denied: { rate: 0.001, burst: deniedBurst } }),
    record,
    viewNamed: () => undefined,
    sealing: createSealing({ sealer: plainSealer, nowMs: Date.now, gatewayId: 'laws' }),
    nowMs: Date.now,
    ...joined(labKinds(), options.kinds ?? {}),
    ...options.parts,
  });
  const stages = witness.stages(options.mutate?.(composed) ?? composed);
  const pipeline = createPipeline(stages);
  const plane: Plane = { pipeline, catalog, apply: () => undefined, close: catalog.close };
  const deps = transportDeps(plane, {
    registry,
    log,
    nowMs: Date.now,
    maxRequestBytes,
    sealer: plainSealer,
    trustedProxies: [],
  });
  const http = createHttp(deps);
  const bound = await http.listen({ host: '127.0.0.1', port: 0 });
  boundHosts = boundHostsOf('127.0.0.1');
  const url = new URL(`http://127.0.0.1:${bound.port}/mcp`);
  const drivers = new Map<string, Driver>();
  const makers = driverMakers({ url, deps });
  const checked = new Set<string>();
  let patient = true;

  return {
    ...{ audit, registry, stages, pipeline, singly },
    ...witness.seen,
    driver(way, caller) {
      const key = `${way} ${caller}`;
      const driver = drivers.get(key) ?? makers[way](caller === 'none' ? undefined : caller);
      drivers.set(key, driver);
      return driver;
    },
    freshLimits: limiter.renew,
    closeRefusalWindow: record.close,
    async settled() {
      const isRecorded = (id: string): boolean => audit.outcomes().some(({ callId }) => callId === id);
      let missing = [...witness.seen.authenticated.keys()].filter((id) => !checked.has(id) && !isRecorded(id));
      for (let turn = 0; turn < 100 && missing.length > 0 && patient; turn++) {
        await new Promise((resolve) => setTimeout(resolve, 10));
        missing = missing.filter((id) => !isRecorded(id));
      }
      if (missing.length > 0) patient = false;
      for (const id of witness.seen.authenticated.keys()) checked.add(id);
    },
    async close() {
      await Promise.all([...drivers.values()].map((driver) => driver.close()));
      await http.close(0);
      await record.close();
      catalog.close();
    },
  };
}

interface DriverParts {
  readonly url: URL;
  readonly deps: ReturnType<typeof transportDeps>;
}

function driverMakers({ url, deps }: DriverParts): Readonly<Record<Way, (token: string | undefined) => Driver>> {
  const at = (token: string | undefined) => ({ url, ...(token !== undefined && { token }) });
  return {
    'http-modern': (token) => httpModern(at(token)),
    'http-legacy': (token) => httpLegacy(at(token)),
    ws: (token) => ws(at(token)),
    'ws-message-token': (token) => ws({ ...at(token), tokenIn: 'message' }),
    stdio: (token) =>
      stdio({
        start: () =>
          piped((streams) =>
            serveStdio(deps, {
              ...streams,
              presented: token === undefined ? { kind: 'none' } : { kind: 'bearer', token },
            }),
          ),
      }),
    // The bridge mirrors arguments into headers for tools that it has seen listed, as its hosts list them first.
    'stdio-bridge': (token = '') => {
      const driver = stdio({
        name: 'stdio-bridge',
        start: () => piped((streams) => bridgeStdio({ ...streams, url, token, stderr: new PassThrough() })),
      });
      return principalOf(token as Caller) === undefined ? driver : listingFirst(driver);
    },
    rest: (token) => rest(at(token)),
    embedded: (token) => embedded(createEmbedded(deps), token),
    hop: (token = '') => hop(createServiceCalls({ ...deps, pipeline: Promise.resolve(deps.pipeline) }).onInvoke, token),
  };
}

const tokens = new Map<string, TokenFate>(Object.entries(callers));

/** On a hop a caller is the service that the connection belongs to, by the same names. */
function serviceCaller({ presented, origin }: Pick<Call, 'presented' | 'origin'>) {
  if (presented.kind !== 'service') return notResponsible;
  const bearer = { kind: 'bearer', token: presented.service } as const;
  return tokenAuthenticator(tokens).authenticate({ presented: bearer, origin });
}

function listingFirst(driver: Driver): Driver {
  let listed: Promise<Seen> | undefined;
  return {
    ...driver,
    list: () => {
      listed = driver.list();
      return listed;
    },
    async call(tool, args, options) {
      listed ??= driver.list();
      await listed;
      return driver.call(tool, args, options);
    },
  };
}

interface Streams {
  readonly stdin: PassThrough;
  readonly stdout: PassThrough;
}

function piped(serve: (streams: Streams) => Promise<void>): Streams {
  const streams = { stdin: new PassThrough(), stdout: new PassThrough() };
  void serve(streams).finally(() => streams.stdout.end());
  return streams;
}

function joined(lab: Required<ExtraKinds>, more: ExtraKinds): Required<ExtraKinds> {
  return {
    policyEngines: [...lab.policyEngines, ...(more.policyEngines ?? [])],
    approvers: [...lab.approvers, ...(more.approvers ?? [])],
    quotas: [...lab.quotas, ...(more.quotas ?? [])],
    credentialSources: [...lab.credentialSources, ...(more.credentialSources ?? [])],
    outputFilters: [...lab.outputFilters, ...(more.outputFilters ?? [])],
    containments: [...lab.containments, ...(more.containments ?? [])],
  };
}

function renewableLimiter(): BucketLimiter & { renew(): void } {
  const make = () => createMemoryLimiter({ nowMs: () => 0 });
  let current = make();
  return {
    take: (key, limit, cost) => current.take(key, limit, cost),
    takeAll: (takes) => current.takeAll(takes),
    renew: () => {
      current = make();
    },
  };
}
