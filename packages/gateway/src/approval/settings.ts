import type { Principal } from '@sallyport/core';

/** Kinds of accounts that may decide. */
export type ApproverKinds = readonly Principal['kind'][];

/** How approvals are asked for. */
export interface ApprovalSettings {
  /** Requests of one account that may be pending at a time, in all and for one tool. */
  readonly maxPending: number;
  readonly maxPendingPerTool: number;
  /** How long a request may be waited for and its approval be used, where policies do not say. */
  readonly lifeMs: number;
  /** Who may decide, given that they have the scope. */
  readonly approvers: ApproverKinds;
}
