import {
  createPipeline,
  type Pipeline,
  type Principal,
  type Registration,
  type Stages,
  type Target,
  type Topic,
} from '@sallyport/core';
import type { JsonObject } from '@sallyport/protocol';
import {
  type Driver,
  type FakeRegistry,
  fakeRegistry,
  plainSealer,
  type RecordingAuditLog,
  recordingAuditLog,
  type TokenFate,
  tokenAuthenticator,
} from '@sallyport/testkit';
import { pino } from 'pino';
import { boundHostsOf, createAdmit, hostOrigin, peerFlood } from '../../packages/gateway/src/admission/index.ts';
import { createRecord } from '../../packages/gateway/src/audit/index.ts';
import { createLiveCatalog } from '../../packages/gateway/src/catalog/live.ts';
import type { Plane } from '../../packages/gateway/src/compose/plane.ts';
import { transportDeps } from '../../packages/gateway/src/compose/serving.ts';
import { composeStages, type ExtraKinds, type Parts } from '../../packages/gateway/src/compose/stages.ts';
import {
  type BucketLimiter,
  createMemoryLimiter,
  createRate,
  defaultPresets,
} from '../../packages/gateway/src/limits/index.ts';
import { inProcessService } from '../../packages/gateway/src/registry/in-process.ts';
import { createHttp } from '../../packages/gateway/src/transport/http.ts';
import { createSealing, type Sealing } from '../../packages/gateway/src/upstream/sealing.ts';
import { type Caller, callers, labHandlers, labKinds, manifest, overrides, type Served } from './lab.ts';
import { labService } from './lab-service.ts';
import { countedIntents } from './meant.ts';
import { offers, overrideFor, variantOf, vendorMethods } from './offers.ts';
import type { Way } from './ways.ts';
import { createWitness, type Departed } from './witness.ts';
import { driverMakers, serviceCaller, wholeView } from './world-drivers.ts';

export * from './ways.ts';

/** What is not as in a gateway that is whole. */
export interface WorldOptions {
  /** Takes a stage away, or makes it fail. */
  readonly mutate?: (stages: Stages) => Stages;
  /** Takes a verb away, or leaves something out of what it is asked. */
  readonly bypass?: (pipeline: Pipeline, stages: Stages) => Pipeline;
  /** Binds what leaves the gateway to come back in another way. */
  readonly reseal?: (sealing: Sealing) => Sealing;
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

/** What can change while a gateway runs. */
export interface Rules {
  /** Hidden, denied when called, and contained, by variant; for everybody. */
  readonly hidden: readonly string[];
  readonly denied: readonly string[];
  readonly contained: readonly string[];
  /** Callers that are somebody else now, or nobody. */
  readonly fates: Partial<Record<Caller, TokenFate>>;
}

const noRules: Rules = { hidden: [], denied: [], contained: [], fates: {} };

/** The variants that the smaller view takes in. */
export const fewVariants: readonly string[] = ['Echo', 'Scoped', 'Hidden'];

/** The name of the smaller view. */
export const fewView = 'few';

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
  /** The endpoint of everything. */
  readonly url: URL;
  driver(way: Way, caller: Caller): Driver;
  /** Changes who may know of what and who is who, until it is called again without anything. */
  become(rules?: Partial<Rules>): void;
  /** Runs whenever a session is asked something, until it is called again without anything. */
  whenAsked(hook?: () => void): void;
  /** The service tells of a resource or a task. */
  tell(topic: Topic, params: JsonObject): void;
  /** How much is being watched at the service. */
  readonly watchers: () => number;
  /** Buckets as they were at the start. */
  freshLimits(): void;
  /** The same, without the calls of intents. */
  freshBuckets(): void;
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
  const lab = labService(makeService(manifest, labHandlers(witness.onServed)), witness.onServed);
  const registry = fakeRegistry([witness.watch(lab.registration), shadowService()]);
  const limiter = renewableLimiter();
  const intents = countedIntents();
  const record = createRecord({ log: audit, logger: log, nowMs: Date.now, singly });
  const catalog = createLiveCatalog({ registry, overrideFor, methodsOf: () => vendorMethods, log });
  const changing = changingRules();
  let boundHosts: readonly string[] = [];
  const sealing = createSealing({ sealer: plainSealer, nowMs: Date.now, gatewayId: 'laws' });
  const composed = composeStages({
    admit: createAdmit([
      peerFlood({ limiter, limit: { rate: 1, burst: 1_000_000 } }),
      hostOrigin({ boundHosts: () => boundHosts, scheme: 'http', allowedHosts: [], allowedOrigins: [] }),
    ]),
    authenticators: [tokenAuthenticator(changing.tokens), serviceCaller(tokenAuthenticator(changing.tokens))],
    catalog,
    rate: createRate({ limiter, presets: defaultPresets, overrides, denied: { rate: 0.001, burst: deniedBurst } }),
    record,
    viewNamed,
    sealing: options.reseal?.(sealing) ?? sealing,
    nowMs: Date.now,
    intents,
    ...joined(joined(labKinds(), changing.kinds), options.kinds ?? {}),
    ...options.parts,
  });
  const stages = witness.stages(options.mutate?.(composed) ?? composed);
  const whole = createPipeline(stages);
  const pipeline = options.bypass?.(whole, stages) ?? whole;
  const plane: Plane = { pipeline, catalog, apply: () => undefined, close: catalog.close };
  const deps = transportDeps(plane, {
    registry,
    log,
    nowMs: Date.now,
    maxRequestBytes,
    sealer: plainSealer,
    trustedProxies: [],
    // Nothing that waits here is ever granted.
    waitMs: () => 0,
  });
  const http = createHttp(deps);
  const bound = await http.listen({ host: '127.0.0.1', port: 0 });
  boundHosts = boundHostsOf('127.0.0.1');
  const url = new URL(`http://127.0.0.1:${bound.port}/mcp`);
  const drivers = new Map<string, Driver>();
  let hook: (() => void) | undefined;
  const makers = driverMakers({ url, deps, onAsked: () => hook?.() });
  /** How many of those that were authenticated, in their order, are known to be on record. */
  let checked = 0;
  let patient = true;

  return {
    ...{ audit, registry, stages, pipeline, singly, url },
    whenAsked: (next) => {
      hook = next;
    },
    ...{ become: changing.become, tell: lab.tell, watchers: lab.watchers },
    ...witness.seen,
    driver(way, caller) {
      const key = `${way} ${caller}`;
      const driver = drivers.get(key) ?? makers[way](caller === 'none' ? undefined : caller);
      drivers.set(key, driver);
      return driver;
    },
    freshLimits() {
      limiter.renew();
      intents.renew();
    },
    freshBuckets: limiter.renew,
    closeRefusalWindow: record.close,
    async settled() {
      const isRecorded = (id: string): boolean => audit.outcomes().some(({ callId }) => callId === id);
      const latest = [...witness.seen.authenticated.keys()].slice(checked);
      let missing = latest.filter((id) => !isRecorded(id));
      for (let turn = 0; turn < 100 && missing.length > 0 && patient; turn++) {
        await new Promise((resolve) => setTimeout(resolve, 10));
        missing = missing.filter((id) => !isRecorded(id));
      }
      if (missing.length > 0) patient = false;
      checked += latest.length;
    },
    async close() {
      await Promise.all([...drivers.values()].map((driver) => driver.close()));
      await http.close(0);
      await record.close();
      catalog.close();
    },
  };
}

/** The two views of every world: of everything, and of a few variants. */
function viewNamed(name: string): ((target: Target) => boolean) | undefined {
  if (name === wholeView) return ({ capability }) => capability !== 'method';
  return name === fewView ? (target) => fewVariants.includes(variantOf(target.name)) : undefined;
}

/** A service like the lab, of which nobody may know anything. Its name is as long as one that no service has. */
export const shadow = 'shadow';

/** That service; its list of prompts changes with what is noted in it. */
export function shadowService(description = ''): Registration {
  const prompts = offers.prompts.map((prompt) => ({ ...prompt, description }));
  const hidden = { ...manifest, service: shadow, prompts };
  return inProcessService(hidden, Object.fromEntries(hidden.tools.map(({ name }) => [name, () => ({})])));
}

/** Rules that a test changes while the gateway runs. */
function changingRules() {
  let rules = noRules;
  let revision = 0;
  const tokens = new Map<string, TokenFate>(Object.entries(callers));
  return {
    tokens,
    become(next: Partial<Rules> = {}) {
      rules = { ...noRules, ...next };
      revision++;
      for (const [name, fate] of Object.entries({ ...callers, ...rules.fates })) tokens.set(name, fate);
    },
    kinds: {
      policyEngines: [
        {
          decide({ action, resource }) {
            const variant = variantOf(resource.id);
            if (resource.service === shadow) return { effect: 'deny', policies: [] };
            const isDenied = rules.hidden.includes(variant) || (action === 'invoke' && rules.denied.includes(variant));
            return { effect: isDenied ? 'deny' : 'abstain', policies: [] };
          },
          revision: () => `changing/${revision}`,
        },
      ],
      containments: [{ contains: (_principal, { name }) => rules.contained.includes(variantOf(name)) }],
    } satisfies ExtraKinds,
  };
}

function joined(lab: Required<ExtraKinds>, more: ExtraKinds): Required<ExtraKinds> {
  return {
    policyEngines: [...lab.policyEngines, ...(more.policyEngines ?? [])],
    attributeSources: [...lab.attributeSources, ...(more.attributeSources ?? [])],
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
