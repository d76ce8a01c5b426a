import { randomUUID } from 'node:crypto';
import { closeSync, existsSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { checkEnd, createRowChecker, type Finding } from './check.ts';
import { type Checkpoint, checkpointText } from './checkpoint.ts';
import { readCheckpointFile, writeCheckpointFile } from './checkpoint-file.ts';
import { AuditLogDamaged } from './damaged.ts';
import { type DataKeys, type Erasure, openDataKeys } from './data-keys.ts';
import type { Cell, Entry } from './entry.ts';
import { openHandovers, signHandover } from './handover.ts';
import type { KeyChain } from './key-chain.ts';
import type { LogChain } from './log-chain.ts';
import { createFrontier, type Frontier, frontierRoots, rootAt } from './merkle.ts';
import { createSigner, signAll } from './note.ts';
import { ownCells } from './own-record.ts';
import { createRetention, retainedThrough } from './retention.ts';
import type { RetentionRules } from './retention-rules.ts';
import { format, genesisHash, handoverName, type Row, rowColumns, tables } from './row.ts';
import { createRowMaker, entriesIn, type Mark } from './row-maker.ts';
import { type AuditKeys, createSealer } from './seal.ts';
import { createSigning, type Signing } from './signing.ts';
import { createSearchIndex } from './sqlite-index.ts';
import { createSync } from './sync.ts';
import { levelsApart, nodesIn } from './tree.ts';

export { AuditLogDamaged } from './damaged.ts';

/** Where a log is and what it takes to write it. */
export interface ChainSettings {
  readonly path: string;
  readonly keys: AuditKeys;
  /** What the log calls itself in its checkpoints; default `sallyport/audit/<log id>`. Kept when the log is begun. */
  readonly origin?: string;
  /** A file outside the data folder that checkpoints are added to as well. */
  readonly witness?: string;
  /** How long what is kept; default for ever. */
  readonly retention?: RetentionRules;
}

/** The only writer of a log in SQLite. Synchronous but for what waits for the disk: for a thread of its own. */
export interface Chain extends LogChain {
  commit(groups: readonly (readonly Cell[])[]): void;
  keep(size: number, note: string): void;
  handOver(seed: Uint8Array, timeMs: number): string | undefined;
  erase(erasure: Erasure, nowMs: number): number;
  retain(nowMs: number, signed: number): boolean;
  index(): boolean;
  close(): void;
}

/** How many rows at the end are checked before anything is added to them. */
const tailRows = 1000;

/**
 * Opens a log for writing, or begins one, after checking its tail against the chain and the newest checkpoint.
 *
 * @throws AuditLogDamaged when they disagree; Error when another process writes it, or the disk refuses.
 */
export function openChain(settings: ChainSettings): Chain {
  const { path, keys } = settings;
  const lock = takeLock(`${path}.lock`);
  const db = openPrivately(path);
  try {
    db.exec('PRAGMA journal_mode = WAL');
    // Whoever needs a record on the disk has the writer sync the WAL, once for all who wait.
    db.exec('PRAGMA synchronous = NORMAL');
    // A checkpoint every 16 MB: often enough for readers, seldom enough that pages are not written over and over.
    db.exec('PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -16384');
    // What retention takes out, and the copies that pages leave when they are split, are zeros then.
    db.exec('PRAGMA secure_delete = ON');
    checkFormat(db);
    db.exec(tables);
    const identity = identityOf(db, settings);
    const handovers = openHandovers(db);
    const first = String(db.prepare('SELECT verifier_key FROM meta').get()?.verifier_key);
    const signing = createSigning({ ...identity, first, handovers: handovers.all() }, keys);
    const end = adoptTail(db, { ...identity, path, keys: signing.chain });
    const dataKeys = openDataKeys(path, keys.seal);
    return createChain({ ...settings, ...identity, db, lock, dataKeys, end, signing, handovers });
  } catch (error) {
    db.close();
    lock.close();
    throw error;
  }
}

interface End extends Mark {
  readonly tree: Frontier;
}

interface Parts extends Identity {
  readonly path: string;
  readonly db: DatabaseSync;
  readonly lock: DatabaseSync;
  readonly keys: AuditKeys;
  readonly dataKeys: DataKeys;
  readonly end: End;
  readonly signing: Signing;
  readonly handovers: ReturnType<typeof openHandovers>;
  readonly retention?: RetentionRules;
}

/** Appends to the log, and knows where it ends. */
interface Commits {
  /** `also` happens in the same transaction. */
  commit(groups: readonly (readonly Cell[])[], also?: () => void): void;
  end(): End;
}

function createCommits(parts: Parts): Commits {
  const { db, keys, dataKeys } = parts;
  const begin = db.prepare('BEGIN IMMEDIATE');
  const commit = db.prepare('COMMIT');
  const insert = db.prepare(`INSERT INTO audit (${rowColumns}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)`);
  const insertNode = db.prepare('INSERT INTO nodes (height, position, hash) VALUES (?, ?, ?)');
  const rowAfter = createRowMaker({ keys, rules: parts.retention ?? {} }, createSealer(dataKeys.keyFor));
  let end = parts.end;

  const onNode = (height: number, position: number, node: Uint8Array): void => {
    if (height % levelsApart === 0) insertNode.run(height, position, node);
  };
  const append = (last: Mark, entry: Entry): Mark => {
    const row = rowAfter(last, entry);
    const { seq, call_id, time_ms, kind, outcome, reason, subject, tool, trace_id, record, sealed, hash } = row;
    // biome-ignore format: one line per group of columns
    insert.run(seq, call_id, time_ms, kind, outcome, reason, subject, tool, trace_id, record, sealed, last.hash, hash);
    return { seq, hash };
  };
  return {
    end: () => end,
    commit: (groups, also) => {
      begin.run();
      try {
        let last: Mark = end;
        const tree = end.tree.copy();
        for (const entry of entriesIn(groups)) {
          last = append(last, entry);
          tree.append(last.hash, onNode);
        }
        also?.();
        // Before the rows that need them: a row whose key is lost could not be opened.
        dataKeys.flush();
        commit.run();
        end = { ...last, tree };
      } catch (error) {
        // SQLite has rolled back by itself after some errors, a full disk among them.
        if (db.isTransaction) db.exec('ROLLBACK');
        dataKeys.discard();
        throw error;
      }
    },
  };
}

function createChain(parts: Parts): Chain {
  const { db, lock, dataKeys, origin, signing, handovers, retention: rules = {} } = parts;
  const insertCheckpoint = db.prepare('INSERT OR REPLACE INTO checkpoints (size, note) VALUES (?, ?)');
  const index = createSearchIndex(db, parts.logId);
  const { commit, end } = createCommits(parts);
  const textOf = (timeMs: number, closed: boolean): string =>
    checkpointText({ origin, size: end().seq, root: end().tree.root(), timeMs, closed });
  const keep = (size: number, note: string): void => void insertCheckpoint.run(size, note);
  const retention = createRetention({ db, dataKeys, index, rules, commit: (cells) => commit([cells]) });
  return {
    commit: (groups) => commit(groups),
    sync: createSync(parts.path),
    publish: (note) => writeCheckpointFile(parts.path, note),
    retain: retention.run,
    index: () => index.run(end().seq),
    seq: () => end().seq,
    checkpoint: (timeMs, closed) => signing.signer().sign(textOf(timeMs, closed)),
    keep,
    handOver: (seed, timeMs) => {
      const next = createSigner(origin, seed);
      const from = signing.signer();
      if (next.verifierKey === from.verifierKey) return undefined;
      const seq = end().seq + 1;
      const handover = signHandover({ origin, seq, timeMs, from, to: next });
      const record = ownCells(timeMs, handoverName, { handover });
      commit([record], () => handovers.add({ seq, note: handover }));
      signing.use(next);
      const note = signAll(textOf(timeMs, false), [from, next]);
      keep(seq, note);
      return note;
    },
    erase: dataKeys.erase,
    close: () => {
      dataKeys.close();
      db.close();
      lock.close();
    },
  };
}

/** Two writers would each be right by themselves and wrong together. The kernel frees the lock when its holder dies. */
function takeLock(path: string): DatabaseSync {
  const lock = openPrivately(path);
  try {
    lock.exec('BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    lock.close();
    throw new Error('another process is writing this audit log', { cause: error });
  }
}

function openPrivately(path: string): DatabaseSync {
  // SQLite would create it readable for everybody. An existing file is not opened here: closing it would drop the
  // locks that other connections of this process hold on it.
  if (!existsSync(path)) closeSync(openSync(path, 'a', 0o600));
  return new DatabaseSync(path, { timeout: 2000 });
}

interface Identity {
  readonly logId: string;
  readonly origin: string;
}

/** What is on disk, and who is about to go on with it. */
interface Adopted extends Identity {
  readonly path: string;
  readonly keys: KeyChain;
}

function adoptTail(db: DatabaseSync, adopted: Adopted): End {
  const { logId, path } = adopted;
  const last = db.prepare('SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1').get();
  const mark = last ? { seq: Number(last.seq), hash: last.hash as Uint8Array } : { seq: 0, hash: genesisHash(logId) };
  const nodeOf = nodesIn(db);
  const note = readCheckpointFile(path);
  if (note !== undefined || mark.seq > 0) {
    const findings = tailFindings(db, logId, { seq: mark.seq, through: retainedThrough(db, signedSize(note)) });
    const verifiers = adopted.keys.verifiersAt(signedSize(note));
    const rootOf = ({ size }: Checkpoint) => rootAt(size, nodeOf);
    if (findings.length === 0) findings.push(...checkEnd({ note, verifiers, ...adopted, lastSeq: mark.seq, rootOf }));
    if (findings.length > 0) throw new AuditLogDamaged(findings);
  }
  return { ...mark, tree: createFrontier(mark.seq, frontierRoots(mark.seq, nodeOf)) };
}

/** @throws Error for logs of other versions: their hashes cover other bytes. */
function checkFormat(db: DatabaseSync): void {
  if (db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'meta'").get() === undefined) return;
  const columns = db.prepare("SELECT name FROM pragma_table_info('meta')").all();
  const known = columns.some(({ name }) => name === 'format') ? db.prepare('SELECT format FROM meta').get()?.format : 1;
  if (known === undefined || known === format) return;
  throw new Error(
    `this audit log is of format ${known}, and only ${format} can be written: move its files away, and a new one is begun`,
  );
}

function identityOf(db: DatabaseSync, { origin, keys }: ChainSettings): Identity {
  const known = db.prepare('SELECT log_id, origin FROM meta').get();
  if (known) return { logId: String(known.log_id), origin: String(known.origin) };
  const logId = randomUUID();
  const fresh = { logId, origin: origin ?? `sallyport/audit/${logId}` };
  const { verifierKey } = createSigner(fresh.origin, keys.signing);
  db.prepare('INSERT INTO meta (format, log_id, origin, verifier_key) VALUES (?, ?, ?, ?)').run(
    format,
    logId,
    fresh.origin,
    verifierKey,
  );
  return fresh;
}

/** How many rows the newest checkpoint is about; whether it is right is for `checkEnd` to say. */
function signedSize(note: string | undefined): number {
  return Number(note?.split('\n')[1]) || 0;
}

interface Tail {
  readonly seq: number;
  readonly through: number;
}

function tailFindings(db: DatabaseSync, logId: string, { seq, through }: Tail): Finding[] {
  const from = Math.max(1, seq - tailRows + 1);
  const checker = createRowChecker(from === 1 ? logId : undefined, through);
  const rows = db.prepare(`SELECT ${rowColumns} FROM audit WHERE seq >= ? ORDER BY seq`).iterate(from);
  const findings: Finding[] = [];
  for (const row of rows) findings.push(...checker.take(row as unknown as Row));
  return findings;
}
