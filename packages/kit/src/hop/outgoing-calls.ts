import { type HopFrame, type JsonObject, maxLineLength, notificationFrame, requestFrame } from '@sallyport/protocol';
import type { CallScope } from '../call-context.ts';
import { readError, readOutput } from '../call-result.ts';
import type { Schema } from '../schema.ts';
import { CallError } from '../tool-error.ts';
import type { CallOptions, CallTool } from '../tool-options.ts';
import type { Wire } from './wire.ts';

/** The calls that a service makes to others over one connection. */
export interface OutgoingCalls {
  /** Calls on behalf of a call that is being served over this very connection. */
  callTool(scope: CallScope): CallTool;
  /** Calls in the service's own name; within the time and the trace of `scope`, if there is one. */
  callAlone(scope: CallScope | undefined): CallTool;
  /** Takes an answer; false when nobody waits for it. */
  settle(frame: Extract<HopFrame, { kind: 'result' | 'error' }>): boolean;
  /** Ends every call that still waits: the connection is gone. */
  fail(): void;
}

type Settle = (frame: Extract<HopFrame, { kind: 'result' | 'error' }> | undefined) => void;

/** How long a call takes at most when nothing else limits it. */
const defaultTimeoutMs = 30_000;

/** Timers hold no more than this many milliseconds. */
const longestTimer = 2 ** 31 - 1;

/** Keeps the calls that wait for an answer on this wire. */
export function createOutgoingCalls(wire: Wire, nowMs: () => number): OutgoingCalls {
  const waiting = new Map<string, Settle>();
  let lastId = 0;
  let open = true;

  const send = (params: InvokeText, signal: AbortSignal): Promise<JsonObject> => {
    if (!open) throw noGateway('The gateway is not connected.');
    signal.throwIfAborted();
    lastId += 1;
    const id = `s${lastId}`;
    const frame = requestFrame(id, 'invoke', params);
    // The gateway would cut the connection off, and every other call on it.
    if (frame.length > maxLineLength) throw new CallError('The arguments are too large.', tooLarge);
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        waiting.delete(id);
        wire.send(notificationFrame('cancel', { id }));
        reject(signal.reason);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      waiting.set(id, (answer) => {
        signal.removeEventListener('abort', onAbort);
        try {
          resolve(readResult(answer));
        } catch (error) {
          reject(error);
        }
      });
      wire.send(frame);
    });
  };

  return {
    callTool: (scope) => createCaller(send, { scope, parent: scope.traceId, nowMs }),
    callAlone: (scope) => createCaller(send, { scope, parent: undefined, nowMs }),
    settle(frame) {
      const settle = typeof frame.id === 'string' ? waiting.get(frame.id) : undefined;
      if (settle === undefined) return false;
      waiting.delete(String(frame.id));
      settle(frame);
      return true;
    },
    fail() {
      open = false;
      const left = [...waiting.values()];
      waiting.clear();
      for (const settle of left) settle(undefined);
    },
  };
}

interface InvokeText {
  readonly tool: string;
  readonly parent: string | undefined;
  readonly traceparent: string | undefined;
  readonly timeoutMs: number;
  readonly arguments: object;
}

interface Calling {
  readonly scope: CallScope | undefined;
  readonly parent: string | undefined;
  readonly nowMs: () => number;
}

const tooLarge = { code: 'invalid_argument', reason: 'payload_too_large' } as const;
const timedOut = { code: 'deadline_exceeded', reason: 'upstream_timeout' } as const;

function createCaller(
  send: (params: InvokeText, signal: AbortSignal) => Promise<JsonObject>,
  { scope, parent, nowMs }: Calling,
): CallTool {
  return async <S extends Schema | undefined>(tool: string, args: object, options: CallOptions<S> = {}) => {
    const leftMs = scope === undefined ? defaultTimeoutMs : scope.deadlineMs - nowMs();
    const timeoutMs = Math.max(1, Math.ceil(Math.min(options.timeoutMs ?? leftMs, leftMs, longestTimer)));
    const timeout = AbortSignal.timeout(timeoutMs);
    const signal = scope === undefined ? timeout : AbortSignal.any([scope.signal, timeout]);
    const params = { tool, parent, traceparent: scope?.trace, timeoutMs, arguments: args };
    const result = await send(params, signal).catch((error: unknown) => {
      throw error === timeout.reason ? new CallError(`${tool} did not answer in time.`, timedOut) : error;
    });
    // Typed by the schema that it was just checked against, or left as JSON.
    return (await readOutput(tool, result, options.output)) as never;
  };
}

function noGateway(message: string): CallError {
  return new CallError(message, { code: 'unavailable', reason: 'no_gateway' });
}

function readResult(frame: Parameters<Settle>[0]): JsonObject {
  if (frame === undefined) {
    throw noGateway('The connection to the gateway was lost.');
  }
  if (frame.kind === 'error') throw readError(frame.error);
  // A gateway that sends something else than an object here is caught when the output is read.
  return JSON.parse(frame.resultText) as JsonObject;
}
