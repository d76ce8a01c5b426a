import {
  type Allowance,
  type Fate,
  GatewayError,
  type Hold,
  type Intents,
  noHold,
  type Permit,
  type Quota,
  type StoredIntent,
} from '@sallyport/core';

/** What counting the calls of intents needs. */
export interface IntentCallsOptions {
  /** Absent: none can be counted, so nothing is let through under an intent that limits calls. */
  readonly intents?: Intents;
  /** Milliseconds since the epoch. */
  readonly nowMs: () => number;
}

/**
 * Counts the calls made under intents, each before it leaves. One that never left is given back; one of which nobody knows
 * stays spent. A service that asked something has not done what it was called for: the call that goes on with it takes
 * its place, once.
 */
export function createIntentCalls({ intents, nowMs }: IntentCallsOptions): Quota {
  const count = async (permit: Permit): Promise<Hold> => {
    const { intent } = permit.principal;
    if (intent === undefined) return noHold;
    if (intents === undefined) throw new Error('a call under an intent, and no way to count it');
    const counted = (intent.allows ?? []).filter(({ calls }) => calls !== undefined);
    if (counted.length === 0) refuseEnded(await intents.find(intent.id));
    if (counted.length === 0 || isFollowUp(permit)) return noHold;
    return reserve(intents, counted, { nowMs: nowMs(), goesOn: permit.retry?.requestState !== undefined });
  };
  return { reserve: (permit) => (permit.principal.intent === undefined ? noHold : count(permit)) };
}

/** Whoever is counted is looked at when it is taken; services that serve them are not. */
function refuseEnded(stored: StoredIntent | undefined): void {
  if (stored === undefined || stored.revokedAtMs !== undefined) throw new GatewayError('credential_revoked');
}

/** What is asked about a task is no call of its own: the call that made it was counted. */
function isFollowUp({ method }: Permit): boolean {
  return method.startsWith('tasks/');
}

async function reserve(
  intents: Intents,
  allows: readonly Allowance[],
  call: Parameters<Intents['take']>[1],
): Promise<Hold> {
  const ids = allows.map(({ intent }) => intent);
  const result = await intents.take(ids, call);
  if (!result.taken) {
    if (result.why === 'ended') throw new GatewayError('credential_expired');
    throw new GatewayError('intent_spent', { intent: result.intent });
  }
  const { from } = result;
  let isSettled = false;
  const settle = async (fate: Fate): Promise<void> => {
    if (isSettled) return;
    isSettled = true;
    if (fate === 'unsent') await intents.giveBack(ids, from);
    else if (fate === 'asked') await intents.asked(ids);
  };
  return { settle };
}
