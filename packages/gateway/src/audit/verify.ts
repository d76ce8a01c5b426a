import type { DatabaseSync } from 'node:sqlite';
import { setImmediate as nextTick } from 'node:timers/promises';
import { checkAgainst, checkEnd, createRowChecker, type Finding, isExpired } from './check.ts';
import { type Checkpoint, openCheckpoint, readCheckpoint } from './checkpoint.ts';
import { readCheckpointFile, readWitness } from './checkpoint-file.ts';
import { type Handover, handoversIn } from './handover.ts';
import { createKeyChain, type KeyChain } from './key-chain.ts';
import { createFrontier } from './merkle.ts';
import { NoteRefused } from './note.ts';
import { openForReading } from './reader.ts';
import { retainedThrough } from './retention.ts';
import { type Row, rowColumns } from './row.ts';
import { levelsApart } from './tree.ts';

/** Whom to believe. */
export interface VerifyOptions {
  /**
   * Public keys that checkpoints may be signed with, as `sallyport audit key` prints them. Without any, the key that the log
   * itself names is used: that shows damage, but not that somebody else wrote all of it.
   */
  readonly keys?: readonly string[];
  /** Files of checkpoints that were kept elsewhere. */
  readonly witnesses?: readonly string[];
}

/** What came of verifying a log. */
export interface Verification {
  readonly ok: boolean;
  /** How many rows were read. */
  readonly rows: number;
  /** Of how many only the hashes are left, as retention has put on record. */
  readonly expired: number;
  /** In the order of rows; at most `maxFindings`. */
  readonly findings: readonly Finding[];
  /** Checkpoints that agree with the log: of its own, and of witnesses. */
  readonly checkpoints: number;
  readonly witnessed: number;
  /** Whether the key that signed was given by whoever verifies, or only found in the log. */
  readonly isKeyTrusted: boolean;
  /** How many times another key took over from the one that was believed, or was before it; each was vouched for. */
  readonly handovers: number;
}

/** More would not help anybody. */
export const maxFindings = 1000;

/** Other work gets a turn after so many rows. */
const rowsPerTurn = 500;

/**
 * Verifies a whole log: every row against its own hash, its predecessor and its index columns, the tree of all rows against
 * every checkpoint there is, and the end against the newest. Reads only, streams, and works offline and beside a gateway
 * that writes.
 *
 * @throws Error when there is no such file, it is not a database, or a key or witness cannot be read.
 */
export async function verifyAudit(path: string, options: VerifyOptions = {}): Promise<Verification> {
  const { keys = [], witnesses = [] } = options;
  // Before the rows: the log may grow meanwhile, but may never be shorter than a checkpoint that was already there.
  const note = readCheckpointFile(path);
  const witnessed = witnesses.flatMap((file) =>
    readWitness(file).map((text) => ({ text, from: `the witness ${file}` })),
  );
  const db = openForReading(path);
  try {
    // One state of it, from the first look on.
    db.exec('BEGIN');
    const { origin, logId, ownKey } = identityIn(db);
    const handovers = handoversIn(db);
    const chain = createKeyChain(origin, keys.length > 0 ? keys : ownKey === undefined ? [] : [ownKey], handovers);
    const kept = db.prepare('SELECT note FROM checkpoints ORDER BY size').all();
    const own = kept.map((row) => ({ text: String(row.note), from: 'a checkpoint in the log' }));
    const signed = readSigned([...own, ...witnessed], origin, chain);
    const sizes = new Set([...signed.good.map(({ checkpoint }) => checkpoint.size), ...sizeIn(note)]);
    // Once more: retention may have been signed between the two, and only since then be seen in the rows.
    const newest = readSigned([{ text: readCheckpointFile(path) ?? '', from: '' }], origin, chain).good;
    const signedSize = Math.max(0, ...[...signed.good, ...newest].map(({ checkpoint }) => checkpoint.size));
    const read = await readRows(db, { logId, sizes, through: retainedThrough(db, signedSize) });
    const verifiers = chain.verifiersAt(sizeIn(note)[0] ?? 0);
    const handed = [...chain.findings, ...unlikeRows(db, handovers)];
    const findings = [...handed, ...read.findings, ...signed.findings, ...compare(signed.good, read)];
    const rootOf = ({ size }: Checkpoint) => read.roots.get(size);
    findings.push(...checkEnd({ note, verifiers, origin, lastSeq: read.lastSeq, rootOf }).filter(newsAfter(findings)));
    const all = distinct(findings);
    const isWitness = ({ from }: { from: string }) => from.startsWith('the witness');
    return {
      ok: all.length === 0,
      rows: read.rows,
      expired: read.expired,
      findings: all.slice(0, maxFindings),
      checkpoints: signed.good.filter((each) => !isWitness(each)).length,
      witnessed: signed.good.filter(isWitness).length,
      isKeyTrusted: keys.length > 0,
      handovers: chain.followed,
    };
  } finally {
    db.close();
  }
}

function identityIn(db: DatabaseSync): { origin: string; logId: string; ownKey: string | undefined } {
  const meta = db.prepare('SELECT * FROM meta').get();
  const ownKey = typeof meta?.verifier_key === 'string' ? meta.verifier_key : undefined;
  return { origin: String(meta?.origin ?? ''), logId: String(meta?.log_id ?? ''), ownKey };
}

interface Signed {
  readonly good: readonly { readonly checkpoint: Checkpoint; readonly from: string }[];
  readonly findings: readonly Finding[];
}

/** Opens checkpoints of this log; those of other logs, which a witness may keep as well, are left out. */
function readSigned(notes: readonly { text: string; from: string }[], origin: string, chain: KeyChain): Signed {
  const good: { checkpoint: Checkpoint; from: string }[] = [];
  const findings: Finding[] = [];
  for (const { text, from } of notes) {
    if (!text.startsWith(`${origin}\n`)) continue;
    try {
      good.push({ checkpoint: openCheckpoint(text, chain.verifiersAt(readCheckpoint(text).size)), from });
    } catch (error) {
      if (!(error instanceof NoteRefused)) throw error;
      findings.push({ seq: 0, kind: 'changed', detail: `${from}: ${error.message}` });
    }
  }
  return { good, findings };
}

/** The size in a checkpoint, if that is what it is; `checkEnd` says what is wrong with it. */
function sizeIn(note: string | undefined): number[] {
  const size = Number(note?.split('\n')[1]);
  return Number.isSafeInteger(size) ? [size] : [];
}

/** What is kept of handovers beside the rows has to be what the rows say; where retention has emptied one, its note stands alone. */
function unlikeRows(db: DatabaseSync, handovers: readonly Handover[]): Finding[] {
  const find = db.prepare(
    "SELECT json_extract(nullif(record, ''), '$.handover') AS note, record FROM audit WHERE seq = ?",
  );
  return handovers.flatMap(({ seq, note }) => {
    const row = find.get(seq);
    if (row !== undefined && (row.record === '' || row.note === note)) return [];
    return [
      { seq, kind: 'changed' as const, detail: 'the handover of the key that is kept for this row is not in it' },
    ];
  });
}

interface Wanted {
  readonly logId: string;
  /** Sizes of the tree whose roots are asked for. */
  readonly sizes: ReadonlySet<number>;
  /** Retention may have emptied rows up to this one. */
  readonly through: number;
}

interface Read {
  readonly rows: number;
  readonly expired: number;
  readonly lastSeq: number;
  readonly findings: readonly Finding[];
  /** Roots of the tree at the sizes asked for. */
  readonly roots: ReadonlyMap<number, Uint8Array>;
}

async function readRows(db: DatabaseSync, { logId, sizes, through }: Wanted): Promise<Read> {
  const checker = createRowChecker(logId, through);
  const tree = createFrontier();
  const roots = new Map<number, Uint8Array>();
  const findings: Finding[] = [];
  const keptNode = db.prepare('SELECT hash FROM nodes WHERE height = ? AND position = ?');
  const onNode = (height: number, position: number, hash: Uint8Array): void => {
    if (height % levelsApart !== 0 || findings.some(shakesTree)) return;
    const kept = keptNode.get(height, position)?.hash;
    if (kept instanceof Uint8Array && Buffer.compare(kept, hash) === 0) return;
    const [from, to] = [position * 2 ** height + 1, (position + 1) * 2 ** height];
    findings.push({
      seq: from,
      kind: 'changed',
      detail: `rows ${from} to ${to} are not those that the tree was built of`,
    });
  };
  let rows = 0;
  let expired = 0;
  let lastSeq = 0;
  if (sizes.has(0)) roots.set(0, tree.root());
  for (const found of db.prepare(`SELECT ${rowColumns} FROM audit NOT INDEXED ORDER BY seq`).iterate()) {
    const row = found as unknown as Row;
    const wrong = checker.take(row);
    if (findings.length < maxFindings) findings.push(...wrong);
    tree.append(row.hash instanceof Uint8Array ? row.hash : new Uint8Array(32), onNode);
    lastSeq = row.seq;
    rows++;
    if (isExpired(row)) expired++;
    if (sizes.has(rows)) roots.set(rows, tree.root());
    if (rows % rowsPerTurn === 0) await nextTick();
  }
  return { rows, expired, lastSeq, findings, roots };
}

/** Holds each checkpoint against the rows, smallest first, up to the first that does not fit. */
function compare(signed: Signed['good'], { lastSeq, roots, findings }: Read): Finding[] {
  const end = { lastSeq, rootOf: ({ size }: Checkpoint) => roots.get(size) };
  const isNews = newsAfter(findings);
  let agreed = 0;
  for (const { checkpoint, from } of signed.toSorted((a, b) => a.checkpoint.size - b.checkpoint.size)) {
    const found = checkAgainst(checkpoint, { ...end, agreed, what: from }).filter(isNews);
    if (found.length > 0) return found;
    agreed = Math.max(agreed, checkpoint.size);
  }
  return [];
}

/** Where rows are known to be wrong, a root that is another says nothing new; that rows are gone does. */
function newsAfter(known: readonly Finding[]): (finding: Finding) => boolean {
  const isShaken = known.some(shakesTree);
  return ({ kind, detail }) => !(isShaken && kind === 'changed' && detail.startsWith('among rows'));
}

/** Whether a finding means that the tree of the rows that are there is another than the one that was signed. */
function shakesTree({ kind }: Finding): boolean {
  return kind !== 'index_mismatch';
}

/** In the order of rows, each said once: many checkpoints see the same. */
function distinct(findings: readonly Finding[]): Finding[] {
  const seen = new Map<string, Finding>();
  for (const finding of findings) {
    const key = finding.kind === 'truncated' ? 'truncated' : `${finding.seq} ${finding.kind} ${finding.detail}`;
    if (!seen.has(key)) seen.set(key, finding);
  }
  return [...seen.values()].sort((a, b) => a.seq - b.seq);
}
