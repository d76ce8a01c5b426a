import { randomBytes, randomUUID } from 'node:crypto';
import { auditSchemaVersion, type CallId } from '@sallyport/core';
import { type Cell, cellsPerEntry } from './entry.ts';
import { columnsOf, type StoredRecord } from './row.ts';

type OwnFacts = Pick<Exclude<StoredRecord, { kind: 'refusals' }>, 'retention' | 'handover'>;

/** What the log does to itself, on record as a call that the gateway made; `tool` says what it is. */
export function ownCells(timeMs: number, tool: string, facts: OwnFacts): Cell[] {
  const record: StoredRecord = {
    ...{ schema: auditSchemaVersion, kind: 'outcome', callId: randomUUID() as CallId },
    ...{ traceId: randomBytes(16).toString('hex'), spanId: randomBytes(8).toString('hex') },
    ...{ timeMs, durationMs: 0, verb: 'invoke', origin: { transport: 'admin', peer: 'local', era: 'none' } },
    ...{ subject: 'sallyport', tool, sideEffect: 'destructive', outcome: 'answered', toolError: false },
    ...{ inputBytes: 0, outputBytes: 0 },
    ...facts,
  };
  const { call_id, time_ms, kind, outcome, reason, subject, trace_id } = columnsOf(record);
  const cells: Cell[] = [JSON.stringify(record), call_id, time_ms, kind, outcome, reason, subject, tool, trace_id];
  return [...cells, ...Array.from({ length: cellsPerEntry - cells.length }, () => null)];
}
