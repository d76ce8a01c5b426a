import type { Approver } from '@sallyport/core';

/** The approvers every gateway asks: none yet. An embedder may bring its own. */
export const approvers: readonly Approver[] = [];
