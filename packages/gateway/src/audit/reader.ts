import type { AccessRequest } from '@sallyport/core';
import { readDataKey } from './data-keys.ts';
import { readPlainText } from './entry.ts';
import { createSigner } from './note.ts';
import { openForReading } from './open-for-reading.ts';
import type { Row, StoredRecord } from './row.ts';
import { type AuditKeys, unseal } from './seal.ts';

/** One row as readers get it. */
export interface AuditRow {
  readonly seq: number;
  readonly record: StoredRecord;
  /** The encrypted access request and arguments, if any: `openSealed` opens them for whoever has the key. */
  readonly sealed?: Uint8Array;
  /** SHA-256 that chains this row to all before it, hex. */
  readonly hash: string;
}

export { openForReading };

/** Reads a row of the table. @throws Error when its record is not JSON. */
export function toAuditRow({ seq, record, sealed, hash }: Row): AuditRow {
  return {
    seq,
    record: JSON.parse(record) as StoredRecord,
    ...(sealed && { sealed }),
    hash: Buffer.from(hash).toString('hex'),
  };
}

/**
 * Opens the confidential part of a row of the log at `path`: the complete access request and the arguments as they were
 * received. `undefined` when the row has none.
 *
 * @throws DataKeyDestroyed when it was erased; Error when the data key is not beside the log, the sealing key is another, or
 * the bytes are not this row's.
 */
export function openSealed(
  { record, sealed }: AuditRow,
  from: Pick<AuditKeys, 'seal'> & { readonly path: string },
): { readonly request?: AccessRequest; readonly argumentsText?: string } | undefined {
  if (sealed === undefined || record.kind === 'refusals') return undefined;
  const { callId, tenant, timeMs } = record;
  return readPlainText(unseal((id, owner) => readDataKey(from, id, owner), sealed, { callId, tenant, timeMs }));
}

/**
 * The public key of a log's checkpoints, as text (c2sp.org/signed-note): what an auditor is given beforehand. With the log's keys
 * it is derived from them; without, it is what the log says of itself, which proves nothing about who wrote it.
 *
 * @throws Error when there is no such log.
 */
export function auditVerifierKey(path: string, keys?: Pick<AuditKeys, 'signing'>): string {
  const db = openForReading(path);
  try {
    const meta = db.prepare('SELECT origin, verifier_key FROM meta').get();
    return keys ? createSigner(String(meta?.origin), keys.signing).verifierKey : String(meta?.verifier_key);
  } finally {
    db.close();
  }
}
