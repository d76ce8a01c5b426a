import { setTimeout as sleep } from 'node:timers/promises';
import { type Answer, accountKey, GatewayError, type Hop, type OutboundCredential, type Permit } from '@sallyport/core';
import type { Era } from '@sallyport/protocol';
import { troubleIn } from '../credential-trouble.ts';
import { parkedPrefix } from '../sealing.ts';
import { callServer, type Departure } from './call.ts';
import type { Control } from './control.ts';
import { legacyCapabilities } from './outgoing.ts';
import type { Parking } from './parking.ts';
import type { Pool } from './pool.ts';
import { type Lease, unavailable } from './pool-entry.ts';

/** What calling a server needs, for as long as it is followed. */
export interface CallerOptions {
  readonly pool: Pool;
  readonly parking: Parking;
  readonly control: Control;
  /** What answers name as the instance that made them. */
  readonly instance: string;
  readonly nowMs: () => number;
  /** How long a call waits for a server that cannot be reached, in milliseconds. */
  readonly connectWaitMs: number;
  /** Fires when nothing is to be tried any more. */
  readonly closing: AbortSignal;
}

/** A call before its conversation is found. */
export type Request = Omit<Departure, 'lease'>;

/**
 * Makes the function that brings calls to one server. What did not leave is tried again as long as `connectWaitMs` lasts, and
 * what a server refused because it does not know the conversation is tried once more in a new one; nothing else is sent twice.
 */
export function createCaller(options: CallerOptions): (request: Request) => Promise<Answer> {
  const { pool, control, nowMs, connectWaitMs, closing } = options;

  /** A conversation may take its time to begin; but a server that is known to be away is not waited for any longer. */
  const leaseInTime = async (request: Request, untilMs: number): Promise<Lease> => {
    if (control.holds()) return leaseFor(pool, request);
    const tooLate = new AbortController();
    const clock = setTimeout(() => tooLate.abort(unavailable('it is away')), Math.max(0, untilMs - nowMs()));
    try {
      return await leaseFor(pool, { ...request, signal: AbortSignal.any([request.signal, tooLate.signal]) });
    } finally {
      clearTimeout(clock);
    }
  };

  const callOnce = async (request: Request, attempt: Attempt): Promise<Answer> => {
    const lease = await leaseInTime(request, attempt.untilMs);
    const stop = lease.conversation.onLost(() => {
      attempt.isLost = true;
    });
    const onStart = (): void => {
      attempt.isSent = true;
      request.onStart();
    };
    try {
      const answer = await callServer({ ...request, onStart, lease }, options);
      control.answered();
      return answer;
    } finally {
      stop();
    }
  };

  /** @throws the error of a try that is the last one; returns after a pause when there is to be another. */
  const goOn = async (error: unknown, attempt: Attempt, { tries, signal, credential }: Course): Promise<void> => {
    if (!isUnavailable(error) || signal.aborted || closing.aborted) throw error;
    // Of one's own; a conversation may have been begun by somebody else, who has no credential.
    if (troubleIn(error)?.given === credential) throw error;
    control.poke();
    if (!attempt.isSent) await pause(error, { tries, leftMs: attempt.untilMs - nowMs(), signal });
    // Refused because nobody there knew the conversation: nothing was done, and a new one may be known.
    else if (!attempt.isLost || attempt.isRenewed) throw error;
  };

  return async (request) => {
    const { hop, signal } = request;
    if (hop.retry?.requestState?.startsWith(parkedPrefix)) return callServer(request, options);
    const untilMs = nowMs() + connectWaitMs;
    let isRenewed = false;
    for (let tries = 0; ; tries++) {
      const attempt: Attempt = { isSent: false, isLost: false, isRenewed, untilMs };
      try {
        return await callOnce(request, attempt);
      } catch (error) {
        await goOn(error, attempt, { tries, signal, credential: hop.credential });
        isRenewed ||= attempt.isSent;
      }
    }
  };
}

function leaseFor(pool: Pool, { permit, hop, signal }: Request): Promise<Lease> {
  return pool.lease({
    era: preferredEra(permit, hop),
    conversation: hop.client.conversation,
    account: accountKey(permit.principal),
    onEnd: hop.client.onEnd,
    capabilitiesText: legacyCapabilities(hop.client.capabilitiesText),
    credential: hop.credential,
    signal,
  });
}

/** What became of one try to call. */
interface Attempt {
  /** Bytes of it left. */
  isSent: boolean;
  /** The server did not know the conversation any more. */
  isLost: boolean;
  /** It is the second one, after that. */
  readonly isRenewed: boolean;
  /** How long it may wait for a server that is away. */
  readonly untilMs: number;
}

/** How far the tries have come. */
interface Course {
  readonly credential: OutboundCredential;
  readonly tries: number;
  readonly signal: AbortSignal;
}

/** The era of the caller, so that nothing has to be translated; but tasks, and answers to questions, are of the modern era. */
function preferredEra({ method }: Permit, { era, retry }: Hop): Era {
  return era === 'legacy' && !method.startsWith('tasks/') && retry === undefined ? 'legacy' : 'modern';
}

function isUnavailable(error: unknown): boolean {
  return error instanceof GatewayError && error.reason === 'upstream_unavailable';
}

interface Pause {
  readonly tries: number;
  readonly leftMs: number;
  readonly signal: AbortSignal;
}

const shortestPauseMs = 25;
const longestPauseMs = 250;

/** Waits before the next try, ever longer, as long as there is time. @throws the error when there is none. */
async function pause(error: unknown, { tries, leftMs, signal }: Pause): Promise<void> {
  if (leftMs <= 0) throw error;
  const pauseMs = Math.min(shortestPauseMs * 2 ** Math.min(tries, 8), longestPauseMs, leftMs);
  await sleep(pauseMs, undefined, { signal }).catch(() => {
    throw signal.reason;
  });
}
