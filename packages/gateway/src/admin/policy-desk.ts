import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  type AccessRequest,
  GatewayError,
  type InForce,
  type PolicyRevision,
  type RevisionListing,
  type Revisions,
} from '@sallyport/core';
import type { JsonObject } from '@sallyport/protocol';
import type { Logger } from 'pino';
import { type AuditFilter, type AuditPage, DataKeyDestroyed, type FoundRow, type FoundRows } from '../audit/index.ts';
import type { CedarEngine } from '../authorization/cedar.ts';
import { intentBounds } from '../authorization/intent-bounds.ts';
import { internalTools } from '../authorization/internal-tools.ts';
import {
  createRedecide,
  type NotRedecidable,
  type RecordedDecision,
  type Redecided,
  revisionIdIn,
} from '../policy/replay.ts';
import { fromRevision, type PolicySet, toRevision } from '../policy/revision.ts';
import { hasProblems, parsePolicies } from '../policy/source.ts';
import type { CedarPolicy, PolicyProblem } from '../policy/types.ts';
import type { ToolDefinitions } from '../store/index.ts';

/** What policies did, and how they are changed: for administration. */
export interface PolicyDesk {
  /** What is in force. */
  current(): {
    readonly revision: string;
    readonly policies: readonly CedarPolicy[];
    readonly problems: readonly PolicyProblem[];
  };
  history(limit: number): Promise<readonly RevisionListing[]>;
  /** A revision by the beginning of its id. @throws GatewayError `not_found`, also where several begin so. */
  find(id: string): Promise<PolicyRevision>;
  /** @throws GatewayError `not_found`, `conflict` when it cannot be read any more. */
  rollback(id: string, by: { readonly by: string; readonly reason?: string }): Promise<InForce>;
  /** Recorded calls in a time, newest first. */
  decisions(during: Span): AsyncGenerator<Opened>;
  /** Decides by a revision, or by files that are given. @throws GatewayError `invalid_input` naming what is wrong with files. */
  redecideBy(against: PolicySet): Promise<(one: Recorded) => Promise<Redecided>>;
  /** Policies of a revision, or of files. */
  setOf(revision: PolicyRevision): Promise<PolicySet>;
  /** @throws GatewayError `invalid_input`, naming file, line and column. */
  read(files: readonly { readonly name: string; readonly text: string }[]): Promise<PolicySet>;
}

/** Which recorded calls. Milliseconds since the epoch, the end excluded. */
export interface Span {
  readonly sinceMs?: number;
  readonly untilMs?: number;
  readonly callId?: string;
}

/** A record of a call that was decided, and what it asked for: or why that cannot be known. */
export interface Opened {
  readonly row: FoundRow;
  readonly decision: Recorded | { readonly kind: 'not-redecidable'; readonly why: NotRedecidable };
}

/** A decision whose question is known. */
export type Recorded = RecordedDecision & { readonly kind: 'recorded' };

/** What the desk leans on. */
export interface PolicyDeskParts {
  readonly engine: CedarEngine;
  readonly problems: () => readonly PolicyProblem[];
  readonly revisions: Revisions;
  readonly definitions: ToolDefinitions;
  /** Finds rows, and opens what is sealed in them. */
  readonly audit: {
    readonly find: (filter: AuditFilter, page: AuditPage) => Promise<FoundRows>;
    /** @throws DataKeyDestroyed */
    readonly open: (row: FoundRow) => Promise<{ readonly request?: AccessRequest } | undefined>;
  };
  readonly nowMs: () => number;
  readonly log: Logger;
}

const rowsAtOnce = 500;
/** So many decisions are made before other calls get their turn. */
const decisionsPerTurn = 100;

/** Looks after the policies of a gateway. */
export function createPolicyDesk(parts: PolicyDeskParts): PolicyDesk {
  const { engine, revisions, nowMs, log } = parts;
  return {
    current: () => ({
      revision: toRevision(engine.current()).id,
      policies: engine.policies(),
      problems: parts.problems(),
    }),
    history: (limit) => revisions.history(limit),
    find: (id) => findRevision(revisions, id),
    async rollback(id, { by, reason }) {
      const wanted = await findRevision(revisions, id);
      // Everything that can fail comes before what counts.
      const use = engine.prepare(await readable(wanted));
      const inForce = await revisions.rollback(wanted.id, {
        by,
        atMs: nowMs(),
        ...(reason !== undefined && { reason }),
      });
      if (inForce === undefined) throw new GatewayError('not_found');
      use();
      log.warn({ revision: wanted.id, by }, 'policies were rolled back');
      return inForce;
    },
    decisions: (during) => decisionsOf(parts, during),
    redecideBy: (set) => redecide(parts, set),
    setOf: readable,
    async read(files) {
      const source = await parsePolicies(files);
      if (!hasProblems(source)) return { source, settings: engine.current().settings };
      const issues = source.problems.map(({ file, line, column, message }) => `${file}:${line}:${column} ${message}`);
      throw new GatewayError('invalid_input', { issues });
    },
  };
}

async function findRevision(revisions: Revisions, id: string): Promise<PolicyRevision> {
  // A whole id takes no look at all the others, of which a list asks for hundreds.
  const exact = id.length === wholeId ? await revisions.find(id) : undefined;
  if (exact !== undefined) return exact;
  const known = new Set((await revisions.history(mostRevisions)).map(({ revision }) => revision));
  const fitting = [...known].filter((one) => one.startsWith(id));
  const [only] = fitting;
  const found = only === undefined || fitting.length > 1 ? undefined : await revisions.find(only);
  if (found !== undefined) return found;
  const why = fitting.length > 1 ? 'several begin so' : 'there is no such revision';
  throw new GatewayError('not_found', { issues: [`/revision: ${why}`] });
}

const mostRevisions = 10_000;
/** SHA-256, hex. */
const wholeId = 64;

async function readable(revision: PolicyRevision): Promise<PolicySet> {
  try {
    return await fromRevision(revision);
  } catch (cause) {
    throw new GatewayError(
      'conflict',
      { issues: ['/revision: it cannot be read by this version any more'] },
      { cause },
    );
  }
}

async function* decisionsOf({ audit }: PolicyDeskParts, during: Span): AsyncGenerator<Opened> {
  let before: string | undefined;
  do {
    const page = await audit.find(during, { limit: rowsAtOnce, ...(before !== undefined && { before }) });
    for (const row of page.rows) {
      const opened = await openRow(audit, row);
      if (opened !== undefined) yield opened;
    }
    before = page.next;
  } while (before !== undefined);
}

/** Denied by policies: other refusals came before or after them. */
const denials: ReadonlySet<string> = new Set(['policy_denied', 'intent_exceeded']);

async function openRow(audit: PolicyDeskParts['audit'], row: FoundRow): Promise<Opened | undefined> {
  const { record } = row;
  if (record.kind !== 'outcome' || record.verb !== 'invoke' || record.policyRevision === undefined) return undefined;
  // What administration was asked is under no policies.
  if (revisionIdIn(record.policyRevision) === undefined) return undefined;
  const { callId, timeMs, policies = [], policyRevision: revision, stage, reason = '' } = record;
  const effect = stage === 'authorize' && denials.has(reason) ? 'deny' : 'permit';
  try {
    const request = (await audit.open(row))?.request;
    if (request === undefined) return { row, decision: { kind: 'not-redecidable', why: 'erased' } };
    return { row, decision: { kind: 'recorded', callId, timeMs, effect, policies, revision, request } };
  } catch (error) {
    if (error instanceof DataKeyDestroyed) return { row, decision: { kind: 'not-redecidable', why: 'erased' } };
    throw error;
  }
}

async function redecide(
  { definitions }: PolicyDeskParts,
  set: PolicySet,
): Promise<(one: Recorded) => Promise<Redecided>> {
  const known = new Map<string, JsonObject | undefined>();
  const others = [internalTools, intentBounds];
  const decide = await createRedecide(set, (tool, hash) => known.get(`${tool}\0${hash}`), others);
  let made = 0;
  return async (one) => {
    const { id, definitionHash, type } = one.request.resource;
    const key = `${id}\0${definitionHash}`;
    if (type === 'tool' && !known.has(key)) known.set(key, await definitions.find(id, definitionHash));
    if (++made % decisionsPerTurn === 0) await nextTurn();
    return decide(one);
  };
}
