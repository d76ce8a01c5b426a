import { type Checkpoint, openCheckpoint, readCheckpoint } from './checkpoint.ts';
import { NoteRefused, type Verifier } from './note.ts';
import { type Columns, columnsOf, genesisHash, type Row, rowHash, type StoredRecord } from './row.ts';

/** One thing that is wrong with a log, and the row it is wrong with. */
export interface Finding {
  readonly seq: number;
  readonly kind: 'changed' | 'missing' | 'reordered' | 'index_mismatch' | 'truncated' | 'unreadable';
  readonly detail: string;
}

/** Takes rows in the order of their numbers and says what is wrong with each, or with an earlier one it proves wrong. */
export interface RowChecker {
  take(row: Row): readonly Finding[];
}

interface Previous {
  readonly seq: number;
  readonly hash: Uint8Array;
  /** Whether its own hash is right: a broken link to a row known to be wrong is no news. */
  readonly intact: boolean;
}

/** How far from its place a row is looked for by its hash. */
const reach = 64;

const columnNames = Object.keys(
  columnsOf({ schema: 1, kind: 'refusals', peer: '', reason: 'internal', count: 0, fromMs: 0, toMs: 0 }),
) as readonly (keyof Columns)[];

/**
 * Starts at row 1 of the log with this id, or, without an id, trusts the place and the `prev_hash` of the first row it is
 * given. Rows up to `through` may have been emptied by retention. Remembers numbers of wrong rows, nothing else.
 */
export function createRowChecker(logId?: string, through = 0): RowChecker {
  let previous: Previous | undefined =
    logId === undefined ? undefined : { seq: 0, hash: genesisHash(logId), intact: true };
  let shift: number | undefined;
  const wrong = new Set<number>();

  const placed = (row: Row): Finding[] => {
    if (previous === undefined || row.seq === previous.seq + 1) return [];
    if (row.seq <= previous.seq) return [finding(row.seq, 'changed', 'two rows carry this number')];
    return [missing(previous.seq + 1, row.seq - 1)];
  };

  const linked = (row: Row): Finding[] => {
    if (!previous?.intact || row.seq !== previous.seq + 1 || same(previous.hash, row.prev_hash)) return [];
    if (previous.seq === 0) return [finding(row.seq, 'changed', 'it is not the first row of this log')];
    return [finding(previous.seq, 'changed', `row ${row.seq} was chained to another row than this one`)];
  };

  const misplaced = (row: Row, place: number): Finding[] => {
    const again = shift === row.seq - place;
    shift = row.seq - place;
    const found = again ? [] : [finding(row.seq, 'reordered', `it was written as row ${place}`)];
    if (place < row.seq && !wrong.has(place)) found.push(finding(place, 'changed', 'a row was put in its place'));
    return found;
  };

  const judge = (row: Row): { intact: boolean; found: Finding[] } => {
    if (row.seq <= through && isExpired(row)) return { intact: true, found: linked(row) };
    if (same(hashAt(row, row.seq), row.hash)) return { intact: true, found: [...linked(row), ...content(row)] };
    const place = placeOf(row);
    if (place !== undefined) return { intact: false, found: misplaced(row, place) };
    return { intact: false, found: [finding(row.seq, 'changed', 'its hash does not match its content')] };
  };

  return {
    take: (row) => {
      if (!isReadable(row)) {
        previous = { seq: row.seq, hash: new Uint8Array(), intact: false };
        return [finding(row.seq, 'unreadable', 'its columns are not of the expected types')];
      }
      const place = placed(row);
      const { intact, found } = judge(row);
      if (intact) shift = undefined;
      else wrong.add(row.seq);
      if (wrong.size > 100_000) wrong.clear();
      previous = { seq: row.seq, hash: row.hash, intact };
      return [...place, ...found];
    },
  };
}

/** Where a log ends, and what was signed about it. */
export interface End {
  /** The newest checkpoint, as it was read; absent when there is none. */
  readonly note: string | undefined;
  /** Whose signature it must carry. */
  readonly verifiers: readonly Verifier[];
  readonly origin: string;
  readonly lastSeq: number;
  /** How many rows an earlier checkpoint has shown to be right. */
  readonly agreed?: number;
  /** The root of the tree of as many rows as a checkpoint says; only asked for sizes that are there. */
  readonly rootOf: (checkpoint: Checkpoint) => Uint8Array | undefined;
}

/** What the newest checkpoint says against the log. */
export function checkEnd({ note, verifiers, origin, ...end }: End): Finding[] {
  const { lastSeq } = end;
  if (note === undefined) {
    return [
      finding(lastSeq, 'truncated', 'there is no checkpoint file: whether rows are missing at the end is unknown'),
    ];
  }
  const { checkpoint, found } = signedOr(note, verifiers);
  if (checkpoint === undefined) return found;
  if (checkpoint.origin !== origin)
    return [finding(Math.min(lastSeq, 1), 'changed', 'the checkpoint is of another log')];
  return [...found, ...checkAgainst(checkpoint, { ...end, what: 'the checkpoint' })];
}

/** What one checkpoint, whose signature is known to be right, says against the log. `what` names it in findings. */
export function checkAgainst(
  checkpoint: Checkpoint,
  { lastSeq, rootOf, agreed = 0, what }: Pick<End, 'lastSeq' | 'rootOf' | 'agreed'> & { readonly what: string },
): Finding[] {
  const { size, root, closed } = checkpoint;
  if (size > lastSeq) {
    return [
      finding(lastSeq + 1, 'truncated', `rows ${lastSeq + 1} to ${size} are gone from the end: ${what} has them`),
    ];
  }
  const rootNow = rootOf(checkpoint);
  const found: Finding[] = [];
  if (rootNow && !same(rootNow, root)) {
    const from = Math.min(agreed, size - 1) + 1;
    found.push(finding(from, 'changed', `among rows ${from} to ${size} are others than ${what} was signed for`));
  }
  if (closed && size < lastSeq && what === 'the checkpoint') {
    found.push(finding(size + 1, 'changed', 'it was added after the log had been closed'));
  }
  return found;
}

/** A checkpoint, and what is wrong with its signature; only the latter when it cannot be read at all. */
function signedOr(note: string, verifiers: readonly Verifier[]): { checkpoint?: Checkpoint; found: Finding[] } {
  try {
    return { checkpoint: openCheckpoint(note, verifiers), found: [] };
  } catch (error) {
    if (!(error instanceof NoteRefused)) throw error;
    try {
      const checkpoint = readCheckpoint(note);
      return { checkpoint, found: [finding(checkpoint.size, 'changed', `the checkpoint: ${error.message}`)] };
    } catch {
      const detail = 'the checkpoint file cannot be read: whether rows are missing at the end is unknown';
      return { found: [finding(0, 'unreadable', detail)] };
    }
  }
}

/** Whether only the hashes of a row are left. */
export function isExpired({ record, sealed, kind }: Row): boolean {
  return record === '' && sealed === null && kind === 'expired';
}

function isReadable({ record, sealed, prev_hash, hash }: Row): boolean {
  const isSealed = sealed === null || (sealed instanceof Uint8Array && sealed.length > 0);
  const areHashes = prev_hash instanceof Uint8Array && hash instanceof Uint8Array;
  return typeof record === 'string' && isSealed && areHashes && prev_hash.length === 32 && hash.length === 32;
}

function content(row: Row): Finding[] {
  let expected: Columns;
  try {
    const record = JSON.parse(row.record) as StoredRecord;
    if (record.schema !== 1) return [finding(row.seq, 'unreadable', `schema ${String(record.schema)} is not known`)];
    expected = columnsOf(record);
  } catch {
    return [finding(row.seq, 'unreadable', 'its record is not JSON')];
  }
  const differing = columnNames.filter((name) => row[name] !== expected[name]);
  if (differing.length === 0) return [];
  return [finding(row.seq, 'index_mismatch', `${differing.join(', ')} disagree with the record`)];
}

/** The number under which this row's hash is right, if it is near: then the row was moved, not changed. */
function placeOf(row: Row): number | undefined {
  for (let distance = 1; distance <= reach; distance++) {
    for (const seq of [row.seq - distance, row.seq + distance]) {
      if (seq > 0 && same(hashAt(row, seq), row.hash)) return seq;
    }
  }
  return undefined;
}

function hashAt({ prev_hash, record, sealed }: Row, seq: number): Buffer {
  return rowHash({ prevHash: prev_hash, seq, record, sealed });
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

function missing(from: number, to: number): Finding {
  return finding(from, 'missing', from === to ? 'the row is missing' : `rows ${from} to ${to} are missing`);
}

function finding(seq: number, kind: Finding['kind'], detail: string): Finding {
  return { seq, kind, detail };
}
