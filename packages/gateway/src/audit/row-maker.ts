import { type Cell, cellsPerEntry, type Entry, plainText, unpack } from './entry.ts';
import { keptAsOf, type RetentionRules } from './retention-rules.ts';
import { type Row, rowHash } from './row.ts';
import { type AuditKeys, createArgumentsHash, type SealContext } from './seal.ts';

/** Where a log ends: the row that the next one is chained to. */
export interface Mark {
  readonly seq: number;
  readonly hash: Uint8Array;
}

/** Makes the row of an entry that follows another. */
export type RowMaker = (last: Mark, entry: Entry) => Row;

/** Makes rows: what is confidential is sealed and hashed, what is left is chained. */
export function createRowMaker(
  { keys, rules }: { readonly keys: Pick<AuditKeys, 'argumentHash'>; readonly rules: RetentionRules },
  seal: (plain: string, context: SealContext) => Buffer,
): RowMaker {
  const hashArguments = createArgumentsHash(keys.argumentHash);
  const contextOf = sealContext(rules);
  return (last, entry) => {
    const seq = last.seq + 1;
    const { argumentsText, call_id, time_ms, kind, outcome, reason, subject, tool, trace_id } = entry;
    const record = withHashes(entry, argumentsText === null ? null : hashArguments(argumentsText));
    const plain = plainText(entry);
    const sealed = plain === undefined ? null : seal(plain, contextOf(entry));
    const hash = rowHash({ prevHash: last.hash, seq, record, sealed });
    const columns = { seq, call_id, time_ms, kind, outcome, reason, subject, tool, trace_id };
    return { ...columns, record, sealed, prev_hash: last.hash, hash };
  };
}

/** Whose data key seals an entry, and the call that the sealed bytes belong to. */
export function sealContext(rules: RetentionRules): (entry: Entry) => SealContext {
  return ({ call_id, tenant, time_ms, classification }) => {
    const keptAs = keptAsOf(rules, classification);
    return { callId: call_id ?? '', tenant: tenant ?? undefined, timeMs: time_ms, ...(keptAs && { keptAs }) };
  };
}

/** All entries of packed groups, in order. */
export function* entriesIn(groups: readonly (readonly Cell[])[]): Generator<Entry> {
  for (const cells of groups) {
    for (let at = 0; at < cells.length; at += cellsPerEntry) yield unpack(cells, at);
  }
}

/** The record's text with the keyed hashes as its last members. */
function withHashes({ text, outputHash }: Entry, argumentsHash: string | null): string {
  const first = argumentsHash === null ? '' : `,"argumentsHash":"${argumentsHash}"`;
  const second = outputHash === null ? '' : `,"outputHash":"${outputHash}"`;
  return first === '' && second === '' ? text : `${text.slice(0, -1)}${first}${second}}`;
}
