import {
  type Call,
  type CallId,
  everything,
  GatewayError,
  type InvokeRequest,
  type Pipeline,
  toolCall,
} from '@sallyport/core';
import type { TraceContext } from '@sallyport/protocol';
import type { OnDecline, OnInvoke, ServiceInvocation } from '../registry/invocations.ts';

interface ServiceCallDeps {
  /** The pipeline is built after the registry that hears of the calls; a call that comes in between waits. */
  readonly pipeline: Promise<Pick<Pipeline, 'invoke' | 'decline'>>;
  readonly newCallId: () => CallId;
  readonly newTrace: (traceparent?: string, tracestate?: string, baggage?: string) => TraceContext;
  readonly nowMs: () => number;
}

/** What one service asks of another, on its way down the same path as everything else. */
export interface ServiceCalls {
  readonly onInvoke: OnInvoke;
  readonly onDecline: OnDecline;
}

/** Connects the hops of services to the pipeline. */
export function createServiceCalls(deps: ServiceCallDeps): ServiceCalls {
  return {
    async onInvoke(invocation) {
      const pipeline = await deps.pipeline;
      const outcome = await pipeline.invoke(toCall(deps, invocation));
      switch (outcome.kind) {
        case 'answered':
          return outcome.content.shape === 'error' ? { told: outcome.content.text } : { ok: outcome.content.text };
        case 'suspended':
          // Nobody can be asked on behalf of a service that waits inside another call.
          return { error: new GatewayError('approval_unavailable') };
        case 'refused':
          return { error: outcome.error };
      }
    },
    async onDecline({ error, ...from }) {
      const facts = { ...hopFacts(deps, from), signal: neverFires, receivedBytes: 0 };
      const pipeline = await deps.pipeline;
      await pipeline.decline({ ...facts, request: { verb: 'unreadable', error } });
    },
  };
}

const neverFires = new AbortController().signal;

function toCall(deps: ServiceCallDeps, invocation: ServiceInvocation): Call<InvokeRequest> {
  const { tool, argumentsText, timeoutMs, signal } = invocation;
  return {
    ...hopFacts(deps, invocation),
    request: { ...toolCall(tool, argumentsText), ...(timeoutMs !== undefined && { timeoutMs }) },
    signal,
    receivedBytes: Buffer.byteLength(argumentsText),
  };
}

type Sender = Pick<ServiceInvocation, 'service' | 'instance' | 'onBehalfOf' | 'parentCall' | 'traceparent' | 'baggage'>;

/** Who sends it is known from the connection. */
function hopFacts(deps: ServiceCallDeps, { service, instance, onBehalfOf, parentCall, traceparent, baggage }: Sender) {
  return {
    id: deps.newCallId(),
    presented: {
      ...({ kind: 'service', service, instance } as const),
      ...(onBehalfOf && { onBehalfOf }),
      ...(parentCall !== undefined && { parentCall }),
    },
    endpoint: everything,
    origin: { transport: 'hop', peer: `service:${service}/${instance}`, era: 'none' },
    trace: deps.newTrace(traceparent, undefined, baggage),
    receivedAtMs: deps.nowMs(),
  } as const;
}
