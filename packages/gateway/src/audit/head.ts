import { createHmac, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';

/**
 * How far a log had certainly come: kept beside it, so that rows missing at its end are noticed. Behind the log is
 * normal after a crash; ahead of it is a finding.
 */
export interface Head {
  readonly logId: string;
  readonly seq: number;
  /** Hash of that row, hex; of the genesis for row 0. */
  readonly hash: string;
  /** Written by an orderly close: no row comes after it. */
  readonly closed: boolean;
}

/** A head as it was read: `mac` is checked by whoever has the key. */
export interface SignedHead extends Head {
  readonly mac: string;
}

/** The head file of a log: `audit.head` beside `audit.db`. */
export function headPath(path: string): string {
  return `${path.replace(/\.db$/, '')}.head`;
}

function macOf({ logId, seq, hash, closed }: Head, key: Uint8Array): Buffer {
  return createHmac('sha256', key).update(`sallyport-audit-head-1\n${logId}\n${seq}\n${hash}\n${closed}`).digest();
}

/** Replaces the head file as a whole, and has it on disk before it takes the old one's place. */
export async function writeHead(path: string, head: Head, key: Uint8Array): Promise<void> {
  const target = headPath(path);
  const fresh = `${target}.new`;
  const file = await open(fresh, 'w', 0o600);
  try {
    await file.writeFile(`${JSON.stringify({ format: 1, ...head, mac: macOf(head, key).toString('hex') })}\n`);
    await file.datasync();
  } finally {
    await file.close();
  }
  await rename(fresh, target);
}

/** Reads a head file: `undefined` when there is none. @throws Error when it is not one. */
export function readHead(path: string): SignedHead | undefined {
  let text: string;
  try {
    text = readFileSync(headPath(path), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const head = JSON.parse(text);
  const shaped = typeof head?.logId === 'string' && Number.isSafeInteger(head.seq) && typeof head.hash === 'string';
  if (head?.format !== 1 || !shaped || typeof head.mac !== 'string') throw new Error('not a head file');
  return { logId: head.logId, seq: head.seq, hash: head.hash, closed: head.closed === true, mac: head.mac };
}

/** Whether the holder of the key wrote this head. */
export function isGenuine(head: SignedHead, key: Uint8Array): boolean {
  const given = Buffer.from(head.mac, 'hex');
  return given.length === 32 && timingSafeEqual(given, macOf(head, key));
}
