import type { AuditRecord, RefusalCount } from '../audit-record.ts';

/** Appends records. `append` resolves when the record would survive the death of this process. */
export interface AuditLog {
  append(record: AuditRecord | RefusalCount): Promise<void>;
  close(): Promise<void>;
}
