import type { Approver } from '@sallyport/core';

export type { ContextSeal } from './context.ts';
export { type ApprovalDesk, createApprovalDesk, type DeskParts, type ShownApproval } from './desk.ts';
export type { ApprovalSettings } from './settings.ts';
export type { AnswerReader } from './webhook-answer.ts';

/** The approvers that every plane asks, whatever policies say: none. Those of a gateway or an embedder come on top. */
export const approvers: readonly Approver[] = [];
