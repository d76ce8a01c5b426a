import {
  type Answer,
  type Background,
  GatewayError,
  type Hold,
  noHold,
  type Permit,
  principalKey,
  type Retry,
  type Stages,
  type Suspended,
} from '@sallyport/core';
import { isJsonObject, type JsonObject, type JsonValue } from '@sallyport/protocol';
import type { Sealing } from './sealing.ts';
import type { TaskKeeper } from './task-keeper.ts';

/** What lets callers come back to a call that waits. */
export interface WaitingParts {
  readonly sealing: Pick<Sealing, 'ownState' | 'incoming' | 'outgoing'>;
  readonly tasks: Pick<TaskKeeper, 'wait'>;
  /** Milliseconds since the epoch. */
  readonly nowMs: () => number;
}

/** What the state of a call that waits begins with. No service may give out one like it. */
export const waitingPrefix = 'waiting:';

/** The question of a call that waits, among those of an `InputRequiredResult`. */
export const waitingKey = 'approval';

/** Where nobody knows when it ends: so long is a state good, and a task kept, in milliseconds. */
const plainLifeMs = 3_600_000;
/** What came of a task is kept for so long after it can have begun to run at the latest. */
const afterMs = 3_600_000;
const longestLifeMs = 7 * 86_400_000;
/** In characters; what a caller answered to its service is in it. */
const longestState = 512 * 1024;

/** What the caller brings back. */
interface Brought {
  readonly round: number;
  /** What it had brought before it was sent away. */
  readonly retry: Retry | undefined;
}

/**
 * Gives the calls that wait a ticket. What is asked about a task was let through when the task was made, so nobody is asked
 * about it again.
 */
export function withTickets(approve: Stages['approve'], parts: WaitingParts): Stages['approve'] {
  return async (permit, request) => {
    if (permit.method.startsWith('tasks/')) return noHold;
    const brought = permit.retry?.requestState === undefined ? undefined : readBrought(parts.sealing.incoming(permit));
    const approval: Suspended | Hold = await approve(permit, request);
    if (!('kind' in approval)) return approval;
    // A service waits inside another call, whose caller nobody could tell of it: that one has to come back.
    if (request.context.transport === 'hop') throw nobodyWaits(approval);
    return { ...approval, ticket: ticketFor(parts, { permit, brought, waiting: approval }) };
  };
}

function nobodyWaits({ question, reason }: Suspended): GatewayError {
  const issues = [
    `${reason} (${question}) A service cannot wait for it: make the call that needs it again afterwards.`,
  ];
  return new GatewayError('approval_unavailable', { approval: question, issues });
}

/**
 * What a call that waited brings for its service: what its caller had brought when it was sent away.
 *
 * @throws GatewayError `cancelled` when its person does not want to wait.
 */
export function afterWaiting(retry: Retry | undefined): Retry | undefined {
  const brought = readBrought(retry);
  return brought === undefined ? retry : brought.retry;
}

interface Waiting {
  readonly permit: Permit;
  readonly brought: Brought | undefined;
  readonly waiting: Suspended;
}

function ticketFor(parts: WaitingParts, { permit, brought, waiting }: Waiting): NonNullable<Suspended['ticket']> {
  const { sealing, tasks, nowMs } = parts;
  const round = brought === undefined ? 0 : brought.round + 1;
  const lifeMs = (): number => {
    const leftMs = waiting.expiresAtMs === undefined ? plainLifeMs : waiting.expiresAtMs - nowMs();
    return Math.min(Math.max(leftMs, 0) + afterMs, longestLifeMs);
  };
  const serviceRetry = (): Retry | undefined =>
    permit.retry === undefined ? undefined : afterWaiting(sealing.incoming(permit));
  return {
    round,
    requestState: () => {
      const state = `${waitingPrefix}${JSON.stringify({ round, retry: brought ? brought.retry : serviceRetry() })}`;
      // It comes back in a request, beside the arguments.
      if (state.length > longestState) throw new GatewayError('payload_too_large');
      return sealing.ownState(permit, state, nowMs() + lifeMs());
    },
    begin: (run: (background: Background) => Promise<Answer>) => {
      const caller = principalKey(permit.principal);
      const { question, reason } = waiting;
      const task = tasks.wait({ caller, question, message: `This call waits: ${reason}`, ttlMs: lifeMs() }, run);
      return { ...sealing.outgoing(permit, task), service: permit.target.service };
    },
  };
}

/** @throws GatewayError `cancelled` when its person does not want to wait. */
function readBrought(retry: Retry | undefined): Brought | undefined {
  const { requestState, inputResponsesText } = retry ?? {};
  if (!requestState?.startsWith(waitingPrefix)) return undefined;
  const { round, retry: before } = JSON.parse(requestState.slice(waitingPrefix.length)) as {
    readonly round: number;
    readonly retry?: Retry;
  };
  const { action } = objectOf(objectOf(parse(inputResponsesText))[waitingKey]);
  if (action === 'decline' || action === 'cancel') throw new GatewayError('cancelled');
  return { round, retry: before };
}

function parse(text: string | undefined): JsonValue {
  return text === undefined ? {} : (JSON.parse(text) as JsonValue);
}

function objectOf(value: JsonValue | undefined): JsonObject {
  return isJsonObject(value) ? value : {};
}
