import {
  createSegmentBuilder,
  createTermHash,
  rowsOf,
  rowsPerSegment,
  type Segment,
  type SegmentBuilder,
  segmentOf,
} from './segment.ts';

/** A row to index. */
export interface Indexable {
  readonly seq: number;
  readonly record: string;
}

/** How far a log is indexed, and what comes next: whichever database it is in. */
export interface IndexProgress {
  /** Which rows to read next; nothing when all complete segments are indexed. */
  next(lastSeq: number): { readonly from: number; readonly to: number } | undefined;
  /** Takes what was read of them. Gives the segment when it is complete, to be kept and then reported as `kept`. */
  take(rows: Iterable<Indexable>, to: number): { readonly segment: number; readonly built: Segment } | undefined;
  kept(segment: number): void;
  /** Rows after one and up to another are about to be emptied: which segments they are in. These are indexed anew later. */
  forget(after: number, to: number): { readonly from: number; readonly until: number };
}

/** Which log, what is indexed of it, and how many rows to read at a time. */
export interface ProgressParts {
  readonly logId: string;
  readonly indexed: Iterable<number>;
  readonly rowsAtOnce: number;
}

interface Under {
  readonly segment: number;
  readonly builder: SegmentBuilder;
  next: number;
}

/** Begins with the newest complete segment that is not indexed: what is new is what is looked for. */
export function createIndexProgress({ logId, indexed, rowsAtOnce }: ProgressParts): IndexProgress {
  const hashTerm = createTermHash(logId);
  const known = new Set(indexed);
  // Where retention has got to: it will go on there.
  let ending: number | undefined;
  let under: Under | undefined;

  const due = (lastSeq: number): number | undefined => {
    for (let segment = Math.floor(lastSeq / rowsPerSegment) - 1; segment >= 0; segment--) {
      if (!known.has(segment) && segment !== ending) return segment;
    }
    return undefined;
  };
  return {
    next: (lastSeq) => {
      if (under === undefined) {
        const segment = due(lastSeq);
        if (segment === undefined) return undefined;
        under = { segment, builder: createSegmentBuilder(segment, hashTerm), next: rowsOf(segment)[0] };
      }
      return { from: under.next, to: Math.min(rowsOf(under.segment)[1], under.next + rowsAtOnce - 1) };
    },
    take: (rows, to) => {
      if (under === undefined) return undefined;
      for (const { seq, record } of rows) under.builder.add(seq, record);
      under.next = to + 1;
      const { segment, builder } = under;
      if (to < rowsOf(segment)[1]) return undefined;
      under = undefined;
      return { segment, built: builder.finish() };
    },
    kept: (segment) => void known.add(segment),
    forget: (after, to) => {
      const [from, until] = [segmentOf(after + 1), segmentOf(to)];
      ending = until;
      if (under !== undefined && under.segment >= from && under.segment <= until) under = undefined;
      for (let segment = from; segment <= until; segment++) known.delete(segment);
      return { from, until };
    },
  };
}
