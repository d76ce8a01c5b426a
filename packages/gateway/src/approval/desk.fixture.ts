import { createSecretKey, randomBytes } from 'node:crypto';
import type { Approval, ApprovalChannel, ApprovalContext, ApprovalEvent, Approvals, Permit } from '@sallyport/core';
import { pino } from 'pino';
import { type ApprovalDesk, createApprovalDesk, type DeskParts } from './desk.ts';

/** A desk over a store, and all it told. */
export interface TestDesk {
  readonly desk: ApprovalDesk;
  readonly told: ApprovalEvent[];
  readonly ended: Approval[];
}

/** A desk whose seal is none: what was sealed can be read in the store. */
export function openTestDesk(approvals: Approvals, nowMs: () => number, more: Partial<DeskParts> = {}): TestDesk {
  const told: ApprovalEvent[] = [];
  const ended: Approval[] = [];
  const channel: ApprovalChannel = { name: 'test', tell: (event) => void told.push(event) };
  let drawn = 0;
  const desk = createApprovalDesk({
    ...{ approvals, nowMs, log: pino({ level: 'silent' }), hashKey: createSecretKey(randomBytes(32)) },
    settings: () => ({ maxPending: 3, maxPendingPerTool: 2, lifeMs: 60_000, approvers: ['person', 'owner'] }),
    seal: {
      seal: (id, context) => JSON.stringify({ id, context }),
      open: (id, sealed) => {
        const opened = JSON.parse(sealed) as { readonly id: string; readonly context: ApprovalContext };
        return opened.id === id ? opened.context : undefined;
      },
      sealReason: (id, reason) => Buffer.from(`${id} ${reason}`).toString('base64'),
      openReason: (id, sealed) =>
        Buffer.from(sealed, 'base64')
          .toString()
          .slice(id.length + 1),
    },
    newId: () => `apr_${String(++drawn).replaceAll('0', 'z').padStart(16, 'a')}`,
    goesOn: (permit: Permit) => permit.retry !== undefined,
    isCurrent: () => true,
    channels: () => [channel],
    recordEnd: async (approval) => void ended.push(approval),
    ...more,
  });
  return { desk, told, ended };
}
