import { randomUUID } from 'node:crypto';
import { closeSync, existsSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { checkHead, createRowChecker, type Finding } from './check.ts';
import { type Cell, cellsPerEntry, type Entry, plainText, unpack } from './entry.ts';
import { type Head, isGenuine, readHead, writeHead } from './head.ts';
import { genesisHash, type Row, rowColumns, rowHash, tables } from './row.ts';
import { type AuditKeys, createArgumentsHash, createSealer } from './seal.ts';

/** What a record outlives once it is acknowledged: `process` the death of the gateway, `disk` that of the machine too. */
export type Durability = 'process' | 'disk';

/** Where a log is and what it takes to write it. */
export interface ChainSettings {
  readonly path: string;
  readonly keys: AuditKeys;
  readonly durability: Durability;
}

/** The only writer of a log's table. Synchronous: for a thread of its own. */
export interface Chain {
  /** Appends packed entries in one transaction: all of them are in the log then, or, when it throws, none. */
  commit(groups: readonly (readonly Cell[])[]): void;
  /** The last row committed. */
  end(): Omit<Head, 'closed'>;
  /** Closes the database. The head file is not this one's business. */
  close(): void;
}

/** The log on disk is not as it was left: nothing is written to it until a person has looked. */
export class AuditLogDamaged extends Error {
  override readonly name = 'AuditLogDamaged';
  readonly findings: readonly Finding[];

  constructor(findings: readonly Finding[]) {
    const [first] = findings;
    super(`the audit log is damaged: row ${first?.seq} (${first?.kind}): ${first?.detail}`);
    this.findings = findings;
  }
}

/** How many rows at the end are checked before anything is added to them. */
const tailRows = 1000;

/**
 * Opens a log for writing, or begins one, after checking its tail against the chain and the head file.
 *
 * @throws AuditLogDamaged when they disagree; Error when another process writes it, or the disk refuses.
 */
export async function openChain(settings: ChainSettings): Promise<Chain> {
  const { path, keys, durability } = settings;
  const lock = takeLock(`${path}.lock`);
  const db = openPrivately(path);
  try {
    db.exec('PRAGMA journal_mode = WAL');
    db.exec(`PRAGMA synchronous = ${durability === 'disk' ? 'FULL' : 'NORMAL'}`);
    // A checkpoint every 16 MB: often enough for readers, seldom enough that pages are not written over and over.
    db.exec('PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -16384');
    db.exec(tables);
    const end = await adoptTail(db, settings);
    return createChain({ db, lock, keys, end });
  } catch (error) {
    db.close();
    lock.close();
    throw error;
  }
}

interface Mark {
  readonly logId: string;
  readonly seq: number;
  readonly hash: Buffer;
}

interface Parts {
  readonly db: DatabaseSync;
  readonly lock: DatabaseSync;
  readonly keys: AuditKeys;
  readonly end: Mark;
}

function createChain({ db, lock, keys, end: start }: Parts): Chain {
  const begin = db.prepare('BEGIN IMMEDIATE');
  const commit = db.prepare('COMMIT');
  const insert = db.prepare(`INSERT INTO audit (${rowColumns}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)`);
  const seal = createSealer(keys.seal);
  const hashArguments = createArgumentsHash(keys.argumentHash);
  let end = start;

  const append = (last: Mark, entry: Entry): Mark => {
    const seq = last.seq + 1;
    const { argumentsText, call_id, time_ms, tenant } = entry;
    const hashed = argumentsText === null ? undefined : hashArguments(argumentsText);
    const record = hashed === undefined ? entry.text : `${entry.text.slice(0, -1)},"argumentsHash":"${hashed}"}`;
    const plain = plainText(entry);
    const context = { callId: call_id ?? '', tenant: tenant ?? undefined, timeMs: time_ms };
    const sealed = plain === undefined ? null : seal(plain, context);
    const hash = rowHash({ prevHash: last.hash, seq, record, sealed });
    const { kind, outcome, reason, subject, tool, trace_id } = entry;
    // biome-ignore format: one line per group of columns
    insert.run(seq, call_id, time_ms, kind, outcome, reason, subject, tool, trace_id, record, sealed, last.hash, hash);
    return { logId: last.logId, seq, hash };
  };

  return {
    commit: (groups) => {
      begin.run();
      try {
        let last = end;
        for (const cells of groups) {
          for (let at = 0; at < cells.length; at += cellsPerEntry) last = append(last, unpack(cells, at));
        }
        commit.run();
        end = last;
      } catch (error) {
        // SQLite has rolled back by itself after some errors, a full disk among them.
        if (db.isTransaction) db.exec('ROLLBACK');
        throw error;
      }
    },
    end: () => ({ logId: end.logId, seq: end.seq, hash: end.hash.toString('hex') }),
    close: () => {
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

async function adoptTail(db: DatabaseSync, { path, keys }: ChainSettings): Promise<Mark> {
  const logId = logIdOf(db);
  const last = db.prepare('SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1').get();
  const mark = last
    ? { logId, seq: Number(last.seq), hash: Buffer.from(last.hash as Uint8Array) }
    : { logId, seq: 0, hash: genesisHash(logId) };
  const head = readHead(path);
  if (head === undefined && mark.seq === 0) {
    await writeHead(path, { logId, seq: 0, hash: mark.hash.toString('hex'), closed: false }, keys.head);
    return mark;
  }
  const findings = tailFindings(db, mark);
  findings.push(...checkHead(head, { logId, lastSeq: mark.seq, hashAtHead: hashAt(db, head?.seq, mark) }));
  if (head !== undefined && !isGenuine(head, keys.head)) {
    findings.push({ seq: head.seq, kind: 'changed', detail: 'the head file was not written with this key' });
  }
  if (findings.length > 0) throw new AuditLogDamaged(findings);
  // From here on rows may follow the head again.
  if (head?.closed) await writeHead(path, { ...head, closed: false }, keys.head);
  return mark;
}

function logIdOf(db: DatabaseSync): string {
  const known = db.prepare('SELECT log_id FROM meta').get();
  if (known) return String(known.log_id);
  const logId = randomUUID();
  db.prepare('INSERT INTO meta (log_id) VALUES (?)').run(logId);
  return logId;
}

function tailFindings(db: DatabaseSync, { logId, seq }: Mark): Finding[] {
  const from = Math.max(1, seq - tailRows + 1);
  const checker = createRowChecker(from === 1 ? logId : undefined);
  const rows = db.prepare(`SELECT ${rowColumns} FROM audit WHERE seq >= ? ORDER BY seq`).iterate(from);
  const findings: Finding[] = [];
  for (const row of rows) findings.push(...checker.take(row as unknown as Row));
  return findings;
}

function hashAt(db: DatabaseSync, seq: number | undefined, { logId }: Mark): string | undefined {
  if (seq === 0) return genesisHash(logId).toString('hex');
  const row = seq === undefined ? undefined : db.prepare('SELECT hash FROM audit WHERE seq = ?').get(seq);
  return row ? Buffer.from(row.hash as Uint8Array).toString('hex') : undefined;
}
