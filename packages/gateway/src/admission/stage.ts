import type { Stages } from '@sallyport/core';
import type { AdmissionCheck } from './kind.ts';

/** Asks all checks in their order; the first objection refuses. */
export function createAdmit(checks: readonly AdmissionCheck[]): Stages['admit'] {
  return async (call) => {
    for (const check of checks) await check.admit(call);
  };
}
