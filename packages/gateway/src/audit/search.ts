import { setTimeout as delay } from 'node:timers/promises';
import type { AuditFilter } from './filter.ts';
import { matches } from './filter.ts';
import { newestFirst } from './find.ts';
import { createFormatter, type ExportFormat, type ExportSource } from './formats.ts';
import { type AuditSource, type LogReader, openLogs, theOnly, withLogs } from './log-reader.ts';
import { type AuditRow, toAuditRow } from './reader.ts';

export type { AuditFilter } from './filter.ts';

/** How many rows, and from where on. */
export interface AuditPage {
  /** At most so many; default 100. */
  readonly limit?: number;
  /** Only what comes after a page: its `next`, or, where there is one log, the number of its last row. */
  readonly before?: string | number;
}

/** Rows that were found, and how to get those after them; absent when these are all. */
export interface FoundRows {
  readonly rows: readonly FoundRow[];
  readonly next?: string;
}

/** A row, and which log it is of where there are several. */
export interface FoundRow extends AuditRow {
  readonly origin?: string;
}

/** Finds rows, newest first. @throws Error when there is no log or it cannot be read. */
export async function searchAudit(
  source: AuditSource,
  filter: AuditFilter = {},
  page: AuditPage = {},
): Promise<FoundRow[]> {
  return [...(await findAudit(source, filter, page)).rows];
}

/**
 * The same page by page. Rows of several logs are in the order of their calls, as far as each log is.
 *
 * @throws Error also for a `before` that is none.
 */
export async function findAudit(
  source: AuditSource,
  filter: AuditFilter = {},
  { limit = 100, before }: AuditPage = {},
): Promise<FoundRows> {
  return withLogs(source, async (logs) => {
    const ends = await endsOf(logs, before);
    // One more than is wanted tells whether there is a next page.
    const wanted = limit + 1;
    const queues = logs.map((reader, at) => ({
      origin: logs.length > 1 ? reader.origin : undefined,
      rows: newestFirst(reader, { filter, before: ends[at] ?? 0, wanted }),
    }));
    const heads = await Promise.all(queues.map(({ rows }) => nextOf(rows)));
    const found: FoundRow[] = [];
    while (found.length < limit) {
      const at = newestOf(heads);
      const head = heads[at];
      if (head === undefined) return { rows: found };
      const { origin, rows } = queues[at] ?? {};
      found.push(origin === undefined ? head : { ...head, origin });
      ends[at] = head.seq;
      heads[at] = rows && (await nextOf(rows));
    }
    return heads.some((head) => head !== undefined) ? { rows: found, next: cursorOf(ends) } : { rows: found };
  });
}

async function nextOf(rows: AsyncGenerator<AuditRow>): Promise<AuditRow | undefined> {
  const { value, done } = await rows.next();
  return done ? undefined : value;
}

function newestOf(heads: readonly (AuditRow | undefined)[]): number {
  let newest = -1;
  let newestMs = Number.NEGATIVE_INFINITY;
  for (const [at, head] of heads.entries()) {
    const ms = head === undefined ? Number.NEGATIVE_INFINITY : timeOf(head);
    if (ms > newestMs) [newest, newestMs] = [at, ms];
  }
  return newest;
}

function timeOf({ record }: AuditRow): number {
  return record.kind === 'refusals' ? record.toMs : record.timeMs;
}

/** Before which row of each log to begin. Rows that come meanwhile are on no page. */
async function endsOf(logs: readonly LogReader[], before: string | number | undefined): Promise<number[]> {
  if (before === undefined) return Promise.all(logs.map(async (log) => (await log.lastSeq()) + 1));
  const ends = String(before)
    .split('.')
    .map((part) => (/^\d{1,15}$/.test(part) ? Number(part) : Number.NaN));
  if (ends.length > logs.length || ends.some(Number.isNaN)) {
    throw new Error(`"${before}" is not where a page ended: take it from the page before`);
  }
  return logs.map((_, at) => ends[at] ?? 0);
}

function cursorOf(ends: readonly number[]): string {
  return ends.join('.');
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

/** Follows logs as they are written: the last few rows, then each new one, oldest first. Ends when the signal fires. */
export async function* tailAudit(source: AuditSource, options: TailOptions = {}): AsyncGenerator<FoundRow, void> {
  const { filter = {}, last = 10, everyMs = 250, signal } = options;
  let ends = await lastRows(source);
  const before = cursorOf([...ends.values()].map((seq) => seq + 1));
  if (last > 0) yield* (await searchAudit(source, filter, { limit: last, before })).reverse();
  while (!signal?.aborted) {
    const now = await lastRows(source);
    for (const [origin, to] of now) {
      const after = ends.get(origin) ?? 0;
      if (to > after) yield* rowsBetween(source, { filter, origin: now.size > 1 ? origin : undefined, after, to });
    }
    ends = now;
    await delay(everyMs, undefined, signal && { signal }).catch(() => undefined);
  }
}

/** The number of the last row of each log, by its name. */
function lastRows(source: AuditSource): Promise<Map<string, number>> {
  return withLogs(source, async (logs) => {
    const ends = logs.map(async (log) => [log.origin, await log.lastSeq()] as const);
    return new Map(await Promise.all(ends));
  });
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

/** Writes rows of one log for other programs, oldest first. @throws Error when the source has several logs. */
export async function* exportAudit(from: AuditSource, options: ExportOptions): AsyncGenerator<ExportedLine, void> {
  const { filter = {}, format = 'ndjson', afterSeq = 0, source } = options;
  const { origin, to } = await withLogs(from, async (logs) => {
    const log = theOnly(logs);
    return { origin: log.origin, to: await log.lastSeq() };
  });
  const write = createFormatter(format);
  for await (const row of rowsBetween(from, { filter, origin: undefined, after: afterSeq, to })) {
    yield { seq: row.seq, line: write(row, { ...source, origin }) };
  }
}

/** So many rows are read at a time: no read stays open while the consumer takes its time. */
const rowsAtOnce = 500;

interface Between {
  readonly filter: AuditFilter;
  /** Which log, where there are several. */
  readonly origin: string | undefined;
  readonly after: number;
  readonly to: number;
}

/** Rows of a log, oldest first. */
async function* rowsBetween(source: AuditSource, { filter, origin, after, to }: Between): AsyncGenerator<FoundRow> {
  const { logs, close } = await openLogs(source);
  try {
    const log = origin === undefined ? theOnly(logs) : logs.find((each) => each.origin === origin);
    for (let from = after + 1; log !== undefined && from <= to; ) {
      const rows = await log.rows({ from, to, limit: rowsAtOnce, filter });
      for (const row of rows) {
        const read = toAuditRow(row);
        if (matches(read.record, filter)) yield origin === undefined ? read : { ...read, origin };
      }
      if (rows.length < rowsAtOnce) return;
      from = (rows.at(-1)?.seq ?? to) + 1;
    }
  } finally {
    await close();
  }
}
