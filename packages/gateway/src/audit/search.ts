import { setTimeout as delay } from 'node:timers/promises';
import { type ExportFormat, type ExportSource, formatRow } from './formats.ts';
import { type AuditRow, openForReading, toAuditRow } from './reader.ts';
import { type Row, rowColumns } from './row.ts';

/** What to look for; all that is given must hold. */
export interface AuditFilter {
  readonly subject?: string;
  readonly tool?: string;
  readonly outcome?: 'answered' | 'suspended' | 'refused' | 'intended';
  readonly reason?: string;
  readonly traceId?: string;
  readonly callId?: string;
  /** Made under this intent, or by services that served such a call. */
  readonly intent?: string;
  /** When the call was received, in milliseconds since the epoch; `untilMs` is excluded. */
  readonly sinceMs?: number;
  readonly untilMs?: number;
}

/** How many rows, and from where on. */
export interface AuditPage {
  /** At most so many; default 100. */
  readonly limit?: number;
  /** Only rows before this one: the `seq` of the last row of the page before. */
  readonly beforeSeq?: number;
}

const conditions: Readonly<Record<keyof AuditFilter, string>> = {
  subject: 'subject = ?',
  tool: 'tool = ?',
  outcome: 'outcome = ?',
  reason: 'reason = ?',
  traceId: 'seq IN (SELECT seq FROM audit INDEXED BY audit_time WHERE trace_id = ?)',
  callId: 'seq IN (SELECT seq FROM audit INDEXED BY audit_time WHERE call_id = ?)',
  intent: "json_extract(nullif(record, ''), '$.intent.id') = ?",
  sinceMs: 'time_ms >= ?',
  untilMs: 'time_ms < ?',
};

interface Query {
  readonly where: string;
  readonly values: readonly (string | number)[];
}

function toQuery(filter: AuditFilter, bound?: readonly [condition: string, value: number]): Query {
  const parts: string[] = ["record <> ''", ...(bound ? [bound[0]] : [])];
  const values: (string | number)[] = bound ? [bound[1]] : [];
  for (const [name, condition] of Object.entries(conditions)) {
    const value = filter[name as keyof AuditFilter];
    if (value === undefined) continue;
    parts.push(condition);
    values.push(value);
  }
  return { where: `WHERE ${parts.join(' AND ')}`, values };
}

/** Finds rows, newest first. */
export function searchAudit(path: string, filter: AuditFilter = {}, page: AuditPage = {}): AuditRow[] {
  const { limit = 100, beforeSeq } = page;
  const { where, values } = toQuery(filter, beforeSeq === undefined ? undefined : ['seq < ?', beforeSeq]);
  const db = openForReading(path);
  try {
    const statement = db.prepare(`SELECT ${rowColumns} FROM audit ${where} ORDER BY seq DESC LIMIT ?`);
    return statement.all(...values, limit).map((row) => toAuditRow(row as unknown as Row));
  } finally {
    db.close();
  }
}

/** How to follow a log. */
export interface TailOptions {
  readonly filter?: AuditFilter;
  /** Begin with so many rows that are there already; default 10. */
  readonly last?: number;
  /** How often to look, in milliseconds; default 250. */
  readonly everyMs?: number;
  /** Ends it. */
  readonly signal?: AbortSignal;
}

/** Follows a log as it is written: the last few rows, then each new one, oldest first. Ends when the signal fires. */
export async function* tailAudit(path: string, options: TailOptions = {}): AsyncGenerator<AuditRow, void> {
  const { filter = {}, last = 10, everyMs = 250, signal } = options;
  let seq = lastSeq(path);
  if (last > 0) yield* searchAudit(path, filter, { limit: last, beforeSeq: seq + 1 }).reverse();
  while (!signal?.aborted) {
    const upTo = lastSeq(path);
    if (upTo > seq) yield* rowsOf(path, filter, [seq, upTo]);
    seq = upTo;
    await delay(everyMs, undefined, signal && { signal }).catch(() => undefined);
  }
}

/** What to write, and from where on. */
export interface ExportOptions {
  readonly filter?: AuditFilter;
  /** Default `ndjson`: one line `{"seq","hash","record","sealed"?}` each; `sealed` stays encrypted, in base64. */
  readonly format?: ExportFormat;
  /** Only rows after this one: the last one that arrived. Whoever goes on from there gets every row at least once. */
  readonly afterSeq?: number;
  readonly source: Omit<ExportSource, 'origin'>;
}

/** A line to send, and the row it is of. */
export interface ExportedLine {
  readonly seq: number;
  readonly line: string;
}

/** Writes rows for other programs, oldest first. */
export function* exportAudit(path: string, options: ExportOptions): Generator<ExportedLine, void> {
  const { filter = {}, format = 'ndjson', afterSeq = 0, source } = options;
  const whole = { ...source, origin: originOf(path) };
  for (const row of rowsOf(path, filter, [afterSeq, lastSeq(path)])) {
    yield { seq: row.seq, line: formatRow(row, format, whole) };
  }
}

function originOf(path: string): string {
  const db = openForReading(path);
  try {
    return String(db.prepare('SELECT origin FROM meta').get()?.origin);
  } finally {
    db.close();
  }
}

/** So many rows are read at a time: no read stays open while the consumer takes its time. */
const rowsAtOnce = 500;

function* rowsOf(path: string, filter: AuditFilter, [after, upTo]: readonly [number, number]): Generator<AuditRow> {
  const { where, values } = toQuery(filter, ['seq <= ?', upTo]);
  const db = openForReading(path);
  try {
    const statement = db.prepare(`SELECT ${rowColumns} FROM audit ${where} AND seq > ? ORDER BY seq LIMIT ?`);
    for (let seq = after; ; ) {
      const rows = statement.all(...values, seq, rowsAtOnce).map((row) => toAuditRow(row as unknown as Row));
      yield* rows;
      const end = rows.at(-1);
      if (end === undefined || rows.length < rowsAtOnce) return;
      seq = end.seq;
    }
  } finally {
    db.close();
  }
}

function lastSeq(path: string): number {
  const db = openForReading(path);
  try {
    return Number(db.prepare('SELECT max(seq) AS seq FROM audit').get()?.seq ?? 0);
  } finally {
    db.close();
  }
}
