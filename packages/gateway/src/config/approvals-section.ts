import { z } from 'zod';
import * as field from '../text/fields.ts';
import { count, listOf, names } from '../text/shapes.ts';
import { type ApprovalWebhook, toWebhooks, webhooksShape } from './approval-webhooks.ts';

const kinds = ['person', 'owner', 'service', 'agent'] as const;

/** The section `approvals`. */
export const approvalsSection = z
  .strictObject({
    maxPending: count(1, 100_000).prefault(100).describe('Requests of one account that wait for people at one time.'),
    maxPendingPerTool: count(1, 100_000).prefault(20).describe('The same for one tool.'),
    life: field.duration
      .prefault('1h')
      .describe('How long a request is waited for and its approval good for, where the policy does not say.'),
    wait: field.duration
      .prefault('20s')
      .describe('The longest that a caller is kept without an answer while its call waits for people.'),
    approvers: listOf(
      z.enum(kinds, { error: `expected some of ${kinds.join(', ')}` }),
      names(`kinds of accounts: ${kinds.join(', ')}`),
    )
      .min(1, { error: 'expected at least one kind of accounts' })
      .prefault(['person', 'owner'])
      .describe('Kinds of accounts that may decide, given that they have the scope. Agents deciding is seldom meant.'),
    webhooks: webhooksShape,
  })
  .prefault({})
  .describe('How people are asked about calls that policies want approved.');

/** The section as the gateway uses it. */
export interface ApprovalsConfig {
  readonly maxPending: number;
  readonly maxPendingPerTool: number;
  readonly lifeMs: number;
  /** The longest that a caller is kept while its call waits. */
  readonly waitMs: number;
  readonly approvers: readonly (typeof kinds)[number][];
  readonly webhooks: readonly ApprovalWebhook[];
}

/** Gives durations their unit; paths of secrets are relative to the folder of the file. */
export function toApprovals(section: z.output<typeof approvalsSection>, folder: string): ApprovalsConfig {
  const { life, wait, webhooks, ...rest } = section;
  return { ...rest, lifeMs: life, waitMs: wait, webhooks: toWebhooks(webhooks, folder) };
}
