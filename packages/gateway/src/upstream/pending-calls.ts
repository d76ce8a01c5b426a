import { type Answer, GatewayError, type Hop, type Permit, type Principal, type ServiceMethod } from '@sallyport/core';
import type { TraceContext } from '@sallyport/protocol';
import { readLog, readProgress } from './kit-answer.ts';

/** What is known of a call while it is served: who makes it, and under which trace. */
export interface CallInFlight {
  readonly principal: Principal;
  readonly trace: TraceContext;
}

/** A call that waits for its answer. It ends once, by whoever takes it out first. */
export interface PendingCall extends CallInFlight {
  readonly callId: string;
  readonly method: ServiceMethod;
  /** What the gateway asked of the caller. */
  readonly scopes: readonly string[];
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: GatewayError) => void;
}

interface Waiting extends PendingCall {
  readonly hop: Hop;
  lastProgress: number;
  /** Stops the clock and forgets the caller's signal. */
  readonly release: () => void;
}

/** One call about to leave. */
export interface Departing {
  readonly seq: number;
  readonly permit: Permit;
  readonly hop: Hop;
  readonly timeoutMs: number;
}

/** The calls in flight on one connection, by sequence number. */
export interface PendingCalls {
  readonly size: number;
  /** Waits for the answer, until the time is over or the caller goes away. */
  add(call: Departing): Promise<Answer>;
  /** Takes a call out, to be ended by the caller of this; `undefined` when it has ended already. */
  take(seq: number): PendingCall | undefined;
  find(callId: string): CallInFlight | undefined;
  /** Passes progress on to the caller it is for, if that one asked for it. */
  relay(params: unknown): void;
  /** The same with a log message. */
  relayLog(params: unknown): void;
  /** Ends all of them: nobody knows what became of them. */
  lose(): void;
}

/** Why a call was given up from this side. */
export type GivenUp = 'cancelled' | 'upstream_timeout';

/** Keeps what waits for answers. `onGivenUp` is told of each call that ended here first, so that the service stops too. */
export function createPendingCalls(onGivenUp: (seq: number, why: GivenUp) => void): PendingCalls {
  const calls = new Map<number, Waiting>();

  const take = (seq: number): PendingCall | undefined => {
    const call = calls.get(seq);
    if (call === undefined) return undefined;
    calls.delete(seq);
    call.release();
    return call;
  };

  const giveUp = (seq: number, why: GivenUp): void => {
    const call = take(seq);
    if (call === undefined) return;
    onGivenUp(seq, why);
    call.reject(new GatewayError(why));
  };

  return {
    get size() {
      return calls.size;
    },
    add: ({ seq, permit, hop, timeoutMs }) =>
      new Promise((resolve, reject) => {
        const onAbort = () => giveUp(seq, 'cancelled');
        const clock = setTimeout(() => giveUp(seq, 'upstream_timeout'), timeoutMs);
        hop.signal.addEventListener('abort', onAbort, { once: true });
        const release = () => {
          clearTimeout(clock);
          hop.signal.removeEventListener('abort', onAbort);
        };
        const { callId, principal, method } = permit;
        const { trace } = hop;
        calls.set(seq, {
          callId,
          principal,
          method,
          scopes: permit.target.scopes,
          trace,
          hop,
          lastProgress: -Infinity,
          resolve,
          reject,
          release,
        });
      }),
    take,
    find(callId) {
      for (const call of calls.values()) if (call.callId === callId) return call;
      return undefined;
    },
    relay: (params) => relayProgress(calls, params),
    relayLog: (params) => relayLog(calls, params),
    lose() {
      for (const seq of [...calls.keys()]) {
        take(seq)?.reject(
          new GatewayError('upstream_failed', {}, { cause: 'the connection to the instance was lost' }),
        );
      }
    },
  };
}

function relayProgress(calls: ReadonlyMap<number, Waiting>, params: unknown): void {
  const told = readProgress(params);
  if (told === undefined) return;
  const call = calls.get(told.id);
  // Progress must grow (MCP basic/patterns/progress); what does not is dropped.
  if (call === undefined || told.progress.progress <= call.lastProgress) return;
  call.lastProgress = told.progress.progress;
  call.hop.onProgress?.(told.progress);
}

function relayLog(calls: ReadonlyMap<number, Waiting>, params: unknown): void {
  const { id } = (params ?? {}) as { readonly id?: unknown };
  const hop = typeof id === 'number' ? calls.get(id)?.hop : undefined;
  const paramsText = readLog(params, hop?.client.logLevel);
  if (paramsText !== undefined) hop?.onNotification?.('notifications/message', paramsText);
}
