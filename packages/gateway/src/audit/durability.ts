import type { Loggable } from './row.ts';

/**
 * What a record outlives once it is acknowledged.
 *
 * * `process`: it is with the operating system, and survives the death of the gateway, `kill -9` included.
 * * `disk`: it is on the disk, and survives the loss of the machine's power.
 * * `async`: nothing is waited for. At most `asyncBound` records are on their way at any time and can be lost.
 */
export type Durability = 'async' | 'process' | 'disk';

/** Which records have to outlive what. */
export interface DurabilityRules {
  /** Calls without side effects, lists, and refusals before anything left. Default `process`. */
  readonly reads: Durability;
  /** Calls with side effects. Default `disk`. What is `auditRequired` is always on the disk. */
  readonly writes: Durability;
}

/** What is lost at most, in records, when the gateway dies, of those that nothing waits for. */
export const asyncBound = 1000;

/** The default rules. */
export const defaultDurability: DurabilityRules = { reads: 'process', writes: 'disk' };

/** Where a refused call may have left for its service. */
const afterDispatch = new Set<string | undefined>(['dispatch', 'filter']);

/** How durable a record has to be before its answer may go out. */
export function durabilityOf(record: Loggable, { reads, writes }: DurabilityRules): Durability {
  if (record.kind === 'refusals') return 'process';
  if (record.kind === 'intent') return 'disk';
  const { sideEffect, auditRequired, outcome, stage } = record;
  const hadEffect = outcome !== 'refused' || afterDispatch.has(stage);
  if (auditRequired && hadEffect) return 'disk';
  return sideEffect === undefined || sideEffect === 'read' || !hadEffect ? reads : writes;
}
