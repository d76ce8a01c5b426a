import type { KeyObject } from 'node:crypto';
import type { JsonObject } from '@sallyport/protocol';

/** A record of the authorization server, as it is kept: nothing in it can be read without the key. */
export interface SealedRecord {
  readonly model: string;
  readonly id: string;
  readonly grantId?: string;
  readonly uid?: string;
  readonly payload: string;
  readonly expiresAtMs?: number;
  readonly consumedAtMs?: number;
}

/** Where records are kept. */
export interface RecordStore {
  put(record: SealedRecord): Promise<void>;
  /** False, and nothing changes, when there is one of that name. */
  add(record: SealedRecord): Promise<boolean>;
  find(model: string, id: string): Promise<SealedRecord | undefined>;
  findByUid(model: string, uid: string): Promise<SealedRecord | undefined>;
  /** True for the one who consumes it, false for all after. */
  consume(model: string, id: string, atMs: number): Promise<boolean>;
  /** Lets it live until then. */
  extend(model: string, id: string, expiresAtMs: number): Promise<void>;
  remove(model: string, id: string): Promise<void>;
  removeByGrant(grantId: string): Promise<number>;
  count(model: string): Promise<number>;
  /** Removes the one that ends first, if it ends by then. Returns whether there was one. */
  removeFirstToEnd(model: string, byMs: number): Promise<boolean>;
  prune(beforeMs: number): Promise<number>;
  keys(): Promise<readonly { readonly kid: string; readonly sealed: string; readonly createdAtMs: number }[]>;
  addKey(key: { readonly kid: string; readonly sealed: string; readonly createdAtMs: number }): Promise<void>;
  removeKey(kid: string): Promise<void>;
}

/** Seals what lies in the store, under what it is. */
export interface RecordSealer {
  seal(kind: string, claims: JsonObject, expiresAtMs: number): string;
  open(kind: string, text: string): JsonObject | undefined;
}

/** A store, and the keys under which names are hashed and contents are sealed. */
export interface Records {
  readonly store: RecordStore;
  readonly sealer: RecordSealer;
  readonly idKey: KeyObject;
  /** Milliseconds since the epoch. */
  readonly nowMs: () => number;
}
