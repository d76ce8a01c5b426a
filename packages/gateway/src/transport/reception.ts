import {
  type AnyRequest,
  type Call,
  type CallId,
  type Endpoint,
  everything,
  type Origin,
  type Presented,
  type WireFacts,
} from '@sallyport/core';
import { formatTraceparent } from '@sallyport/protocol';
import type { TransportDeps } from './deps.ts';

/** How one message came in: the facts of a call that are the transport's to know. */
export interface Reception {
  readonly callId: CallId;
  readonly presented: Presented;
  readonly origin: Origin;
  /** Default: everything. */
  readonly endpoint?: Endpoint;
  readonly session?: Call['session'];
  /** Fires when the caller goes away or cancels. */
  readonly signal: AbortSignal;
  /** Size of the message, in bytes. */
  readonly receivedBytes: number;
  readonly traceparent?: string | undefined;
  readonly tracestate?: string | undefined;
  readonly baggage?: string | undefined;
  readonly wire?: WireFacts;
}

/** Makes the call of a request that was received like this. */
export function toCall<Request extends AnyRequest>(
  deps: TransportDeps,
  reception: Reception,
  request: Request,
): Call<Request> {
  const { callId, presented, origin, endpoint = everything, session } = reception;
  const { signal, receivedBytes, traceparent, tracestate, baggage, wire } = reception;
  return {
    id: callId,
    request,
    presented,
    origin,
    endpoint,
    ...(session && { session }),
    ...(wire && { wire }),
    trace: deps.newTrace(traceparent, tracestate, baggage),
    receivedAtMs: deps.nowMs(),
    signal,
    receivedBytes,
  };
}

/** The call of a request that goes on where an earlier one of the same reception ended: another call in the same trace. */
export function callAgain<Request extends AnyRequest>(
  deps: TransportDeps,
  reception: Reception,
  { trace, request }: Call<Request>,
): Call<Request> {
  const { tracestate } = reception;
  const again = { ...reception, callId: deps.newCallId(), traceparent: formatTraceparent(trace), tracestate };
  return toCall(deps, again, request);
}
