import type { AuditRecord, RefusalCount } from '@sallyport/core';
import type { Logger } from 'pino';

/** A record for the embedder's own use: frozen, and without arguments, answer and access request. */
export type ToldRecord = Omit<AuditRecord, 'argumentsText' | 'outputText' | 'request'> | RefusalCount;

/** What an embedder hangs in. May be async; whatever it throws is logged and otherwise ignored. */
export type OnRecord = (record: ToldRecord) => unknown;

/** Tells the embedder of records, after the tick in which they were written: no answer waits for it. */
export function createTeller(onRecord: OnRecord, log: Logger): (record: AuditRecord | RefusalCount) => void {
  const tell = async (told: ToldRecord): Promise<void> => {
    try {
      await onRecord(told);
    } catch (err) {
      log.error({ err }, 'the onRecord callback failed');
    }
  };
  return (record) => {
    const told = frozen(withoutConfidential(record));
    setImmediate(() => void tell(told));
  };
}

function withoutConfidential(record: AuditRecord | RefusalCount): ToldRecord {
  if (record.kind === 'refusals') return record;
  const { argumentsText: _text, outputText: _output, request: _request, ...open } = record;
  return open;
}

/** A copy that is frozen all the way down: the records' own parts are still in use elsewhere. */
function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  const copy = Array.isArray(value) ? value.map(frozen) : mapped(value);
  return Object.freeze(copy) as T;
}

function mapped(value: object): object {
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, frozen(member)]));
}
