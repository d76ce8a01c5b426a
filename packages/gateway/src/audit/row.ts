import { hash } from 'node:crypto';
import type { AuditRecord, RefusalCount } from '@sallyport/core';
import { leafHash } from './merkle.ts';
import { indexTables, treeTables } from './tree.ts';

/** Everything the log can hold. */
export type Loggable = AuditRecord | RefusalCount;

/** A record as it stands in the log: without the confidential parts, with the keyed hash of the arguments. */
export type StoredRecord =
  | (Omit<AuditRecord, 'argumentsText' | 'outputText' | 'request'> & {
      readonly argumentsHash?: string;
      readonly outputHash?: string;
      /** Only in records of the gateway's own retention, which no caller can make. */
      readonly retention?: Retained;
      /** Only in records that the signing key was changed: the note in which the old key vouches for the new one. */
      readonly handover?: string;
    })
  | RefusalCount;

/** What retention takes out of the log. */
export interface Retained {
  /** Rows up to this one lose everything but their hashes; 0 for none. */
  readonly through: number;
  /** So many keys of sealed parts are destroyed: those of all days (UTC) before `sealedBefore`. */
  readonly keys: number;
  readonly sealedBefore?: string;
  /** The same day for what is kept apart by its classification. */
  readonly classes?: Readonly<Record<string, string>>;
}

/** The columns a log is searched by. Derived from the record, and checked against it by `verifyAudit`. */
export interface Columns {
  readonly call_id: string | null;
  readonly time_ms: number;
  readonly kind: string;
  readonly outcome: string;
  readonly reason: string | null;
  readonly subject: string | null;
  readonly tool: string | null;
  readonly trace_id: string | null;
}

/** One row of the table `audit`. */
export interface Row extends Columns {
  readonly seq: number;
  readonly record: string;
  readonly sealed: Uint8Array | null;
  readonly prev_hash: Uint8Array;
  readonly hash: Uint8Array;
}

/** What of the caller's own words is kept at most, in UTF-16 units: names and headers can be as long as a request. */
export const maxNameLength = 256;

/** The tool that retention is on record as, and the one that changes of the signing key are. */
export const retentionName = 'sallyport.retention';
export const handoverName = 'sallyport.signing-key';

/** The version of the layout and of what is hashed. */
export const format = 2;

/**
 * The layout of the database. `meta` holds one row: the random id that ties the first row to this log, the name under which its
 * checkpoints are signed, and the public half of the key that signs them.
 *
 * Indexes are only what grows at its end: what records are otherwise searched by is in the search index (`segment.ts`), which
 * is made of many records at once. Logs that were begun before there was one have indexes by subject and tool besides.
 */
export const tables = `
CREATE TABLE IF NOT EXISTS meta (
  format INTEGER NOT NULL,
  log_id TEXT NOT NULL,
  origin TEXT NOT NULL,
  verifier_key TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS audit (
  seq INTEGER PRIMARY KEY,
  call_id TEXT,
  time_ms INTEGER NOT NULL,
  kind TEXT NOT NULL,
  outcome TEXT NOT NULL,
  reason TEXT,
  subject TEXT,
  tool TEXT,
  trace_id TEXT,
  record TEXT NOT NULL,
  sealed BLOB,
  prev_hash BLOB NOT NULL,
  hash BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS audit_time ON audit (time_ms);
CREATE INDEX IF NOT EXISTS audit_tool ON audit (seq) WHERE tool = '${retentionName}';
${treeTables}${indexTables}`;

/** All columns of a row, in the order of the table. */
export const rowColumns =
  'seq, call_id, time_ms, kind, outcome, reason, subject, tool, trace_id, record, sealed, prev_hash, hash';

/**
 * The canonical text of a record: members in the order written here, absent ones left out, no white space, strings as
 * `JSON.stringify` escapes them. Only members named here get in, so nothing confidential can slip into the clear.
 */
export function recordText(record: Loggable): string {
  return record.kind === 'refusals' ? refusalText(record) : callText(record);
}

function refusalText({ schema, kind, peer, reason, count, fromMs, toMs }: RefusalCount): string {
  return JSON.stringify({ schema, kind, peer: clip(peer), reason, count, fromMs, toMs });
}

function callText(record: AuditRecord): string {
  const { origin } = record;
  return JSON.stringify({
    schema: record.schema,
    kind: record.kind,
    callId: record.callId,
    traceId: record.traceId,
    spanId: record.spanId,
    parentSpanId: record.parentSpanId,
    parentCall: record.parentCall,
    requestId: clip(record.requestId),
    environment: clip(record.environment),
    timeMs: record.timeMs,
    durationMs: record.durationMs,
    verb: record.verb,
    origin: {
      transport: origin.transport,
      peer: clip(origin.peer),
      era: origin.era,
      host: clip(origin.host),
      browserOrigin: clip(origin.browserOrigin),
    },
    subject: record.subject,
    actor: record.actor,
    client: record.client,
    session: record.session,
    tenant: record.tenant,
    app: record.app,
    method: record.method,
    credentialId: record.credentialId,
    intent: record.intent,
    ...targetMembers(record),
    ...decisionMembers(record),
    outcome: record.outcome,
    toolError: record.toolError,
    resultType: clip(record.resultType),
    code: record.code,
    reason: record.reason,
    stage: record.stage,
    redacted: record.redacted,
    inputBytes: record.inputBytes,
    outputBytes: record.outputBytes,
    outputSealed: record.outputSealed,
  });
}

function targetMembers(record: AuditRecord) {
  return {
    tool: clip(record.tool),
    operation: record.operation,
    service: record.service,
    toolVersion: record.toolVersion,
    definitionHash: record.definitionHash,
    codeHash: clip(record.codeHash),
    instance: record.instance,
    upstreamSpanId: record.upstreamSpanId,
    sideEffect: record.sideEffect,
    classification: record.classification,
    toolRisk: record.toolRisk,
    dataCategories: record.dataCategories,
    auditRequired: record.auditRequired,
    scopesRequired: record.scopesRequired,
  };
}

function decisionMembers(record: AuditRecord) {
  return {
    effect: record.effect,
    policies: record.policies,
    policyRevision: record.policyRevision,
    risk: record.risk && { score: record.risk.score, factors: record.risk.factors },
    obligations: record.obligations,
    policyErrors: record.policyErrors,
    shadow: record.shadow && { effect: record.shadow.effect, policies: record.shadow.policies },
    approval: record.approval,
  };
}

/** The index columns of a record. */
export function columnsOf(record: StoredRecord | Loggable): Columns {
  if (record.kind === 'refusals') {
    return {
      call_id: null,
      time_ms: Math.trunc(record.toMs),
      kind: record.kind,
      outcome: 'refused',
      reason: record.reason,
      subject: null,
      tool: null,
      trace_id: null,
    };
  }
  return {
    call_id: storable(record.callId),
    time_ms: Math.trunc(record.timeMs),
    kind: record.kind,
    outcome: record.outcome,
    reason: record.reason ?? null,
    subject: storable(record.subject),
    tool: storable(clip(record.tool)),
    trace_id: storable(record.traceId),
  };
}

/** SQLite text holds neither lone surrogates nor, reliably, NUL; the record's own text has both escaped. */
export function storable(text: string): string;
export function storable(text: string | undefined): string | null;
export function storable(text: string | undefined): string | null {
  return text === undefined ? null : text.toWellFormed().replaceAll('\0', '\uFFFD');
}

function clip(text: string): string;
function clip(text: string | undefined): string | undefined;
function clip(text: string | undefined): string | undefined {
  return text !== undefined && text.length > maxNameLength ? `${text.slice(0, maxNameLength - 1)}…` : text;
}

/** The `prev_hash` of a log's first row: SHA-256 of `sallyport-audit-2`, a line feed and the log's id. */
export function genesisHash(logId: string): Buffer {
  return hash('sha256', `sallyport-audit-2\n${logId}`, 'buffer');
}

/** What a row's hash covers. */
export interface Hashed {
  readonly prevHash: Uint8Array;
  readonly seq: number;
  readonly record: string;
  readonly sealed: Uint8Array | null;
}

const nothingSealed = Buffer.alloc(32);

/** What stands for the sealed bytes in an entry, so that a row can be proved without them. */
export function sealedDigest(sealed: Uint8Array | null): Buffer {
  return sealed === null ? nothingSealed : hash('sha256', sealed, 'buffer');
}

/**
 * What of a row goes into the tree: 32 bytes `prev_hash`, `seq` as 8 bytes big-endian, the record's text in UTF-8, and 32 bytes
 * SHA-256 of `sealed` (32 zero bytes when there is none). Ends of fixed length make this unambiguous.
 */
export function rowEntry({ prevHash, seq, record }: Omit<Hashed, 'sealed'>, digest: Uint8Array): Buffer {
  const size = Buffer.byteLength(record);
  const bytes = Buffer.allocUnsafe(72 + size);
  bytes.set(prevHash, 0);
  bytes.writeBigUInt64BE(BigInt(seq), 32);
  bytes.write(record, 40, 'utf8');
  bytes.set(digest, 40 + size);
  return bytes;
}

/** The hash of a row: a leaf of the tree, and through `prev_hash` a link of the chain. */
export function rowHash(row: Hashed): Buffer {
  return leafHash(rowEntry(row, sealedDigest(row.sealed)));
}
