import { type HopFrame, type JsonObject, notificationFrame, requestFrame } from '@sallyport/protocol';
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

/** Keeps the calls that wait for an answer on this wire. */
export function createOutgoingCalls(wire: Wire, nowMs: () => number): OutgoingCalls {
  const waiting = new Map<string, Settle>();
  let lastId = 0;
  let open = true;

  const send = (params: object, signal: AbortSignal): Promise<JsonObject> =>
    new Promise((resolve, reject) => {
      if (!open)
        return reject(new CallError('The gateway is not connected.', { code: 'unavailable', reason: 'no_gateway' }));
      if (signal.aborted) return reject(signal.reason);
      lastId += 1;
      const id = `s${lastId}`;
      const onAbort = (): void => {
        waiting.delete(id);
        wire.send(notificationFrame('cancel', { id }));
        reject(signal.reason);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      waiting.set(id, (frame) => {
        signal.removeEventListener('abort', onAbort);
        try {
          resolve(readResult(frame));
        } catch (error) {
          reject(error);
        }
      });
      wire.send(requestFrame(id, 'invoke', params));
    });

  const caller =
    (scope: CallScope | undefined, parent: string | undefined): CallTool =>
    async <S extends Schema | undefined>(tool: string, args: object, options: CallOptions<S> = {}) => {
      const leftMs = scope === undefined ? defaultTimeoutMs : scope.deadlineMs - nowMs();
      const timeoutMs = Math.max(1, Math.min(options.timeoutMs ?? leftMs, leftMs));
      const timeout = AbortSignal.timeout(timeoutMs);
      const result = await send(
        { tool, parent, traceparent: scope?.trace, timeoutMs, arguments: args },
        scope === undefined ? timeout : AbortSignal.any([scope.signal, timeout]),
      );
      // Typed by the schema that it was just checked against, or left as JSON.
      return (await readOutput(tool, result, options.output)) as never;
    };

  return {
    callTool: (scope) => caller(scope, scope.traceId),
    callAlone: (scope) => caller(scope, undefined),
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

function readResult(frame: Parameters<Settle>[0]): JsonObject {
  if (frame === undefined) {
    throw new CallError('The connection to the gateway was lost.', { code: 'unavailable', reason: 'no_gateway' });
  }
  if (frame.kind === 'error') throw readError(frame.error);
  // A gateway that sends something else than an object here is caught when the output is read.
  return JSON.parse(frame.resultText) as JsonObject;
}
