import { hash } from 'node:crypto';
import { type Term, termsOf } from './filter.ts';
import type { StoredRecord } from './row.ts';

/**
 * The search index. Ids of calls are random: an index in which each has its place touches a page for every record, which costs
 * the writer more than the record. So rows are indexed when 16,384 of them are complete, all at once: each fact of each row
 * becomes one number, these are sorted, and written one after the other. Whoever looks for a fact looks into each such
 * segment, newest first; ten million rows are 610 of them.
 *
 * It is derived from the records and not part of what is signed: `verifyAudit` holds it against them.
 */
export const rowsPerSegment = 16_384;

/** So many postings are one chunk, which is the least that is read: it fits a row of either database well. */
export const postingsPerChunk = 240;

/** Which facts are in it, and how. What is of another version is indexed anew: it leaves out what came later. */
export const indexVersion = 1;

/** One segment, ready to be kept. */
export interface Segment {
  /** From which time on and until which its calls were received. `minMs` > `maxMs`: it holds none. */
  readonly minMs: number;
  readonly maxMs: number;
  /** The first posting of each chunk, as little-endian doubles. */
  readonly directory: Uint8Array;
  /** The postings, ascending, as little-endian doubles. */
  readonly chunks: readonly Uint8Array[];
}

/** Makes one segment. */
export interface SegmentBuilder {
  /** Takes the row of this number. One that cannot be read has no facts: it is `verifyAudit` who says what is wrong with it. */
  add(seq: number, record: string): void;
  finish(): Segment;
}

/** The segment that a row belongs to; segment 0 begins with row 1. */
export function segmentOf(seq: number): number {
  return Math.floor((seq - 1) / rowsPerSegment);
}

/** The numbers of the first and the last row of a segment. */
export function rowsOf(segment: number): readonly [first: number, last: number] {
  return [segment * rowsPerSegment + 1, (segment + 1) * rowsPerSegment];
}

/** Hashes facts to 39 bits: with the 14 of a row's place that makes 53, which a double holds exactly. Seeded with the log's id, so that nobody who only calls tools can make facts that share a number. */
export function createTermHash(logId: string): (term: Term) => number {
  const seed = hash('sha256', `sallyport-audit-terms\n${logId}`, 'buffer');
  const [first, second] = [seed.readUInt32LE(0), seed.readUInt32LE(4)];
  return ([name, value]) => {
    const text = `${name}=${value}`;
    let [a, b] = [first, second];
    for (let at = 0; at < text.length; at++) {
      const unit = text.charCodeAt(at);
      a = Math.imul(a ^ unit, 2_654_435_761);
      b = Math.imul(b ^ unit, 1_597_334_677);
    }
    a = Math.imul(a ^ (a >>> 16), 2_246_822_507) ^ Math.imul(b ^ (b >>> 13), 3_266_489_909);
    b = Math.imul(b ^ (b >>> 16), 2_246_822_507) ^ Math.imul(a ^ (a >>> 13), 3_266_489_909);
    return (b & 0x7f) * 2 ** 32 + (a >>> 0);
  };
}

/** Begins a segment. */
export function createSegmentBuilder(segment: number, hashTerm: (term: Term) => number): SegmentBuilder {
  const [first] = rowsOf(segment);
  let postings = new Float64Array(rowsPerSegment * 8);
  let count = 0;
  let minMs = Number.MAX_SAFE_INTEGER;
  let maxMs = -1;
  const post = (posting: number): void => {
    if (count === postings.length) {
      const larger = new Float64Array(count * 2);
      larger.set(postings);
      postings = larger;
    }
    postings[count++] = posting;
  };
  return {
    add: (seq, text) => {
      const { timeMs, terms } = factsIn(text);
      if (timeMs === undefined) return;
      minMs = Math.min(minMs, timeMs);
      maxMs = Math.max(maxMs, timeMs);
      for (const term of terms) post(hashTerm(term) * rowsPerSegment + (seq - first));
    },
    finish: () => ({ minMs, maxMs, ...chunksOf(postings.subarray(0, count).sort()) }),
  };
}

function factsIn(text: string): { readonly timeMs?: number; readonly terms: readonly Term[] } {
  try {
    const record = JSON.parse(text) as StoredRecord;
    const timeMs = Math.trunc(record.kind === 'refusals' ? record.toMs : record.timeMs);
    return Number.isSafeInteger(timeMs) ? { timeMs, terms: termsOf(record) } : { terms: [] };
  } catch {
    return { terms: [] };
  }
}

function chunksOf(postings: Float64Array): Pick<Segment, 'directory' | 'chunks'> {
  const chunks: Uint8Array[] = [];
  const firsts: number[] = [];
  for (let at = 0; at < postings.length; at += postingsPerChunk) {
    const chunk = postings.subarray(at, at + postingsPerChunk);
    firsts.push(chunk[0] ?? 0);
    chunks.push(bytesOf(chunk));
  }
  return { directory: bytesOf(firsts), chunks };
}

function bytesOf(numbers: ArrayLike<number>): Uint8Array {
  const bytes = Buffer.alloc(numbers.length * 8);
  for (let at = 0; at < numbers.length; at++) bytes.writeDoubleLE(numbers[at] ?? 0, at * 8);
  return bytes;
}

function numbersIn(bytes: Uint8Array): Float64Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float64Array.from({ length: Math.floor(bytes.length / 8) }, (_, at) => view.getFloat64(at * 8, true));
}

/** Which chunks of a segment can have postings of a fact, by its directory. Empty: none has. */
export function chunksFor(directory: Uint8Array, termHash: number): readonly [from: number, to: number] {
  return [
    chunkAt(directory, termHash * rowsPerSegment),
    chunkAt(directory, (termHash + 1) * rowsPerSegment - 1) + (directory.length > 0 ? 1 : 0),
  ];
}

/** The only chunk of a segment that can have this posting: the last one that does not begin after it. */
export function chunkAt(directory: Uint8Array, posting: number): number {
  const view = new DataView(directory.buffer, directory.byteOffset, directory.byteLength);
  let [low, high] = [0, Math.floor(directory.length / 8)];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (view.getFloat64(middle * 8, true) <= posting) low = middle + 1;
    else high = middle;
  }
  return Math.max(0, low - 1);
}

/** The numbers of rows that a chunk of a segment has for a fact, ascending. */
export function rowsIn(
  chunk: Uint8Array,
  { segment, termHash }: { readonly segment: number; readonly termHash: number },
) {
  const [first] = rowsOf(segment);
  const low = termHash * rowsPerSegment;
  const rows: number[] = [];
  for (const posting of numbersIn(chunk)) {
    if (posting >= low && posting < low + rowsPerSegment) rows.push(first + posting - low);
  }
  return rows;
}

/** The number of a chunk among all chunks of a log. */
export function chunkNumber(segment: number, chunk: number): number {
  return segment * 2 ** 20 + chunk;
}
