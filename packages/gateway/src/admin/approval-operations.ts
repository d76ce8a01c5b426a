import { createHash } from 'node:crypto';
import {
  type Actor,
  type Approval,
  type ApprovalContext,
  type ApprovalState,
  agreed,
  type Principal,
} from '@sallyport/core';
import type { JsonObject } from '@sallyport/protocol';
import type { ApprovalDesk } from '../approval/index.ts';
import { changing, type Operation, reading } from './operation.ts';
import * as schemas from './schemas.ts';

/** What the operations on approvals lean on. */
export interface ApprovalOperationDeps {
  readonly approvalDesk: Pick<ApprovalDesk, 'list' | 'show' | 'vote' | 'until' | 'mayDecide'>;
}

/** With the second, people see and decide what waits for their own consent, and nothing else. */
const scopes = ['admin:approvals', 'admin:consent'];
const mostListed = 500;
const longestWaitSeconds = 25;

/** Somebody can still say something to these. */
const undecided: readonly ApprovalState[] = ['pending', 'granted'];

const approvalId: JsonObject = {
  type: 'string',
  pattern: '^apr_[1-9A-HJ-NP-Za-km-z]{16}$',
  description: 'The id of the approval.',
};

const reason: JsonObject = { type: 'string', minLength: 1, maxLength: 1000 };

const all: JsonObject = {
  type: 'boolean',
  default: false,
  description: 'Those that are over as well. Default: those that are pending, and granted but not used.',
};

const decided = schemas.strictObject({
  id: approvalId,
  state: { type: 'string' },
  changed: { type: 'boolean', description: 'False where the same person had said so before.' },
});

/** List, show, approve and reject what waits for people, and be told when that changes. */
export function approvalOperations({ approvalDesk: desk }: ApprovalOperationDeps): readonly Operation[] {
  return [list(desk), watch(desk), show(desk), approve(desk), reject(desk)];
}

type Desk = ApprovalOperationDeps['approvalDesk'];

function list(desk: Desk): Operation {
  return {
    tool: reading('approvals.list', scopes, {
      description: `Lists what waits for people, newest first, at most ${mostListed}: who wants to call what. Arguments are in approvals.show.`,
      inputSchema: schemas.strictObject({}, { all }),
    }),
    handler: async (args, { principal }) => ({ approvals: await listed(desk, principal, args.all === true) }),
  };
}

function watch(desk: Desk): Operation {
  return {
    tool: reading('approvals.watch', scopes, {
      description:
        'Answers like approvals.list when that is not what the etag says any more, or when the wait is over.',
      inputSchema: schemas.strictObject(
        {},
        {
          all,
          etag: { type: 'string', maxLength: 64, description: 'From the answer before. Absent: answers at once.' },
          waitSeconds: { ...schemas.seconds(0, longestWaitSeconds, 'How long to wait at most.'), default: 20 },
        },
      ),
    }),
    handler: async (args, { principal, signal }) => {
      const endsMs = performance.now() + Number(args.waitSeconds ?? 20) * 1000;
      const look = async () => {
        const approvals = await listed(desk, principal, args.all === true);
        const etag = createHash('sha256').update(JSON.stringify(approvals)).digest('base64url');
        return etag !== args.etag || performance.now() >= endsMs ? { etag, approvals } : undefined;
      };
      return desk.until(look, signal);
    },
  };
}

function show(desk: Desk): Operation {
  return {
    tool: reading('approvals.show', scopes, {
      description:
        'Shows all there is to decide by: who wants to call what, with which arguments, and why people are asked.',
      inputSchema: schemas.strictObject({ id: approvalId }),
    }),
    handler: async ({ id }, { principal }) => {
      const { approval, context } = await desk.show(principal, String(id));
      return { ...shown(desk, principal, approval), ...details(approval), ...(context && readable(context)) };
    },
  };
}

function approve(desk: Desk): Operation {
  return {
    tool: changing('approvals.approve', scopes, {
      description:
        'Agrees to one call, exactly as it is shown. Whoever asked for it may not, but for the consent of the person on whose behalf it is; once per person counts.',
      inputSchema: schemas.strictObject({ id: approvalId }, { reason: { ...reason, description: 'For the record.' } }),
      outputSchema: decided,
      idempotent: true,
    }),
    handler: async ({ id, reason: why }, { principal }) =>
      decision(desk, principal, {
        id: String(id),
        verdict: 'approve',
        ...(why !== undefined && { reason: String(why) }),
      }),
  };
}

function reject(desk: Desk): Operation {
  return {
    tool: changing('approvals.reject', scopes, {
      description:
        'Ends a request, or an approval that was given and not used yet. The same call is refused until the request would have expired.',
      inputSchema: schemas.strictObject(
        { id: approvalId, reason: { ...reason, description: 'For the record.' } },
        { tell: { type: 'boolean', default: false, description: 'Whether the caller is told the reason as well.' } },
      ),
      outputSchema: decided,
      idempotent: true,
    }),
    handler: async ({ id, reason: why, tell }, { principal }) =>
      decision(desk, principal, {
        ...{ id: String(id), verdict: 'reject', reason: String(why), isPublic: tell === true },
      }),
  };
}

type Decided = { readonly id: string } & Parameters<Desk['vote']>[2];

async function decision(desk: Desk, voter: Principal, { id, ...said }: Decided) {
  const { approval, isNew } = await desk.vote(voter, id, said);
  return { id, state: approval.state, changed: isNew };
}

async function listed(desk: Desk, viewer: Principal, isAll: boolean): Promise<readonly JsonObject[]> {
  const found = await desk.list(viewer, { limit: mostListed, ...(!isAll && { states: undecided }) });
  return found.map((approval) => shown(desk, viewer, approval));
}

function shown(desk: Desk, viewer: Principal, approval: Approval): JsonObject {
  const { id, state, binding, votes, createdAtMs, expiresAtMs } = approval;
  const { requester, tool, service, needs } = binding;
  return {
    ...{ id, state, tool, service },
    requester: {
      subject: requester.subject,
      ...(requester.actor && { actors: actorsOf(requester.actor) }),
      client: requester.client,
      ...(requester.tenant !== undefined && { tenant: requester.tenant }),
      ...(requester.app !== undefined && { app: requester.app }),
      ...(requester.intent !== undefined && { intent: requester.intent }),
    },
    needs: needs.map((need) => ({ ...need, agreed: agreed(need, votes) })),
    mayDecide: desk.mayDecide(viewer, approval),
    createdAt: iso(createdAtMs),
    expiresAt: iso(expiresAtMs),
  };
}

function details({ binding, policies, callId, votes, changedAtMs }: Approval): JsonObject {
  const { method, argumentsHash, definitionHash, policyRevision } = binding;
  return {
    ...{ method, argumentsHash, definitionHash, policyRevision, policies, callId },
    changedAt: iso(changedAtMs),
    votes: votes.map(({ subject, verdict, scopes: by, consents, reason: why, isPublic, atMs }) => ({
      ...{ subject, verdict, scopes: by, at: iso(atMs) },
      ...(consents && { consents }),
      ...(why !== undefined && { reason: why, told: isPublic === true }),
    })),
  };
}

/** Arguments as the text that would leave: a number beyond what JavaScript counts by would change on the way. */
function readable({ risk, ...context }: ApprovalContext): JsonObject {
  return { ...context, ...(risk && { risk: { score: risk.score, factors: { ...risk.factors } } }) };
}

function actorsOf({ subject, actor }: Actor): readonly string[] {
  return actor === undefined ? [subject] : [subject, ...actorsOf(actor)];
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
