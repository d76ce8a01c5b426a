import {
  type Approver,
  type AttributeSource,
  type Authenticator,
  type Catalog,
  type CredentialSource,
  createPipeline,
  type Hop,
  type Intents,
  type OutputFilter,
  obligationsForPeople,
  type Permit,
  type Pipeline,
  type PolicyEngine,
  type Quota,
  type Stages,
  type Target,
} from '@sallyport/core';
import { approvers } from '../approval/index.ts';
import { createApprove } from '../approval/stage.ts';
import { createAuthenticate } from '../authentication/stage.ts';
import { createEnrich } from '../authorization/enrich.ts';
import { policyEngines } from '../authorization/index.ts';
import { intentBounds } from '../authorization/intent-bounds.ts';
import { createNarrow } from '../authorization/narrow.ts';
import { holdToObligations, type SecondFactorSettings } from '../authorization/second-factor.ts';
import { createAuthorize } from '../authorization/stage.ts';
import type { LiveCatalog } from '../catalog/live.ts';
import { createView } from '../catalog/stage.ts';
import { credentialSources } from '../credentials/index.ts';
import { createCredential } from '../credentials/stage.ts';
import { type Containment, createEntitle } from '../entitlement/stage.ts';
import { createBudget } from '../limits/budget.ts';
import { type BucketLimiter, createMemoryLimiter } from '../limits/index.ts';
import { createIntentCalls } from '../limits/intent-calls.ts';
import { createPolicyLimits } from '../limits/policy-limits.ts';
import { defaultRedaction, outputFilters, type RedactionSettings, withDataCategories } from '../output/index.ts';
import { createFilter, createFilterNotification } from '../output/stage.ts';
import type { Tracing } from '../telemetry/index.ts';
import type { Sealing } from '../upstream/sealing.ts';
import { createDispatch } from '../upstream/stage.ts';
import { createTaskKeeper, type TaskKeeper } from '../upstream/task-keeper.ts';
import { type WaitingParts, withTickets } from '../upstream/waiting.ts';
import { createWatch } from '../upstream/watch.ts';
import { createSchemas } from '../validation/schemas.ts';
import { createValidate } from '../validation/stage.ts';
import type { ContainmentParts } from './containment.ts';
import { createNotices, type OnNotice } from './notices.ts';
import type { OnRecheck } from './recheck.ts';

/** Kinds that an embedder adds to the ones every gateway has. They can only make it stricter. */
export interface ExtraKinds {
  readonly policyEngines?: readonly PolicyEngine[];
  /** What policies may look at besides what a call brings. Asked of calls, not of what may be seen. */
  readonly attributeSources?: readonly AttributeSource[];
  readonly approvers?: readonly Approver[];
  readonly quotas?: readonly Quota[];
  readonly credentialSources?: readonly CredentialSource[];
  readonly outputFilters?: readonly OutputFilter[];
  readonly containments?: readonly Containment[];
}

/** What the stages are built from. */
export interface Parts extends ExtraKinds {
  readonly admit: Stages['admit'];
  readonly authenticators: readonly Authenticator[];
  readonly catalog: LiveCatalog;
  readonly rate: Pick<Stages, 'rate' | 'rateDenied'>;
  readonly viewNamed: (name: string) => ((target: Target) => boolean) | undefined;
  readonly sealing: Sealing;
  /** What an operator blocks while the gateway runs. Absent: nothing can be blocked so. */
  readonly containment?: Pick<ContainmentParts, 'live' | 'guard'>;
  /** What counts as a second factor. Default: what is usual. */
  readonly secondFactor?: SecondFactorSettings;
  /** Counts what policies limit. Kept over a change of configuration. Default: one of these stages alone. */
  readonly policyLimiter?: BucketLimiter;
  /** Told of calls that policies want told. Default: nobody is. */
  readonly onNotice?: OnNotice;
  /** Counts calls under intents. Absent: there are none under any. */
  readonly intents?: Intents;
  /** Whether intents limit what may be called here. Default: they do. */
  readonly boundByIntents?: boolean;
  /** Kept over a change of configuration. Default: one of these stages alone. */
  readonly tasks?: TaskKeeper;
  /** What is taken out of answers. Default: secrets. */
  readonly redaction?: RedactionSettings;
  /** Asks people about what policies want approved. Absent: such calls are refused, unless one of `approvers` does. */
  readonly desk?: Approver;
  readonly record: Stages['record'];
  readonly onRecheck?: OnRecheck;
  /** Makes spans of calls. Absent: nobody asked for traces. */
  readonly tracing?: Pick<Tracing, 'observe' | 'dispatching'>;
  /** States what was permitted, where a service is to check that. */
  readonly assertion?: (permit: Permit, hop: Hop) => Hop['assertion'];
  readonly nowMs: () => number;
}

/** Builds each stage from its kinds. The order they run in is the pipeline's. */
export function composeStages(parts: Parts): Stages {
  const schemas = createSchemas();
  const { nowMs, intents, boundByIntents = true, containment } = parts;
  const always = policyEngines.filter((engine) => boundByIntents || engine !== intentBounds);
  const engines = [...always, ...(parts.policyEngines ?? [])];
  const counting = boundByIntents ? [createIntentCalls({ ...(intents && { intents }), nowMs })] : [];
  const authorize = holdToObligations(createAuthorize(engines), parts.secondFactor);
  const enrich = createEnrich(parts.attributeSources ?? []);
  const output = { redaction: parts.redaction ?? defaultRedaction };
  const filters = [...outputFilters.map((create) => create(output)), ...(parts.outputFilters ?? [])];
  const tasks = parts.tasks ?? createTaskKeeper({ nowMs: parts.nowMs });
  const dispatch = createDispatch({
    find: containment?.guard.find(parts.catalog.find) ?? parts.catalog.find,
    isCurrent: (target) => isCurrent(parts.catalog.current(), target),
    ...{ sealing: parts.sealing, tasks, assertion: parts.assertion },
  });
  const stages: Stages = {
    admit: parts.admit,
    authenticate: createAuthenticate(parts.authenticators),
    view: createView({
      current: parts.catalog.current,
      decide: authorize,
      narrow: createNarrow(engines),
      policyRevision: () => engines.map((engine) => engine.revision()).join(' '),
      viewNamed: parts.viewNamed,
      nowMs: parts.nowMs,
    }),
    entitle: createEntitle([...(containment ? [containment.live] : []), ...(parts.containments ?? [])], {
      boundByIntents,
    }),
    ...parts.rate,
    validate: createValidate(schemas),
    ...(enrich && { enrich }),
    authorize,
    approve: approveWith(parts, { sealing: parts.sealing, tasks, nowMs }),
    budget: createBudget([...counting, ...policyQuotas(parts), ...(parts.quotas ?? [])]),
    credential: createCredential([...credentialSources, ...(parts.credentialSources ?? [])]),
    dispatch: parts.tracing?.dispatching(dispatch) ?? dispatch,
    toolOfTask: (principal, taskId) => parts.sealing.openTask(principal, taskId)?.tool,
    watch: createWatch({ feedOf: parts.catalog.feedOf, sealing: parts.sealing, tasks }),
    filter: createFilter(schemas.check, filters),
    filterNotification: createFilterNotification(filters),
    record: withDataCategories(parts.record, output.redaction),
    onCatalogChange: parts.catalog.onChange,
    onPoliciesChange: (listener) => whenAnyChanges(engines, listener),
    ...(parts.tracing && { observe: parts.tracing.observe }),
    ...(parts.onRecheck && { onRecheck: parts.onRecheck }),
    ...(containment && { isContained: containment.live.containsCaller }),
    nowMs: parts.nowMs,
  };
  return containment?.guard.stages(stages) ?? stages;
}

/** What policies ask of the budget. */
function policyQuotas({ policyLimiter, onNotice = () => undefined }: Parts): readonly Quota[] {
  const limiter = policyLimiter ?? createMemoryLimiter({ nowMs: () => performance.now() });
  return [createPolicyLimits(limiter), createNotices(onNotice)];
}

/** Where nobody is ever asked, nothing ever waits: most calls, and all where policies want nothing approved. */
function approveWith({ approvers: more = [], desk }: Parts, parts: WaitingParts): Stages['approve'] {
  const asked = [...approvers, ...more];
  const approve = createApprove(asked, desk);
  const ticketed = withTickets(approve, parts);
  if (asked.length > 0) return ticketed;
  return (permit, request) =>
    obligationsForPeople(permit).length > 0 ? ticketed(permit, request) : approve(permit, request);
}

function isCurrent({ byName, resourceAt }: Catalog, target: Target): boolean {
  const { name, service, remoteName, definitionHash, version } = target;
  const now = target.capability === 'resource' ? resourceAt(service, remoteName) : byName.get(name);
  return now?.definitionHash === definitionHash && now.version === version;
}

/** The pipeline over stages built from these parts. */
export function composePipeline(parts: Parts): Pipeline {
  return createPipeline(composeStages(parts));
}

function whenAnyChanges(engines: readonly PolicyEngine[], listener: () => void): () => void {
  const stops = engines.map((engine) => engine.onChange?.(listener));
  return () => stops.forEach((stop) => void stop?.());
}
