import {
  type AnyRequest,
  type Call,
  type Endpoint,
  type ErrorDetails,
  GatewayError,
  type Reason,
} from '@sallyport/core';
import type { Era, JsonRpcId, JsonRpcRequest, ResultStamp, SplitParams, StrictJson } from '@sallyport/protocol';
import type { TransportDeps } from './deps.ts';
import type { Reception } from './reception.ts';
import type { ClientQuestion, ClientReply, Introduction, Session } from './session.ts';

/** One message on its way through a transport. `endpoint` is where it came in; default: everything. */
export interface McpExchange extends Omit<Reception, 'origin' | 'session'> {
  readonly origin: Omit<Reception['origin'], 'era'>;
  /** The session that a legacy message belongs to. Absent before `initialize`, and for transports and clients without. */
  readonly session?: Session;
  /**
   * Opens a session, or says why there can be none; the session then belongs to whoever sent this message. Called once,
   * when `initialize` was let through. Its id travels in the header `Mcp-Session-Id` of the answer where there are headers.
   * Absent where there are no sessions: the client is then served without one, and cannot be asked anything.
   */
  readonly openSession?: (introduction: Introduction) => Session | GatewayError;
  /**
   * Asks the client something in the course of its own request. Rejects when the signal fires, or when nobody can be asked
   * any more. Absent where the client cannot be reached while its request is open.
   */
  readonly ask?: (question: ClientQuestion, signal: AbortSignal) => Promise<ClientReply>;
  /** The answer will take its time: the client may let go of the connection and come back for it after so many milliseconds. */
  readonly pause?: (retryMs: number | undefined) => void;
  /** Sends a message ahead of the answer. Absent where the transport cannot, or the caller did not agree to it. */
  readonly notify?: (message: string) => void;
  /** Cancels a request that came in on the same connection. Absent where there is no connection to speak of. */
  readonly cancel?: (id: JsonRpcId) => void;
  /**
   * Keeps the connection for a stream of this account that may never end; returns how to let go, undefined when they have
   * as many as they may. Absent where streams share a connection.
   */
  readonly hold?: (account: string) => (() => void) | undefined;
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

/** An error in somebody's words, as it travels. */
export interface WireError {
  readonly status: number;
  /** A JSON-RPC error object, as JSON text. */
  readonly text: string;
}

/** What every message has, whatever becomes of it. */
export interface McpReceived {
  readonly deps: TransportDeps;
  readonly exchange: McpExchange;
  readonly endpoint: Endpoint;
  call<Request extends AnyRequest>(request: Request): Call<Request>;
  refuse(error: GatewayError): McpAnswer;
}

/** One request in the hands of the function that serves its method. */
export interface McpRequest extends McpReceived {
  readonly era: Era;
  readonly request: JsonRpcRequest;
  readonly json: StrictJson;
  readonly params: SplitParams;
  readonly paramHeaders: ReadonlyMap<string, string>;
  readonly stamp: ResultStamp;
  /** The call of a request that goes on where an earlier one of the same message ended: another call in the same trace. */
  callAfter<Request extends AnyRequest>(earlier: Call, request: Request): Call<Request>;
  answer(resultText: string, headers?: Readonly<Record<string, string>>): McpAnswer;
  fail(error: WireError): McpAnswer;
  /** Authenticates and records the request, then refuses it. */
  decline(reason: Reason, details: ErrorDetails): Promise<McpAnswer>;
}

/** Lists are answered or refused; nobody can be asked about one. */
export function unanswered(outcome: { readonly kind: string; readonly error?: GatewayError }): GatewayError {
  return outcome.error ?? new GatewayError('internal');
}

/**
 * Handshakes, pings and notifications ask for nothing that exists. They go through the pipeline as lists of no tools, so
 * that their sender is admitted, authenticated and recorded like any other.
 */
export const nothingListed = { verb: 'list', capability: 'tool', limit: 0 } as const;

/** Does what was asked once its sender is known, and has nothing to say about it. */
export async function emptyAnswer(request: McpRequest, act: () => void): Promise<McpAnswer> {
  const outcome = await request.deps.pipeline.list(request.call(nothingListed));
  if (outcome.kind !== 'answered') return request.refuse(unanswered(outcome));
  act();
  return request.answer(request.stamp.own('', request.exchange.callId));
}
