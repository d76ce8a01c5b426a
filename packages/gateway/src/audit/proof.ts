import type { Finding } from './check.ts';
import { type Checkpoint, openCheckpoint, readCheckpoint } from './checkpoint.ts';
import { newestFirst } from './find.ts';
import type { Handover } from './handover.ts';
import { createKeyChain } from './key-chain.ts';
import { type AuditSource, type LogReader, withLogs } from './log-reader.ts';
import { inclusionProof, leafHash, rootOfInclusion } from './merkle.ts';
import { NoteRefused, readVerifierKey } from './note.ts';
import { type Row, rowEntry, type StoredRecord, sealedDigest } from './row.ts';
import { withNodes } from './tree-reader.ts';

/**
 * One record, and why it must be in the log: everything needed to check it, but the public key. What is sealed stays at home; its
 * digest stands for it.
 */
export interface ProvenRecord {
  readonly seq: number;
  /** `prev_hash` of the row, hex. */
  readonly prev: string;
  readonly record: StoredRecord;
  /** SHA-256 of the sealed bytes, hex; 64 zeros where there are none. */
  readonly sealedHash: string;
  /** The way to the root and the checkpoint that signs it, in the format of c2sp.org/tlog-proof. */
  readonly proof: string;
}

/** A proof file: all records of one call. */
export interface AuditProof {
  readonly proof: 1;
  readonly records: readonly ProvenRecord[];
  /** Handovers of the signing key, for those who have another than the one that signed last. */
  readonly keys?: readonly Handover[];
}

/** What came of checking a proof file. */
export interface ProofVerification {
  readonly ok: boolean;
  readonly records: readonly StoredRecord[];
  /** The checkpoint that covers them. */
  readonly checkpoint: Pick<Checkpoint, 'origin' | 'size' | 'timeMs'> | undefined;
  readonly findings: readonly Finding[];
}

/** No checkpoint covers the record yet. One is signed every 200 ms while records come, and at every orderly close. */
export class NotYetSigned extends Error {
  override readonly name = 'NotYetSigned';
}

/**
 * Proves that the records of a call are in the log, by the newest checkpoint. `undefined` when there are none.
 *
 * @throws NotYetSigned when the checkpoint is older than the records; Error when there is no log or its tree is damaged.
 */
export async function proveCall(source: AuditSource, callId: string): Promise<AuditProof | undefined> {
  return withLogs(source, async (logs) => {
    for (const log of logs) {
      const note = await log.newest();
      const rows: Row[] = [];
      const wanted = { filter: { callId }, before: Number.MAX_SAFE_INTEGER, wanted: 10 };
      for await (const { seq } of newestFirst(log, wanted)) rows.unshift(...(await log.rowsByNumber([seq])));
      if (rows.length > 0) return prove(log, rows, note);
    }
    return undefined;
  });
}

async function prove(log: LogReader, rows: readonly Row[], note: string | undefined): Promise<AuditProof> {
  const size = note === undefined ? 0 : readCheckpoint(note).size;
  if (note === undefined || rows.some(({ seq }) => seq > size))
    throw new NotYetSigned('no checkpoint covers this call yet');
  const records = rows.map(async (row): Promise<ProvenRecord> => {
    const path = await withNodes(log, (nodeOf) => inclusionProof(row.seq - 1, size, nodeOf));
    return {
      seq: row.seq,
      prev: hex(row.prev_hash),
      record: JSON.parse(row.record) as StoredRecord,
      sealedHash: hex(sealedDigest(row.sealed)),
      proof: proofText(row.seq - 1, path, note),
    };
  });
  const keys = (await log.handovers()).filter(({ seq }) => seq <= size);
  return { proof: 1, records: await Promise.all(records), ...(keys.length > 0 && { keys }) };
}

/** Checks a proof file with nothing but public keys, as `sallyport audit key` prints them. Anything may be in the file. */
export function verifyProof(text: string, keys: readonly string[]): ProofVerification {
  // A key that cannot be read is a mistake of whoever gives it, not of the proof.
  for (const key of keys) readVerifierKey(key);
  const records: StoredRecord[] = [];
  let checkpoint: Checkpoint | undefined;
  let seq = 0;
  try {
    const { proof, records: proven, keys: handovers = [] } = JSON.parse(text) as AuditProof;
    if (proof !== 1 || !Array.isArray(proven) || proven.length === 0) throw new NoteRefused('this is not a proof file');
    for (const each of proven as ProvenRecord[]) {
      seq = Number(each.seq);
      checkpoint = checkRecord(each, { keys, handovers });
      records.push(each.record);
    }
    return { ok: true, records, checkpoint, findings: [] };
  } catch (error) {
    const detail = error instanceof NoteRefused ? error.message : 'it cannot be read';
    const kind = error instanceof NoteRefused ? 'changed' : 'unreadable';
    return { ok: false, records, checkpoint: undefined, findings: [{ seq, kind, detail }] };
  }
}

const firstLine = 'c2sp.org/tlog-proof@v1';

function proofText(index: number, path: readonly Uint8Array[], note: string): string {
  const hashes = path.map((each) => Buffer.from(each).toString('base64'));
  return `${[firstLine, `index ${index}`, ...hashes].join('\n')}\n\n${note}`;
}

/** Lines that more than any tree has would only be somebody's joke. */
const maxPath = 64;

function checkRecord(
  { seq, prev, record, sealedHash, proof }: ProvenRecord,
  { keys, handovers }: { readonly keys: readonly string[]; readonly handovers: readonly Handover[] },
): Checkpoint {
  const end = proof.indexOf('\n\n');
  const [first, indexLine = '', ...hashes] = proof.slice(0, end).split('\n');
  if (end < 0 || first !== firstLine || hashes.length > maxPath) throw new NoteRefused('its proof cannot be read');
  const note = proof.slice(end + 2);
  const claimed = readCheckpoint(note);
  const chain = createKeyChain(claimed.origin, keys, handovers);
  const checkpoint = openCheckpoint(note, chain.verifiersAt(claimed.size));
  const index = Number(indexLine.slice('index '.length));
  const entry = rowEntry({ prevHash: bytesOf(prev), seq, record: JSON.stringify(record) }, bytesOf(sealedHash));
  const path = hashes.map((line) => Buffer.from(line, 'base64'));
  const isWhole = indexLine === `index ${seq - 1}` && path.every((hash) => hash.length === 32);
  const root = isWhole
    ? rootOfInclusion({ index, size: checkpoint.size, leaf: leafHash(entry), proof: path })
    : undefined;
  if (root && Buffer.compare(root, checkpoint.root) === 0) return checkpoint;
  throw new NoteRefused('the record is not the one that was signed');
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function bytesOf(text: string): Buffer {
  if (!/^[0-9a-f]{64}$/.test(text)) throw new NoteRefused('a hash in it is not one');
  return Buffer.from(text, 'hex');
}
