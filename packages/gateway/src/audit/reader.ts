import type { KeyObject } from 'node:crypto';
import type { AccessRequest } from '@sallyport/core';
import { DataKeyDestroyed, type KeyOwner, readDataKey, unwrapKey } from './data-keys.ts';
import { readPlainText } from './entry.ts';
import { type AuditSource, theOnly, withLogs } from './log-reader.ts';
import { createSigner } from './note.ts';
import type { Row, StoredRecord } from './row.ts';
import { type AuditKeys, type SigningKeys, sealedKeyId, unseal } from './seal.ts';
import { signerOf } from './signing.ts';

/** One row as readers get it. */
export interface AuditRow {
  readonly seq: number;
  readonly record: StoredRecord;
  /** The encrypted access request and arguments, if any: `openSealed` opens them for whoever has the key. */
  readonly sealed?: Uint8Array;
  /** SHA-256 that chains this row to all before it, hex. */
  readonly hash: string;
}

/** Reads a row of the table. @throws Error when its record is not JSON. */
export function toAuditRow({ seq, record, sealed, hash }: Row): AuditRow {
  return {
    seq,
    record: JSON.parse(record) as StoredRecord,
    ...(sealed && { sealed }),
    hash: Buffer.from(hash).toString('hex'),
  };
}

/** What it takes to open sealed parts: the log, which its data keys are with, and the key that wraps those. */
export interface SealedSource extends Pick<AuditKeys, 'seal'> {
  /** Where the log is. */
  readonly path: AuditSource;
}

/**
 * Opens the confidential part of a row: the complete access request and the arguments as they were received. `undefined` when
 * the row has none.
 *
 * @throws DataKeyDestroyed when it was erased; Error when the data key is not with the log, the sealing key is another, or
 * the bytes are not this row's.
 */
export async function openSealed(
  { record, sealed }: AuditRow,
  from: SealedSource,
): Promise<
  { readonly request?: AccessRequest; readonly argumentsText?: string; readonly outputText?: string } | undefined
> {
  if (sealed === undefined || record.kind === 'refusals') return undefined;
  const { callId, tenant, timeMs } = record;
  const context = { callId, tenant, timeMs };
  const key = await keyOfEither(from, sealedKeyId(sealed), [context, { ...context, keptAs: record.classification }]);
  return readPlainText(unseal(() => key, sealed, context));
}

/** What is kept apart by its classification has keys of its own; whether it was then is not in the record. */
async function keyOfEither(
  from: SealedSource,
  id: Uint8Array,
  [owner, apart]: readonly [KeyOwner, KeyOwner],
): Promise<KeyObject> {
  try {
    return await keyOf(from, id, owner);
  } catch (error) {
    if (apart.keptAs === undefined || error instanceof DataKeyDestroyed) throw error;
    return keyOf(from, id, apart);
  }
}

async function keyOf({ path, seal }: SealedSource, id: Uint8Array, owner: KeyOwner): Promise<KeyObject> {
  if (typeof path === 'string') return readDataKey({ path, seal }, id, owner);
  return withLogs(path, async (logs) => {
    for (const log of logs) {
      const row = await log.dataKey(id);
      if (row === undefined) continue;
      if (row.wrapped === null) throw new DataKeyDestroyed(row.day, Number(row.destroyed_ms));
      return unwrapKey(seal, row.wrapped, { id, owner });
    }
    throw new Error('the data key is not in this database');
  });
}

/**
 * The public key of a log's checkpoints, as text (c2sp.org/signed-note): what an auditor is given beforehand. With the log's keys
 * it is derived from them; without, it is what the log says of itself, which proves nothing about who wrote it.
 *
 * @throws Error when there is no such log, or several.
 */
export async function auditVerifierKey(source: AuditSource, keys?: SigningKeys): Promise<string> {
  return withLogs(source, async (logs) => {
    const log = theOnly(logs);
    const { origin, verifierKey } = log;
    const first = String(verifierKey);
    if (keys === undefined) return first;
    const signer = signerOf({ origin, first, handovers: await log.handovers() }, keys);
    return (signer ?? createSigner(origin, keys.signing)).verifierKey;
  });
}

/** The logs of a source: their names in their checkpoints. @throws Error when there is none. */
export async function auditLogs(source: AuditSource): Promise<readonly string[]> {
  return withLogs(source, async (logs) => logs.map(({ origin }) => origin));
}
