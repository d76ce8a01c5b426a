import { type Call, type CallId, GatewayError, type InvokeRequest, type Pipeline } from '@sallyport/core';
import type { TraceContext } from '@sallyport/protocol';
import type { OnInvoke, ServiceInvocation } from './registry/invocations.ts';

interface ServiceCallDeps {
  /** Asked at each call: the pipeline is built after the registry that hears of the calls. */
  readonly pipeline: () => Pick<Pipeline, 'invoke'>;
  readonly newCallId: () => CallId;
  readonly newTrace: (traceparent?: string) => TraceContext;
  readonly nowMs: () => number;
}

/** Sends what one service asks of another down the same path as everything else. */
export function createServiceCalls(deps: ServiceCallDeps): OnInvoke {
  return async (invocation) => {
    const outcome = await deps.pipeline().invoke(toCall(deps, invocation));
    switch (outcome.kind) {
      case 'answered':
        return { ok: outcome.content.text };
      case 'suspended':
        // Nobody can be asked on behalf of a service that waits inside another call.
        return { error: new GatewayError('approval_unavailable') };
      case 'refused':
        return { error: outcome.error };
    }
  };
}

function toCall(deps: ServiceCallDeps, invocation: ServiceInvocation): Call<InvokeRequest> {
  const { service, instance, onBehalfOf, tool, argumentsText, traceparent, timeoutMs, signal } = invocation;
  return {
    id: deps.newCallId(),
    request: {
      verb: 'invoke',
      capability: 'tool',
      name: tool,
      argumentsText,
      paramHeaders: new Map(),
      ...(timeoutMs !== undefined && { timeoutMs }),
    },
    presented: { kind: 'service', service, instance, ...(onBehalfOf && { onBehalfOf }) },
    origin: { transport: 'hop', peer: `service:${service}/${instance}`, era: 'none' },
    trace: deps.newTrace(traceparent),
    receivedAtMs: deps.nowMs(),
    signal,
    receivedBytes: argumentsText.length,
  };
}
