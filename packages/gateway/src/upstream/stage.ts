import { type Answer, GatewayError, type Hop, type Stages, type Target, type Upstream } from '@sallyport/core';
import { undeclared } from './questions.ts';
import type { Sealing } from './sealing.ts';

/** What dispatch needs: the way to a service, as things are now. */
export interface DispatchPorts {
  find(service: string): Upstream | undefined;
  /** Whether a target is still defined as it was when the call was decided. Absent: always. */
  isCurrent?(target: Target): boolean;
  readonly sealing: Sealing;
}

/**
 * Sends a permitted call to its service. The target may have changed while the call waited (for an approval, say): then
 * what was permitted is not there any more, and nothing is sent.
 */
export function createDispatch({ find, isCurrent, sealing }: DispatchPorts): Stages['dispatch'] {
  return async (permit, hop) => {
    const upstream = find(permit.target.service);
    if (upstream === undefined) throw new GatewayError('upstream_unavailable', {}, { cause: 'the service is gone' });
    if (isCurrent && !isCurrent(permit.target)) {
      throw new GatewayError('upstream_unavailable', {}, { cause: 'it was redefined since the decision' });
    }
    const retry = sealing.incoming(permit);
    const answer = await upstream.open(permit, {
      ...hop,
      ...(retry && { retry }),
      ...(permit.method.startsWith('tasks/') && { taskId: sealing.taskOf(permit) }),
    });
    refuseUndeclared(answer, hop);
    return { ...sealing.outgoing(permit, answer), service: permit.target.service };
  };
}

/** A caller is asked only what it said it can be asked (MCP 2026-07-28, multi round-trip requests). */
function refuseUndeclared(answer: Answer, { client }: Hop): void {
  if (answer.resultType !== 'input_required') return;
  const missing = undeclared(answer.text, client.capabilitiesText);
  if (missing !== undefined) throw new GatewayError('client_cannot', { requiredCapabilities: missing });
}
