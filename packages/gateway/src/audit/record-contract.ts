import { hash } from 'node:crypto';
import type { AuditRow } from './reader.ts';
import type { StoredRecord } from './row.ts';

/**
 * Writes rows as records of the Tamper-Evident Audit Record Contract (MCP SEP-3004, now `audit-record-contract` 1.0.0-draft.1,
 * canonical form `audit-record-contract/1`), with its extension `caller-governance`. Rows in the order they are given are one
 * segment: each record is chained to the one before, the first to none.
 */
export function createContractWriter(): (row: AuditRow, origin: string) => string {
  let previousHash: string | null = null;
  return ({ seq, record }, origin) => {
    const body = { event_id: text(`${origin}#${seq}`), ...contractOf(record), previous_hash: previousHash };
    const eventHash = hash('sha256', canonical(body), 'hex');
    previousHash = eventHash;
    return JSON.stringify({ ...body, event_hash: eventHash });
  };
}

/** What protected values are made of (§2.3): no numbers. */
export type Protected = string | boolean | null | { readonly [key: string]: Protected };

/** The canonical form (§2.3): keys sorted at every level, no white space, escapes only where JSON demands them. */
export function canonical(value: Protected): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const members = Object.keys(value)
    .toSorted()
    .map((key) => `${JSON.stringify(key)}:${canonical(value[key] ?? null)}`);
  return `{${members.join(',')}}`;
}

const longest = 8192;

/** A protected string (§2.3): NFC, without spaces around it, well-formed, no control characters, not too long. */
function text(given: string): string {
  const formed = given
    .slice(0, longest / 4)
    .toWellFormed()
    .replace(/\p{Cc}/gu, '\uFFFD')
    .normalize('NFC');
  return formed.replace(/^ +| +$/g, '');
}

function textOrNull(given: string | undefined): string | null {
  return given === undefined ? null : text(given);
}

type Call = Exclude<StoredRecord, { kind: 'refusals' }>;

/** What is no decision of the gateway's about a caller, but a failure. */
const failures = new Set<string | undefined>(['internal', 'audit_unavailable', 'approval_unavailable']);

function contractOf(record: StoredRecord) {
  if (record.kind === 'refusals') {
    const { peer, reason, count, toMs } = record;
    return {
      ...core({ timeMs: toMs, type: 'refusals', principal: `unknown:${peer}` }),
      ...{ tool_name: null, outcome: 'denied' },
      extensions: { 'caller-governance': governance({ did: `refused ${count} times: ${reason}` }) },
    };
  }
  const { timeMs, kind, verb, subject, origin, tool, reason, outcome } = record;
  const type = kind === 'intent' ? 'intent' : verb === 'invoke' ? 'tool_call' : verb;
  const did = reason === undefined ? outcome : `${outcome}: ${reason}`;
  return {
    ...core({ timeMs, type, principal: subject ?? `unknown:${origin.peer}` }),
    ...{ tool_name: textOrNull(tool), outcome: dispositionOf(record) },
    extensions: { 'caller-governance': governance({ call: record, did }) },
  };
}

function core({ timeMs, type, principal }: { readonly timeMs: number; type: string; principal: string }) {
  const occurredAt = new Date(Math.trunc(timeMs)).toISOString();
  return { occurred_at: occurredAt, principal_id: text(principal), event_type: text(type) };
}

/** §2.1.1 */
function dispositionOf({ outcome, resultType, reason, policyErrors }: Call): string {
  if (outcome === 'refused') return failures.has(reason) || (policyErrors ?? []).length > 0 ? 'error' : 'denied';
  return outcome === 'suspended' || resultType === 'input_required' || resultType === 'task' ? 'deferred' : 'allowed';
}

function purposeOf({ id, messageDigest, purpose }: NonNullable<Call['intent']>): string {
  const declared = `intent ${id}, message ${messageDigest}`;
  return purpose === undefined ? declared : `${purpose}: ${declared}`;
}

/** §2.2. What a user said is sealed: its digest stands for it. */
function governance({ call, did }: { readonly call?: Call; readonly did: string }): Protected {
  const { intent, session, actor, service, classification } = call ?? {};
  return {
    purpose_declared: intent === undefined ? 'none declared' : text(purposeOf(intent)),
    session_id: textOrNull(session),
    invoked_by_principal_id: textOrNull(actor?.subject),
    sources_touched: service === undefined ? null : JSON.stringify([text(service)]),
    sensitivity_encountered: textOrNull(classification),
    output_disposition: text(did),
  };
}
