import { checkAgainst, createRowChecker, type Finding, type RowChecker } from './check.ts';
import { type Checkpoint, openCheckpoint, readCheckpoint } from './checkpoint.ts';
import { readWitness } from './checkpoint-file.ts';
import type { Handover } from './handover.ts';
import { createKeyChain, type KeyChain } from './key-chain.ts';
import { type AuditSource, type LogReader, openLogs, theOnly } from './log-reader.ts';
import { consistencyProof, createFrontier, type Frontier, frontierRoots, isConsistent } from './merkle.ts';
import { NoteRefused } from './note.ts';
import { columnsOf, type Row, type StoredRecord } from './row.ts';
import { withNodes } from './tree-reader.ts';
import { maxFindings, type Verification, type VerifyOptions } from './verify.ts';

/** Which part of a log: rows whose calls were received in this time, and all rows between them. */
export interface Span {
  readonly sinceMs?: number;
  readonly untilMs?: number;
}

/** So many rows are read at a time: no read stays open while the consumer takes its time. */
const rowsAtOnce = 500;

/**
 * Exports a part of the log that can be verified without the rest of it: NDJSON, first what the tree was before, then the rows
 * without a gap and the checkpoints signed among them, last the newest checkpoint and the proof that the rows lead up to it.
 *
 * Rows are in the order in which they were written, which is not exactly that of their times: a few rows of just before or
 * after may be among them. Rows that no checkpoint covers yet are left out.
 *
 * @throws Error when there is no such log, or several, nothing was signed yet, or its tree is damaged.
 */
export async function* exportEvidence(source: AuditSource, span: Span = {}): AsyncGenerator<string, void> {
  const { logs, close } = await openLogs(source);
  try {
    const log = theOnly(logs);
    const note = await log.newest();
    if (note === undefined) throw new Error('nothing of this log was signed yet');
    const { origin, size } = readCheckpoint(note);
    const [from, to] = await rangeOf(log, span, size);
    const keys = (await log.handovers()).filter(({ seq }) => seq <= size);
    const left = (await withNodes(log, (nodeOf) => frontierRoots(from - 1, nodeOf))).map(base64);
    yield line({ evidence: 1, origin, from, to, left, ...(keys.length > 0 && { keys }) });
    const kept = new Map((await log.checkpoints()).map((each) => [each.size, each.note]));
    for (let next = from; next <= to; next += rowsAtOnce) {
      const last = Math.min(to, next + rowsAtOnce - 1);
      for (const row of await log.rows({ from: next, to: last, limit: rowsAtOnce })) {
        yield rowLine(row);
        if (kept.has(row.seq)) yield line({ checkpoint: kept.get(row.seq) });
      }
    }
    const consistency = to === 0 ? [] : await withNodes(log, (nodeOf) => consistencyProof(to, size, nodeOf));
    yield line({ end: 1, checkpoint: note, consistency: consistency.map(base64) });
  } finally {
    await close();
  }
}

async function rangeOf(log: LogReader, { sinceMs, untilMs }: Span, size: number): Promise<[number, number]> {
  // Rows that retention has emptied are before all times.
  const found = await log.span(sinceMs ?? 0, untilMs ?? Number.MAX_SAFE_INTEGER);
  const last = Math.min(found?.[1] ?? 0, size);
  return [Math.max(Math.min(found?.[0] ?? 1, last), 1), last];
}

function rowLine({ seq, prev_hash, hash, record, sealed }: Row): string {
  const ends = `"prev":"${Buffer.from(prev_hash).toString('hex')}","hash":"${Buffer.from(hash).toString('hex')}"`;
  // The record's own text, not a copy of it: every byte of it is signed for.
  return `{"seq":${seq},${ends},"record":${record}${sealed ? `,"sealed":"${base64(sealed)}"` : ''}}\n`;
}

/**
 * Verifies exported evidence, line by line, with nothing but public keys (and, if there are any, checkpoints kept elsewhere).
 * Anything may be in the lines.
 *
 * @throws Error when a key or witness cannot be read.
 */
export async function verifyEvidence(
  lines: AsyncIterable<string> | Iterable<string>,
  { keys = [], witnesses = [] }: VerifyOptions,
): Promise<Verification> {
  const kept = witnesses.flatMap(readWitness);
  const reading = beginReading(keys, new Set(kept.map((note) => readCheckpoint(note).size)));
  for await (const text of lines) {
    if (text.trim() !== '') takeLine(reading, text);
  }
  endReading(reading);
  const witnessed = compareWitnesses(reading, kept);
  const { findings, rows, checkpoints } = reading;
  findings.sort((a, b) => a.seq - b.seq);
  return {
    ok: findings.length === 0,
    rows,
    expired: 0,
    findings,
    checkpoints,
    witnessed,
    isKeyTrusted: keys.length > 0,
    handovers: reading.chain.followed,
  };
}

/** What has been read so far. */
interface Reading {
  readonly keys: readonly string[];
  /** Of the keys that are believed, and of those that the first line says took over from them. */
  chain: KeyChain;
  /** Handovers of its rows that are still to come, by their rows. */
  readonly due: Map<number, string>;
  /** Where the witnesses want to know the root. */
  readonly sizes: ReadonlySet<number>;
  readonly findings: Finding[];
  /** Roots of the tree where checkpoints are. */
  readonly roots: Map<number, Uint8Array>;
  readonly checker: RowChecker;
  header?: { readonly origin: string; readonly from: number; readonly to: number };
  tree: Frontier;
  lastSeq: number;
  rows: number;
  checkpoints: number;
  /** How many rows a checkpoint has shown to be right. */
  agreed: number;
  isOver: boolean;
}

function beginReading(keys: readonly string[], sizes: ReadonlySet<number>): Reading {
  const chain = createKeyChain('', keys, []);
  const parts = { findings: [], roots: new Map(), checker: createRowChecker(), tree: createFrontier(), due: new Map() };
  return { keys, chain, sizes, ...parts, lastSeq: 0, rows: 0, checkpoints: 0, agreed: 0, isOver: false };
}

function takeLine(reading: Reading, text: string): void {
  const { lastSeq } = reading;
  try {
    const value = JSON.parse(text) as Record<string, unknown>;
    if (reading.header === undefined) takeHeader(reading, value);
    else if (reading.isOver) say(reading, [lastSeq, 'changed', 'something was added after the end']);
    else if ('seq' in value) takeRow(reading, value);
    else if ('end' in value) takeEnd(reading, value);
    else takeCheckpoint(reading, value.checkpoint);
  } catch (error) {
    if (error instanceof NoteRefused) say(reading, [lastSeq, 'changed', error.message]);
    else say(reading, [lastSeq, 'unreadable', `the line after row ${lastSeq} cannot be read`]);
  }
}

function say({ findings }: Reading, [seq, kind, detail]: [number, Finding['kind'], string]): void {
  if (findings.length < maxFindings) findings.push({ seq, kind, detail });
}

function takeHeader(reading: Reading, { evidence, origin, from, to, left, keys = [] }: Record<string, unknown>): void {
  if (evidence !== 1) throw new NoteRefused('this is not exported evidence');
  if (typeof origin !== 'string' || !isCount(from) || !isCount(to) || from === 0 || !Array.isArray(left)) {
    throw new NoteRefused('its first line cannot be read');
  }
  reading.header = { origin, from, to };
  const handovers = handoversOf(keys);
  reading.chain = createKeyChain(origin, reading.keys, handovers);
  for (const { seq, kind, detail } of reading.chain.findings) say(reading, [seq, kind, detail]);
  for (const { seq, note } of handovers) if (seq >= from && seq <= to) reading.due.set(seq, note);
  reading.tree = createFrontier(from - 1, left.map(hashIn));
  reading.lastSeq = from - 1;
  reading.agreed = from - 1;
}

function takeRow(reading: Reading, value: Record<string, unknown>): void {
  const row = toRow(value);
  const due = reading.lastSeq + 1;
  if (row.seq !== due && reading.rows === 0) say(reading, [due, 'missing', `the first row here is ${row.seq}`]);
  for (const { seq, kind, detail } of reading.checker.take(row)) say(reading, [seq, kind, detail]);
  checkHandover(reading, row);
  reading.tree.append(row.hash);
  keepRoot(reading, reading.sizes.has(reading.tree.size()));
  reading.lastSeq = row.seq;
  reading.rows++;
}

/** A key takes over in the row that the first line says, and in no other way. */
function checkHandover(reading: Reading, { seq, record }: Row): void {
  const due = reading.due.get(seq);
  reading.due.delete(seq);
  const said: unknown =
    record === '' ? due : (JSON.parse(record) as Partial<StoredRecord & { handover: unknown }>).handover;
  if (due !== undefined && said !== due) {
    say(reading, [seq, 'changed', 'the handover of the key that is told of for this row is not in it']);
  }
}

function keepRoot({ roots, tree }: Reading, isWanted = true): void {
  if (isWanted) roots.set(tree.size(), tree.root());
}

function takeCheckpoint(reading: Reading, note: unknown): void {
  const { size, root } = opened(reading, note);
  const { tree, agreed, lastSeq, findings } = reading;
  keepRoot(reading);
  if (size === tree.size() && Buffer.compare(root, tree.root()) === 0) {
    reading.checkpoints++;
    reading.agreed = size;
  } else if (size > tree.size()) sayGone(reading, size);
  else if (findings.length === 0) say(reading, amongRows(agreed, lastSeq, 'a checkpoint in it'));
}

function sayGone(reading: Reading, to: number): void {
  const from = reading.lastSeq + 1;
  if (reading.findings.some(({ kind }) => kind === 'truncated')) return;
  say(reading, [from, 'truncated', `rows ${from} to ${to} are gone`]);
}

function takeEnd(reading: Reading, { checkpoint: note, consistency }: Record<string, unknown>): void {
  reading.isOver = true;
  const { size, root } = opened(reading, note);
  const { tree, agreed, lastSeq, findings } = reading;
  keepRoot(reading);
  const proof = Array.isArray(consistency) ? consistency.map(hashIn) : [];
  const earlier = tree.size();
  const leadsThere =
    earlier === 0 ? size === 0 : isConsistent({ earlier, earlierRoot: tree.root(), size, root, proof });
  if (leadsThere) reading.checkpoints++;
  else if (findings.length === 0) say(reading, amongRows(agreed, lastSeq, 'the newest checkpoint'));
}

function amongRows(agreed: number, lastSeq: number, what: string): [number, Finding['kind'], string] {
  const from = Math.min(agreed + 1, Math.max(lastSeq, 1));
  return [from, 'changed', `among rows ${from} to ${lastSeq} are others than ${what} was signed for`];
}

function opened({ header, chain }: Reading, note: unknown): Checkpoint {
  const text = String(note);
  const checkpoint = openCheckpoint(text, chain.verifiersAt(readCheckpoint(text).size));
  if (checkpoint.origin !== header?.origin) throw new NoteRefused('a checkpoint in it is of another log');
  return checkpoint;
}

function endReading(reading: Reading): void {
  const { header, lastSeq, isOver } = reading;
  if (!isOver) {
    say(reading, [
      lastSeq + 1,
      'truncated',
      'the end is gone: the last line, with the newest checkpoint, is not there',
    ]);
  } else if (header && lastSeq < header.to) sayGone(reading, header.to);
}

/** Holds what others kept against the export; says how many agree. Those that are not about its rows say nothing. */
function compareWitnesses(reading: Reading, notes: readonly string[]): number {
  const { header, chain, roots, lastSeq } = reading;
  let count = 0;
  for (const note of notes) {
    if (header === undefined || !note.startsWith(`${header.origin}\n`)) continue;
    const checkpoint = openCheckpoint(note, chain.verifiersAt(readCheckpoint(note).size));
    const root = roots.get(checkpoint.size);
    if (root === undefined || checkpoint.size < header.from || checkpoint.size > lastSeq) continue;
    const found = checkAgainst(checkpoint, { lastSeq, agreed: header.from - 1, rootOf: () => root, what: 'a witness' });
    if (found.length === 0) count++;
    for (const { seq, kind, detail } of found) say(reading, [seq, kind, detail]);
  }
  return count;
}

function toRow({ seq, prev, hash, record, sealed }: Record<string, unknown>): Row {
  if (
    !isCount(seq) ||
    typeof prev !== 'string' ||
    typeof hash !== 'string' ||
    typeof record !== 'object' ||
    record === null
  ) {
    throw new SyntaxError('not a row');
  }
  return {
    seq,
    ...columnsOf(record as StoredRecord),
    record: JSON.stringify(record),
    sealed: typeof sealed === 'string' ? Buffer.from(sealed, 'base64') : null,
    prev_hash: Buffer.from(prev, 'hex'),
    hash: Buffer.from(hash, 'hex'),
  };
}

function handoversOf(keys: unknown): readonly Handover[] {
  if (!Array.isArray(keys)) throw new NoteRefused('its first line cannot be read');
  return keys.map((each) => {
    const { seq, note } = (each ?? {}) as Partial<Handover>;
    if (!isCount(seq) || typeof note !== 'string') throw new NoteRefused('its first line cannot be read');
    return { seq, note };
  });
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function hashIn(value: unknown): Buffer {
  const bytes = Buffer.from(String(value), 'base64');
  if (bytes.length !== 32) throw new NoteRefused('a hash in it is not one');
  return bytes;
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

function line(value: object): string {
  return `${JSON.stringify(value)}\n`;
}
