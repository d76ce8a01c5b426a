import { checkAgainst, checkEnd, type Finding } from './check.ts';
import { type Checkpoint, openCheckpoint, readCheckpoint } from './checkpoint.ts';
import { readCheckpointFile, readWitness } from './checkpoint-file.ts';
import type { Handover } from './handover.ts';
import { createKeyChain, type KeyChain } from './key-chain.ts';
import { type AuditSource, type LogReader, theOnly, withLogs } from './log-reader.ts';
import { NoteRefused } from './note.ts';
import { maxFindings, type Read, readRows, shakesTree } from './verify-rows.ts';

export { maxFindings } from './verify-rows.ts';

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

/**
 * Verifies a whole log: every row against its own hash, its predecessor and its index columns, the tree of all rows against
 * every checkpoint there is, the end against the newest, and the search index against the rows. Reads only, in a stream, and
 * works offline and beside a gateway that writes.
 *
 * @throws Error when there is no such log, or several, or a key or witness cannot be read.
 */
export async function verifyAudit(source: AuditSource, options: VerifyOptions = {}): Promise<Verification> {
  // Before the rows: the log may grow meanwhile, but may never be shorter than a checkpoint that was already there.
  const note = typeof source === 'string' ? readCheckpointFile(source) : undefined;
  const witnessed = (options.witnesses ?? []).flatMap((file) =>
    readWitness(file).map((text) => ({ text, from: `the witness ${file}` })),
  );
  // One state of it, from the first look on.
  return withLogs(source, (logs) => verifyLog(theOnly(logs), { ...options, note, witnessed }), { asOfNow: true });
}

interface Given extends VerifyOptions {
  readonly note: string | undefined;
  readonly witnessed: readonly { readonly text: string; readonly from: string }[];
}

async function verifyLog(log: LogReader, { keys = [], ...given }: Given): Promise<Verification> {
  const { origin, verifierKey } = log;
  const latest = await log.newest();
  const note = given.note ?? latest;
  const handovers = await log.handovers();
  const own = verifierKey === undefined ? [] : [verifierKey];
  const chain = createKeyChain(origin, keys.length > 0 ? keys : own, handovers);
  const kept = (await log.checkpoints()).map((row) => ({ text: row.note, from: 'a checkpoint in the log' }));
  const signed = readSigned([...kept, ...given.witnessed], origin, chain);
  const sizes = new Set([...signed.good.map(({ checkpoint }) => checkpoint.size), ...sizeIn(note)]);
  // Once more: retention may have been signed between the two, and only since then be seen in the rows.
  const newest = readSigned([{ text: latest ?? '', from: '' }], origin, chain).good;
  const signedSize = Math.max(0, ...[...signed.good, ...newest].map(({ checkpoint }) => checkpoint.size));
  const read = await readRows(log, { sizes, through: await log.retainedThrough(signedSize) });
  const verifiers = chain.verifiersAt(sizeIn(note)[0] ?? 0);
  const handed = [...chain.findings, ...(await unlikeRows(log, handovers))];
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
async function unlikeRows(log: LogReader, handovers: readonly Handover[]): Promise<Finding[]> {
  if (handovers.length === 0) return [];
  const rows = new Map((await log.rowsByNumber(handovers.map(({ seq }) => seq))).map((row) => [row.seq, row.record]));
  return handovers.flatMap(({ seq, note }) => {
    const record = rows.get(seq);
    if (record !== undefined && (record === '' || handoverIn(record) === note)) return [];
    return [
      { seq, kind: 'changed' as const, detail: 'the handover of the key that is kept for this row is not in it' },
    ];
  });
}

function handoverIn(record: string): unknown {
  try {
    return JSON.parse(record).handover;
  } catch {
    return undefined;
  }
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

/** In the order of rows, each said once: many checkpoints see the same. */
function distinct(findings: readonly Finding[]): Finding[] {
  const seen = new Map<string, Finding>();
  for (const finding of findings) {
    const key = finding.kind === 'truncated' ? 'truncated' : `${finding.seq} ${finding.kind} ${finding.detail}`;
    if (!seen.has(key)) seen.set(key, finding);
  }
  return [...seen.values()].sort((a, b) => a.seq - b.seq);
}
