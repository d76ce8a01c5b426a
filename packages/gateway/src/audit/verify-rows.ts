import { setImmediate as nextTick } from 'node:timers/promises';
import { createRowChecker, type Finding, isExpired } from './check.ts';
import type { LogReader } from './log-reader.ts';
import { createFrontier } from './merkle.ts';
import type { Row } from './row.ts';
import { chunkNumber, createSegmentBuilder, createTermHash, rowsOf, type Segment, segmentOf } from './segment.ts';
import { levelsApart } from './tree.ts';

/** More would not help anybody. */
export const maxFindings = 1000;

/** So many rows are read at a time, and other work gets a turn after them. */
const rowsAtOnce = 1024;

/** What is asked of the rows. */
export interface Wanted {
  /** Sizes of the tree whose roots are asked for. */
  readonly sizes: ReadonlySet<number>;
  /** Retention may have emptied rows up to this one. */
  readonly through: number;
}

/** What the rows say. */
export interface Read {
  readonly rows: number;
  readonly expired: number;
  readonly lastSeq: number;
  readonly findings: readonly Finding[];
  /** Roots of the tree at the sizes asked for. */
  readonly roots: ReadonlyMap<number, Uint8Array>;
}

/** Reads all rows of a log and says what is wrong with them, with the tree that is kept of them, and with the search index. */
export async function readRows(log: LogReader, { sizes, through }: Wanted): Promise<Read> {
  const checker = createRowChecker(log.logId, through);
  const tree = createFrontier();
  const roots = new Map<number, Uint8Array>();
  const findings: Finding[] = [];
  const say = (found: readonly Finding[]): void => {
    if (findings.length < maxFindings) findings.push(...found);
  };
  const index = createIndexChecker(log, await log.segments());
  let nodes: Node[] = [];
  const onNode = (height: number, position: number, hash: Uint8Array): void => {
    if (height % levelsApart === 0) nodes.push({ height, position, hash });
  };
  let [rows, expired, lastSeq] = [0, 0, 0];
  const take = (row: Row): void => {
    const wrong = checker.take(row);
    say(wrong);
    index.take(row, wrong.length > 0);
    tree.append(row.hash instanceof Uint8Array ? row.hash : new Uint8Array(32), onNode);
    lastSeq = row.seq;
    rows++;
    if (isExpired(row)) expired++;
    if (sizes.has(rows)) roots.set(rows, tree.root());
  };
  if (sizes.has(0)) roots.set(0, tree.root());
  for (let from = Number.MIN_SAFE_INTEGER; ; from = lastSeq + 1) {
    const batch = await log.rows({ from, to: Number.MAX_SAFE_INTEGER, limit: rowsAtOnce });
    for (const row of batch) take(row);
    if (!findings.some(shakesTree)) say(await unlikeKept(log, nodes));
    say(await index.check());
    nodes = [];
    if (batch.length < rowsAtOnce) break;
    await nextTick();
  }
  return { rows, expired, lastSeq, findings, roots };
}

/** Whether a finding means that the tree of the rows that are there is another than the one that was signed. */
export function shakesTree({ kind }: Finding): boolean {
  return kind !== 'index_mismatch';
}

interface Node {
  readonly height: number;
  readonly position: number;
  readonly hash: Uint8Array;
}

/** Nodes that are kept have to be those that the rows make: up to the first that is not. */
async function unlikeKept(log: LogReader, nodes: readonly Node[]): Promise<Finding[]> {
  for (const { height, position, hash } of nodes) {
    const [kept] = await log.nodes(height, position, position + 1);
    if (kept instanceof Uint8Array && Buffer.compare(kept, hash) === 0) continue;
    const [from, to] = [position * 2 ** height + 1, (position + 1) * 2 ** height];
    const detail = `rows ${from} to ${to} are not those that the tree was built of`;
    return [{ seq: from, kind: 'changed', detail }];
  }
  return [];
}

interface IndexChecker {
  take(row: Row, isWrong: boolean): void;
  /** What is wrong with the index of segments whose rows have all been taken. */
  check(): Promise<Finding[]>;
}

/** Makes the search index once more, and holds it against the one that is kept: a row that cannot be found is as good as dropped. */
function createIndexChecker(log: LogReader, indexed: Awaited<ReturnType<LogReader['segments']>>): IndexChecker {
  const hashTerm = createTermHash(log.logId);
  const known = new Set(indexed.map(({ segment }) => segment));
  let under: { segment: number; builder: ReturnType<typeof createSegmentBuilder>; isWrong: boolean } | undefined;
  let ready: { readonly segment: number; readonly built: Segment }[] = [];
  return {
    take: ({ seq, record }, isWrong) => {
      const segment = segmentOf(seq);
      if (!known.has(segment)) return;
      if (under?.segment !== segment)
        under = { segment, builder: createSegmentBuilder(segment, hashTerm), isWrong: false };
      under.isWrong ||= isWrong;
      if (typeof record === 'string' && record !== '') under.builder.add(seq, record);
      if (seq === rowsOf(segment)[1] && !under.isWrong) ready.push({ segment, built: under.builder.finish() });
    },
    check: async () => {
      const due = ready;
      ready = [];
      const findings: Finding[] = [];
      for (const { segment, built } of due) {
        if (await isAsKept(log, segment, built)) continue;
        const [from, to] = rowsOf(segment);
        const detail = `the search index of rows ${from} to ${to} is not theirs: not all of them are found`;
        findings.push({ seq: from, kind: 'index_mismatch', detail });
      }
      return findings;
    },
  };
}

async function isAsKept(log: LogReader, segment: number, { directory, chunks }: Segment): Promise<boolean> {
  const kept = (await log.directories([segment])).get(segment);
  if (kept === undefined || Buffer.compare(kept, directory) !== 0) return false;
  const numbers = chunks.map((_, at) => chunkNumber(segment, at));
  const found = await log.chunks(numbers);
  return chunks.every((chunk, at) => {
    const own = found.get(numbers[at] ?? -1);
    return own !== undefined && Buffer.compare(own, chunk) === 0;
  });
}
