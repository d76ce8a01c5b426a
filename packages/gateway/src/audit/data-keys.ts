import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { closeSync, existsSync, fstatSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { Classification } from '@sallyport/protocol';
import { type DueKeys, keptAsCondition, tenantTexts } from './retention-rules.ts';

/** Whose data key: of one tenant (`undefined`: of those without one) and the UTC day of `timeMs`. */
export interface KeyOwner {
  readonly tenant: string | undefined;
  /** For what is kept longer or shorter than the rest: its classification. */
  readonly keptAs?: Classification | undefined;
  readonly timeMs: number;
}

/** A data key, and the 16 bytes that what it sealed names it by. */
export interface DataKey {
  readonly id: Buffer;
  readonly key: KeyObject;
}

/** Which data keys to destroy: those of one tenant, or of nobody's (`null`), and of one UTC day or of all before one. */
export interface Erasure {
  readonly tenant: string | null;
  /** `YYYY-MM-DD` */
  readonly day?: string;
  readonly before?: string;
}

/** The data keys of a log, for its only writer. Synchronous, like the log. */
export interface DataKeys {
  /** The key to seal with; made when there is none. It may be used for what is kept only after `flush`. */
  keyFor(owner: KeyOwner): DataKey;
  /** Puts keys that were made on the disk. */
  flush(): void;
  /** Forgets keys that were made and not flushed. */
  discard(): void;
  /** Destroys keys for good and says how many; what needs a key of theirs later gets a new one. */
  erase(erasure: Erasure, nowMs: number): number;
  /** How many keys there are of all days (UTC, `YYYY-MM-DD`) before one, whoever's they are; and destroys these. */
  countBefore(due: DueKeys): number;
  eraseBefore(due: DueKeys, nowMs: number): number;
  close(): void;
}

/** The data key was destroyed on purpose: what it sealed cannot be opened by anybody any more. */
export class DataKeyDestroyed extends Error {
  override readonly name = 'DataKeyDestroyed';
  /** Milliseconds since the epoch. */
  readonly destroyedMs: number;

  constructor(day: string, destroyedMs: number) {
    super(`the key of what was sealed on ${day} was destroyed at ${new Date(destroyedMs).toISOString()}`);
    this.destroyedMs = destroyedMs;
  }
}

const keyBytes = 32;
/** Of a key's name. */
export const idBytes = 16;
const nonceBytes = 12;
const tagBytes = 16;

/** `tenant` is JSON, which says any text and `null`. `wrapped` is NULL once the key was destroyed. */
const table = `
CREATE TABLE IF NOT EXISTS data_keys (
  id BLOB PRIMARY KEY,
  day TEXT NOT NULL,
  tenant TEXT NOT NULL,
  wrapped BLOB,
  destroyed_ms INTEGER
) STRICT;
CREATE INDEX IF NOT EXISTS data_keys_owner ON data_keys (tenant, day);
`;

/** Where the data keys of a log are: beside it, under its own name. */
export function dataKeysPath(path: string): string {
  return path.endsWith('.db') ? `${path.slice(0, -3)}-keys.db` : `${path}-keys`;
}

/** Opens the data keys of a log, or begins them. @throws Error when the disk refuses. */
export function openDataKeys(path: string, seal: Uint8Array): DataKeys {
  const file = dataKeysPath(path);
  if (!existsSync(file)) closeSync(openSync(file, 'a', 0o600));
  const db = new DatabaseSync(file, { timeout: 2000 });
  // No WAL, where a key would lie on until it is overwritten some day. The one journal stays, to be overwritten.
  db.exec('PRAGMA journal_mode = PERSIST; PRAGMA secure_delete = ON; PRAGMA synchronous = EXTRA');
  db.exec(table);
  // A process that died between an erasure and this left it to us.
  overwrite(`${file}-journal`);
  return createDataKeys(db, `${file}-journal`, seal);
}

function createDataKeys(db: DatabaseSync, journal: string, seal: Uint8Array): DataKeys {
  const find = db.prepare('SELECT id, wrapped FROM data_keys WHERE tenant = ? AND day = ? AND wrapped IS NOT NULL');
  const insert = db.prepare('INSERT INTO data_keys (id, day, tenant, wrapped) VALUES (?, ?, ?, ?)');
  const known = new Map<string, DataKey>();

  const make = (owner: KeyOwner): DataKey => {
    const id = randomBytes(idBytes);
    const bytes = randomBytes(keyBytes);
    // All that are made for one commit share one sync.
    if (!db.isTransaction) db.exec('BEGIN IMMEDIATE');
    insert.run(id, dayOf(owner), tenantOf(owner), wrap(seal, bytes, nameOf(id, owner)));
    return { id, key: asKey(bytes) };
  };
  const load = (owner: KeyOwner): DataKey => {
    const row = find.get(tenantOf(owner), dayOf(owner));
    if (row === undefined) return make(owner);
    const id = Buffer.from(row.id as Uint8Array);
    return { id, key: asKey(unwrap(seal, row.wrapped as Uint8Array, nameOf(id, owner))) };
  };
  const discard = (): void => {
    known.clear();
    if (db.isTransaction) db.exec('ROLLBACK');
  };
  const erase = (which: Which, nowMs: number): number => {
    discard();
    const erased = destroy(db, which, nowMs);
    overwrite(journal);
    return erased;
  };
  return {
    keyFor: (owner) => {
      const name = `${dayOf(owner)} ${tenantOf(owner)}`;
      const found = known.get(name);
      if (found !== undefined) return found;
      if (known.size >= 1000) known.clear();
      const loaded = load(owner);
      known.set(name, loaded);
      return loaded;
    },
    flush: () => {
      if (db.isTransaction) db.exec('COMMIT');
    },
    discard,
    erase: ({ tenant, day, before }, nowMs) => {
      if ((day === undefined) === (before === undefined)) throw new Error('one of day and before says which keys');
      const tenants = tenantTexts(tenant);
      const places = tenants.map(() => '?').join(', ');
      const when = `day ${day === undefined ? '<' : '='} ?`;
      return erase([`tenant IN (${places}) AND ${when}`, ...tenants, day ?? before ?? ''], nowMs);
    },
    countBefore: ({ keptAs, before }) => {
      const where = `${keptAsCondition(keptAs)} AND day < ? AND wrapped IS NOT NULL`;
      return Number(db.prepare(`SELECT count(*) AS keys FROM data_keys WHERE ${where}`).get(before)?.keys ?? 0);
    },
    eraseBefore: ({ keptAs, before }, nowMs) => erase([`${keptAsCondition(keptAs)} AND day < ?`, before], nowMs),
    close: () => db.close(),
  };
}

/** A condition on keys, and its values. */
type Which = readonly [condition: string, ...values: string[]];

/** In place first: then no page is left that could hold the bytes, whatever SQLite does with the room they took. */
function destroy(db: DatabaseSync, [condition, ...values]: Which, nowMs: number): number {
  const which = `${condition} AND wrapped IS NOT NULL`;
  db.exec('BEGIN IMMEDIATE');
  try {
    db.prepare(`UPDATE data_keys SET wrapped = zeroblob(length(wrapped)) WHERE ${which}`).run(...values);
    const { changes } = db
      .prepare(`UPDATE data_keys SET wrapped = NULL, destroyed_ms = ? WHERE ${which}`)
      .run(nowMs, ...values);
    db.exec('COMMIT');
    return Number(changes);
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

/** The journal holds the pages as they were. It is not needed any more; zeros mean to SQLite that there is nothing in it. */
function overwrite(journal: string): void {
  if (!existsSync(journal)) return;
  const file = openSync(journal, 'r+');
  try {
    const { size } = fstatSync(file);
    const zeros = Buffer.alloc(65_536);
    for (let at = 0; at < size; ) at += writeSync(file, zeros, 0, Math.min(zeros.length, size - at), at);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/**
 * The data key of this name, for a reader of the log at `path`.
 *
 * @throws DataKeyDestroyed; Error when there is no such key here, or it is not this owner's, or the sealing key is another.
 */
export function readDataKey(
  from: { readonly path: string; readonly seal: Uint8Array },
  id: Uint8Array,
  owner: KeyOwner,
) {
  const file = dataKeysPath(from.path);
  if (!existsSync(file)) throw new Error(`there are no data keys at ${file}`);
  const db = new DatabaseSync(file, { readOnly: true, timeout: 2000 });
  try {
    const row = db.prepare('SELECT day, wrapped, destroyed_ms FROM data_keys WHERE id = ?').get(id);
    if (row === undefined) throw new Error(`the data key is not in ${file}`);
    if (row.wrapped === null) throw new DataKeyDestroyed(String(row.day), Number(row.destroyed_ms));
    return asKey(unwrap(from.seal, row.wrapped as Uint8Array, nameOf(id, owner)));
  } finally {
    db.close();
  }
}

/** The UTC day that a key is for, `YYYY-MM-DD`. */
export function dayOf({ timeMs }: KeyOwner): string {
  return new Date(timeMs).toISOString().slice(0, 10);
}

/** Whose key it is, as JSON: any text, or `null`. */
export function tenantOf({ tenant, keptAs }: KeyOwner): string {
  return JSON.stringify(keptAs === undefined ? (tenant ?? null) : [tenant ?? null, keptAs]);
}

/** Authenticated with a wrapped key, so that it is good for nobody else's rows. */
function nameOf(id: Uint8Array, owner: KeyOwner): Buffer {
  return Buffer.from(`sallyport audit key ${Buffer.from(id).toString('hex')} ${dayOf(owner)} ${tenantOf(owner)}`);
}

/** As an object: a raw key would be imported anew for every record, which takes longer than encrypting it. */
function asKey(bytes: Buffer): KeyObject {
  const key = createSecretKey(bytes);
  bytes.fill(0);
  return key;
}

/** Nonce, encrypted key, tag. */
function wrap(seal: Uint8Array, key: Uint8Array, name: Buffer): Buffer {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv('aes-256-gcm', seal, nonce).setAAD(name);
  return Buffer.concat([nonce, cipher.update(key), cipher.final(), cipher.getAuthTag()]);
}

function unwrap(seal: Uint8Array, wrapped: Uint8Array, name: Buffer): Buffer {
  const end = nonceBytes + keyBytes;
  if (wrapped.length !== end + tagBytes) throw new Error('this is not a wrapped data key');
  const decipher = createDecipheriv('aes-256-gcm', seal, wrapped.subarray(0, nonceBytes)).setAAD(name);
  decipher.setAuthTag(wrapped.subarray(end));
  return Buffer.concat([decipher.update(wrapped.subarray(nonceBytes, end)), decipher.final()]);
}

/** A key's name and owner: it is good for nothing else. */
export interface NamedKey {
  readonly id: Uint8Array;
  readonly owner: KeyOwner;
}

/** Wraps a data key under the sealing key, for other places than the file. */
export function wrapKey(seal: Uint8Array, key: Uint8Array, { id, owner }: NamedKey): Buffer {
  return wrap(seal, key, nameOf(id, owner));
}

/** Opens what `wrapKey` wrapped. @throws Error when the sealing key is another, or the key is another's. */
export function unwrapKey(seal: Uint8Array, wrapped: Uint8Array, { id, owner }: NamedKey): KeyObject {
  return asKey(unwrap(seal, wrapped, nameOf(id, owner)));
}
