import type {
  Approver,
  Authenticator,
  Call,
  Hop,
  Intents,
  Outcome,
  Permit,
  Pipeline,
  Registry,
  Stages,
  Target,
} from '@sallyport/core';
import type { Logger } from 'pino';
import type { SecondFactorSettings } from '../authorization/second-factor.ts';
import { createLiveCatalog, type LiveCatalog } from '../catalog/live.ts';
import type { Rules, ToolOverride } from '../catalog/targets.ts';
import { createMemoryLimiter } from '../limits/index.ts';
import type { RedactionSettings } from '../output/index.ts';
import { logFor, type Tracing } from '../telemetry/index.ts';
import type { Sealing } from '../upstream/sealing.ts';
import { createTaskKeeper } from '../upstream/task-keeper.ts';
import { logNotices, type OnNotice } from './notices.ts';
import type { OnRecheck } from './recheck.ts';
import { composePipeline, type ExtraKinds, type Parts } from './stages.ts';

/** One catalog and the pipeline in front of it. A gateway has two: one for agents, one for its owner. */
export interface Plane {
  readonly pipeline: Pipeline;
  readonly catalog: LiveCatalog;
  /** Takes new settings, all of them or none. Calls in flight end under the ones they began with. */
  apply(settings: PlaneSettings): void;
  close(): void;
}

/** What a reload of the configuration may change. */
export interface PlaneSettings {
  readonly admit: Stages['admit'];
  readonly rate: Pick<Stages, 'rate' | 'rateDenied'>;
  readonly overrideFor: (toolName: string) => ToolOverride;
  /** Methods of a server's own that it lets through. */
  readonly methodsOf: (service: string) => readonly string[];
  /** What is taken out of answers. */
  readonly redaction: RedactionSettings;
  /** What counts as a second factor. Default: what is usual. */
  readonly secondFactor?: SecondFactorSettings;
  /** What a named view takes in. */
  readonly viewNamed: (name: string) => ((target: Target) => boolean) | undefined;
}

/** What stays as it is as long as the plane lives. */
export interface PlaneParts extends ExtraKinds {
  readonly registry: Registry;
  readonly authenticators: readonly Authenticator[];
  /** Asks people about what policies want approved. Absent: such calls are refused, unless one of `approvers` does. */
  readonly desk?: Approver;
  readonly record: Stages['record'];
  readonly onRecheck?: OnRecheck;
  /** Makes spans of calls. Absent: nobody asked for traces. */
  readonly tracing?: Tracing;
  /** What an operator blocks while the gateway runs. Absent: nothing can be blocked so. */
  readonly containment?: NonNullable<Parts['containment']>;
  /** Told of calls that policies want told. Default: the log is. */
  readonly onNotice?: OnNotice;
  /** Counts calls under intents. Absent: there are none under any. */
  readonly intents?: Intents;
  /** Whether intents limit what may be called here. Default: they do. */
  readonly boundByIntents?: boolean;
  readonly sealing: Sealing;
  /** States what was permitted, where a service is to check that. */
  readonly assertion?: (permit: Permit, hop: Hop) => Hop['assertion'];
  readonly nowMs: () => number;
  readonly log: Logger;
}

/** Builds a plane. */
export function createPlane(parts: PlaneParts, settings: PlaneSettings): Plane {
  const { registry, log } = parts;
  const rulesOf = ({ overrideFor, methodsOf }: PlaneSettings): Rules => ({ overrideFor, methodsOf });
  const tasks = createTaskKeeper({ nowMs: parts.nowMs });
  const catalog = createLiveCatalog({ registry, ...rulesOf(settings), log });
  const policyLimiter = createMemoryLimiter({ nowMs: () => performance.now() });
  const onNotice = parts.onNotice ?? logNotices(log);
  const kept = { catalog, tasks, policyLimiter, onNotice };
  const build = ({ admit, rate, viewNamed, redaction, secondFactor }: PlaneSettings) =>
    composePipeline({ ...parts, admit, rate, viewNamed, redaction, ...(secondFactor && { secondFactor }), ...kept });
  let current = build(settings);
  return {
    pipeline: {
      invoke: (call) => explained(log, call, current.invoke(call)),
      list: (call) => explained(log, call, current.list(call)),
      listen: (call) => explained(log, call, current.listen(call)),
      reply: (call) => explained(log, call, current.reply(call)),
      decline: (call) => explained(log, call, current.decline(call)),
    },
    catalog,
    apply(next) {
      const built = build(next);
      catalog.override(rulesOf(next));
      current = built;
    },
    close() {
      tasks.close();
      catalog.close();
    },
  };
}

/** The caller is told a reason; why our side failed is for whoever runs this. Refusals that are the caller's doing are not logged. */
async function explained<Ended extends Outcome<unknown>>(
  log: Logger,
  call: Call,
  ending: Promise<Ended>,
): Promise<Ended> {
  const outcome = await ending;
  if (outcome.kind === 'refused' && outcome.error.http >= 500) {
    const { reason, stage, cause } = outcome.error;
    logFor(log, { callId: call.id, traceId: call.trace.traceId }).warn({ reason, stage, err: cause }, 'a call failed');
  }
  return outcome;
}
