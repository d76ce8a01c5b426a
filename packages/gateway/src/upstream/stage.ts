import {
  type Answer,
  accountKey,
  GatewayError,
  type Hop,
  type Permit,
  type Stages,
  type Target,
  type Upstream,
} from '@sallyport/core';
import { consentPrefix, toRefusal, withConsent } from './consent.ts';
import { troubleIn } from './credential-trouble.ts';
import { isHarmless, undeclared } from './questions.ts';
import type { Sealing } from './sealing.ts';
import { createShares } from './shares.ts';
import type { TaskKeeper } from './task-keeper.ts';
import { afterWaiting, waitingPrefix } from './waiting.ts';

/** What dispatch needs: the way to a service, as things are now. */
export interface DispatchPorts {
  find(service: string): Upstream | undefined;
  /** Whether a target is still defined as it was when the call was decided. Absent: always. */
  isCurrent?(target: Target): boolean;
  readonly sealing: Sealing;
  readonly tasks: TaskKeeper;
  /** States what was permitted, where the service is to check that. */
  readonly assertion?: ((permit: Permit, hop: Hop) => Hop['assertion']) | undefined;
  /** Calls that one account may have under way at one service. Default 512: half of what a server is asked at a time. */
  readonly maxInFlightPerAccount?: number;
}

/**
 * Sends a permitted call to its service. The target may have changed while the call waited (for an approval, say): then
 * what was permitted is not there any more, and nothing is sent.
 */
export function createDispatch(ports: DispatchPorts): Stages['dispatch'] {
  const { find, isCurrent, sealing, tasks, assertion, maxInFlightPerAccount = 512 } = ports;
  const shares = createShares(maxInFlightPerAccount);
  const openAt = (upstream: Upstream) => async (permit: Permit, hop: Hop) => {
    const release = shares.take(`${accountKey(permit.principal)}\n${permit.target.service}`);
    const answer = await upstream.open(permit, hop).finally(release);
    if (isForged(answer))
      throw new GatewayError('upstream_failed', {}, { cause: 'it asks in the name of the gateway' });
    return answer;
  };
  return async (permit, hop) => {
    const upstream = find(permit.target.service);
    if (upstream === undefined) throw new GatewayError('upstream_unavailable', {}, { cause: 'the service is gone' });
    if (isCurrent && !isCurrent(permit.target)) {
      throw new GatewayError('upstream_unavailable', {}, { cause: 'it was redefined since the decision' });
    }
    const stated = assertion?.(permit, hop);
    const answer = await answerOf(permit, stated ? { ...hop, assertion: stated } : hop, openAt(upstream));
    refuseUndeclared(answer, hop);
    return { ...sealing.outgoing(permit, answer), service: permit.target.service };
  };

  async function answerOf(permit: Permit, hop: Hop, open: Upstream['open']): Promise<Answer> {
    if (permit.method.startsWith('tasks/')) {
      const taskId = sealing.taskOf(permit);
      return tasks.keeps(taskId) ? tasks.serve(permit, taskId) : openAlone(open, permit, { ...hop, taskId });
    }
    const { service } = permit.target;
    return withConsent({ service, hop, retry: afterWaiting(sealing.incoming(permit)) }, async (ready, retry) => {
      if (retry) return open(permit, { ...ready, retry });
      return tasks.takes(permit, ready)
        ? tasks.start(ready, (background) => openAlone(open, permit, background))
        : open(permit, ready);
    });
  }
}

const ownStates = [consentPrefix, waitingPrefix];

/** Whether a service has written the state of a question that only the gateway asks. */
function isForged({ resultType, text }: Answer): boolean {
  if (resultType !== 'input_required') return false;
  const { requestState } = JSON.parse(text) as { readonly requestState?: unknown };
  return typeof requestState === 'string' && ownStates.some((prefix) => requestState.startsWith(prefix));
}

/** Its caller is not there to be asked. What somebody else lacks is not his to hear of. */
async function openAlone(open: Upstream['open'], permit: Permit, hop: Hop): Promise<Answer> {
  try {
    return await open(permit, hop);
  } catch (error) {
    throw troubleIn(error)?.given === hop.credential ? toRefusal(permit.target.service, error) : error;
  }
}

const notVisitable = 'it asks to open what is no plain web address';

/** A caller is asked only what it said it can be asked (MCP 2026-07-28, multi round-trip requests), and nothing harmful. */
function refuseUndeclared(answer: Answer, { client }: Hop): void {
  if (answer.resultType !== 'input_required') return;
  const missing = undeclared(answer.text, client.capabilitiesText);
  if (missing !== undefined) throw new GatewayError('client_cannot', { requiredCapabilities: missing });
  if (!isHarmless(answer.text)) throw new GatewayError('output_refused', {}, { cause: notVisitable });
}
