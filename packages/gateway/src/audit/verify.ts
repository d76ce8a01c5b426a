import type { DatabaseSync } from 'node:sqlite';
import { setImmediate as nextTick } from 'node:timers/promises';
import { checkHead, createRowChecker, type Finding } from './check.ts';
import { isGenuine, readHead, type SignedHead } from './head.ts';
import { openForReading } from './reader.ts';
import { genesisHash, type Row, rowColumns } from './row.ts';
import type { AuditKeys } from './seal.ts';

/** What came of verifying a log. */
export interface Verification {
  readonly ok: boolean;
  /** How many rows were read. */
  readonly rows: number;
  /** In the order of rows; at most `maxFindings`. */
  readonly findings: readonly Finding[];
}

/** More would not help anybody. */
export const maxFindings = 1000;

/** Other work gets a turn after so many rows. */
const rowsPerTurn = 500;

/**
 * Verifies a whole log: every row against its own hash, its predecessor and its index columns, and the end against the
 * head file. Reads only, streams, and works offline and beside a gateway that writes.
 *
 * Without keys everything is checked but the authenticity of the head file and whether sealed parts can be opened.
 *
 * @throws Error when there is no such file or it is not a database.
 */
export async function verifyAudit(path: string, keys?: Pick<AuditKeys, 'head'>): Promise<Verification> {
  // Before the rows: the log may grow meanwhile, but may never be shorter than a head that was already there.
  const { head, findings } = readHeadToCheck(path, keys);
  const db = openForReading(path);
  try {
    return await verifyRows(db, head, findings);
  } finally {
    db.close();
  }
}

async function verifyRows(
  db: DatabaseSync,
  head: SignedHead | 'unreadable' | undefined,
  findings: Finding[],
): Promise<Verification> {
  const logId = db.prepare('SELECT log_id FROM meta').get()?.log_id;
  const id = typeof logId === 'string' ? logId : '';
  const checker = createRowChecker(id);
  const headSeq = head === 'unreadable' ? undefined : head?.seq;
  let hashAtHead = headSeq === 0 ? genesisHash(id).toString('hex') : undefined;
  let rows = 0;
  let lastSeq = 0;
  for (const read of db.prepare(`SELECT ${rowColumns} FROM audit NOT INDEXED ORDER BY seq`).iterate()) {
    const row = read as unknown as Row;
    const found = checker.take(row);
    if (findings.length < maxFindings) findings.push(...found);
    if (row.seq === headSeq && row.hash instanceof Uint8Array) hashAtHead = Buffer.from(row.hash).toString('hex');
    lastSeq = row.seq;
    rows++;
    if (rows % rowsPerTurn === 0) await nextTick();
  }
  if (head !== 'unreadable') findings.push(...checkHead(head, { logId: id, lastSeq, hashAtHead }));
  findings.sort((a, b) => a.seq - b.seq);
  return { ok: findings.length === 0, rows, findings };
}

function readHeadToCheck(
  path: string,
  keys: Pick<AuditKeys, 'head'> | undefined,
): { head: SignedHead | 'unreadable' | undefined; findings: Finding[] } {
  try {
    const head = readHead(path);
    if (head === undefined || keys === undefined || isGenuine(head, keys.head)) return { head, findings: [] };
    const detail = 'the head file was not written with this key';
    return { head, findings: [{ seq: head.seq, kind: 'changed', detail }] };
  } catch {
    const detail = 'the head file cannot be read: whether rows are missing at the end is unknown';
    return { head: 'unreadable', findings: [{ seq: 0, kind: 'unreadable', detail }] };
  }
}
