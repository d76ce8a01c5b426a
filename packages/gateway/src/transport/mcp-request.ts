import { type AnyRequest, type Call, GatewayError, type Reason } from '@sallyport/core';
import type { Era, JsonRpcId, JsonRpcRequest, ResultStamp, StrictJson } from '@sallyport/protocol';
import type { TransportDeps } from './deps.ts';
import type { Reception } from './reception.ts';

/** One message on its way through a transport. */
export interface McpExchange extends Omit<Reception, 'origin'> {
  readonly origin: Omit<Reception['origin'], 'era'>;
  /** Sends a message ahead of the answer. Absent where the transport cannot, or the caller did not agree to it. */
  readonly notify?: (message: string) => void;
  /** Cancels a request that came in on the same connection. Absent where there is no connection to speak of. */
  readonly cancel?: (id: JsonRpcId) => void;
  /** Fires when the transport is closing: open subscriptions end with their result. */
  readonly ending?: AbortSignal;
}

/** What goes back. Transports without status and headers send the body only. */
export interface McpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Absent for notifications, and for callers that are gone. */
  readonly body?: string;
  /** Why it was refused, if it was. */
  readonly refusal?: GatewayError;
}

/** One request in the hands of the function that serves its method. */
export interface McpRequest {
  readonly deps: TransportDeps;
  readonly exchange: McpExchange;
  readonly era: Era;
  readonly request: JsonRpcRequest;
  readonly json: StrictJson;
  readonly paramHeaders: ReadonlyMap<string, string>;
  readonly stamp: ResultStamp;
  call<Request extends AnyRequest>(request: Request): Call<Request>;
  answer(resultText: string): McpAnswer;
  refuse(error: GatewayError): McpAnswer;
  /** Authenticates and records the request, then refuses it. */
  decline(reason: Reason, issue: string): Promise<McpAnswer>;
}

/** Lists are answered or refused; nobody can be asked about one. */
export function unanswered(outcome: { readonly kind: string; readonly error?: GatewayError }): GatewayError {
  return outcome.error ?? new GatewayError('internal');
}
