import { type AuditFilter, matches, termsIn } from './filter.ts';
import type { IndexedSegment, LogReader } from './log-reader.ts';
import { type AuditRow, toAuditRow } from './reader.ts';
import type { Row } from './row.ts';
import { chunkAt, chunkNumber, chunksFor, createTermHash, rowsIn, rowsOf, rowsPerSegment } from './segment.ts';

/** How to read. */
export interface FindOptions {
  readonly filter: AuditFilter;
  /** Only rows before this one. */
  readonly before: number;
  /** About so many rows will be wanted. */
  readonly wanted: number;
}

/** More rows are not read at a time: no read takes long, and no read stays open while the consumer takes its time. */
const mostRows = 500;

/** So many segments of the index are looked into at once, at most. */
const mostSegments = 64;

/**
 * Finds rows, newest first: by the search index where there is one, by reading where there is none yet. What the index says is
 * only where to look; whether a row is what was asked for, the row says.
 */
export async function* newestFirst(reader: LogReader, options: FindOptions): AsyncGenerator<AuditRow> {
  const { filter, before } = options;
  const end = Math.min(before - 1, await reader.lastSeq());
  const segments = (await reader.segments()).filter(({ segment }) => rowsOf(segment)[0] <= end);
  const hashTerm = createTermHash(reader.logId);
  const search = { reader, options, terms: termsIn(filter).map(hashTerm) };
  let next = end;
  for (let at = 0, batch = 1; at < segments.length; batch = Math.min(batch * 2, mostSegments)) {
    const [newest] = segments.slice(at, at + 1);
    if (newest === undefined) break;
    const [, last] = rowsOf(newest.segment);
    if (next > last) yield* read(search, last + 1, next);
    const some = adjoining(segments.slice(at, at + batch));
    at += some.length;
    const [first] = rowsOf(some.at(-1)?.segment ?? newest.segment);
    yield* search.terms.length === 0
      ? readSegments(search, some, Math.min(last, next))
      : lookUp(search, some, Math.min(last, next));
    next = first - 1;
  }
  if (next > 0) yield* read(search, 1, next);
}

interface Search {
  readonly reader: LogReader;
  readonly options: FindOptions;
  /** Hashes of the facts that are asked for. */
  readonly terms: readonly number[];
}

/** The segments at the beginning of a list that follow each other without a gap. */
function adjoining(segments: readonly IndexedSegment[]): readonly IndexedSegment[] {
  const gap = segments.findIndex(({ segment }, at) => at > 0 && segments[at - 1]?.segment !== segment + 1);
  return gap < 0 ? segments : segments.slice(0, gap);
}

function mayHold({ minMs, maxMs }: IndexedSegment, { sinceMs, untilMs }: AuditFilter): boolean {
  return (sinceMs === undefined || maxMs >= sinceMs) && (untilMs === undefined || minMs < untilMs);
}

/** Reads rows and keeps what fits. */
async function* read({ reader, options }: Search, from: number, to: number): AsyncGenerator<AuditRow> {
  const { filter, wanted } = options;
  const limit = Math.max(1, Math.min(wanted, mostRows));
  for (let last = to; last >= from; ) {
    const rows = await reader.rows({ from, to: last, limit, newestFirst: true, filter });
    yield* fitting(rows, filter);
    if (rows.length < limit) return;
    last = (rows.at(-1)?.seq ?? from) - 1;
  }
}

/** Without a fact to look up: reads those segments that have calls of the time. */
async function* readSegments(search: Search, segments: readonly IndexedSegment[], end: number) {
  const held = segments.filter((segment) => mayHold(segment, search.options.filter));
  for (const { segment } of held) {
    const [first, last] = rowsOf(segment);
    yield* read(search, first, Math.min(last, end));
  }
}

/** Looks facts up in segments. */
async function* lookUp(search: Search, segments: readonly IndexedSegment[], end: number): AsyncGenerator<AuditRow> {
  const { reader, options } = search;
  const held = segments.filter((segment) => mayHold(segment, options.filter)).map(({ segment }) => segment);
  if (held.length === 0) return;
  const found = (await postings(search, held)).filter((seq) => seq <= end);
  const atOnce = Math.max(1, Math.min(options.wanted, mostRows));
  for (let at = 0; at < found.length; at += atOnce) {
    yield* fitting(await reader.rowsByNumber(found.slice(at, at + atOnce)), options.filter);
  }
}

function* fitting(rows: readonly Row[], filter: AuditFilter): Generator<AuditRow> {
  for (const row of rows) {
    const read = toAuditRow(row);
    if (row.record !== '' && matches(read.record, filter)) yield read;
  }
}

/** What is known of one fact in one segment: which chunks it can be in. */
interface Place {
  readonly segment: number;
  readonly termHash: number;
  readonly from: number;
  readonly to: number;
}

/** Numbers of rows that have all facts, by the index, newest first. */
async function postings({ reader, terms }: Search, segments: readonly number[]): Promise<number[]> {
  const directories = await reader.directories(segments);
  const plans = segments.flatMap((segment) => {
    const directory = directories.get(segment);
    if (directory === undefined) return [];
    const places = terms.map((termHash): Place => {
      const [from, to] = chunksFor(directory, termHash);
      return { segment, termHash, from, to };
    });
    // The fact that the fewest rows have goes first, and the others only where it is.
    places.sort((a, b) => a.to - a.from - (b.to - b.from));
    return places.some(({ from, to }) => from >= to) ? [] : [{ directory, places }];
  });
  let found: (Set<number> | undefined)[] = plans.map(() => undefined);
  for (let level = 0; level < terms.length; level++) {
    const wanted = plans.map(({ places, directory }, at) => {
      const place = places[level];
      return place === undefined ? [] : chunksOf(place, { directory, among: found[at] });
    });
    const chunks = await reader.chunks(wanted.flat());
    found = plans.map(({ places }, at) => {
      const place = places[level];
      const rows = (wanted[at] ?? []).flatMap((number) => {
        const chunk = chunks.get(number);
        return chunk === undefined || place === undefined ? [] : rowsIn(chunk, place);
      });
      const known = found[at];
      return new Set(known === undefined ? rows : rows.filter((seq) => known.has(seq)));
    });
  }
  return found.flatMap((rows) => [...(rows ?? [])]).sort((a, b) => b - a);
}

/** Numbers of the chunks to read for a fact: all it can be in, or those that can have it for rows that are known. */
function chunksOf(
  { segment, termHash, from, to }: Place,
  { directory, among }: { readonly directory: Uint8Array; readonly among: ReadonlySet<number> | undefined },
): readonly number[] {
  if (among === undefined || among.size >= to - from) {
    return among?.size === 0 ? [] : Array.from({ length: to - from }, (_, at) => chunkNumber(segment, from + at));
  }
  const [first] = rowsOf(segment);
  const chunks = new Set<number>();
  for (const seq of among) {
    chunks.add(chunkNumber(segment, chunkAt(directory, termHash * rowsPerSegment + seq - first)));
  }
  return [...chunks];
}
