import type { AuditRecord } from './audit-record.ts';
import type { StageName } from './error.ts';

/** Watches one call on its way: for its trace. Neither function throws, and nothing they do changes what becomes of the call. */
export interface Observation {
  /** The call has come to this stage; the one before has ended. */
  stage(name: StageName): void;
  /** The call has ended like this, and is on record; or could not be recorded, and is refused for that. */
  end(record: AuditRecord): void;
}
