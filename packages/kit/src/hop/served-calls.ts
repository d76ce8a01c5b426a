import {
  errorFrame,
  type HopFrame,
  type HopId,
  type JsonValue,
  type LogParams,
  notificationFrame,
  readCallParams,
  resultFrame,
} from '@sallyport/protocol';
import { type Answer, failure } from '../answer.ts';
import type { IncomingCall } from '../call-context.ts';
import type { Runner } from '../runner.ts';
import type { Cancel } from '../running-call.ts';
import type { Wire } from './wire.ts';

/** The calls being served for one connection. */
export interface ServedCalls {
  /** Takes a `call` request; answers it on the wire, sooner or later. */
  serve(request: Extract<HopFrame, { kind: 'request' }>): void;
  /** Takes the parameters of a `cancel`; a call that has ended already is none of its business. */
  cancel(params: JsonValue | undefined): void;
  /** Nobody waits for anything any more. */
  cancelAll(): void;
}

/** What serving needs. */
export interface ServedCallsOptions {
  readonly service: string;
  readonly runner: Runner;
  readonly callTool: IncomingCall['callTool'];
}

/** A gateway that reads this much too little gets no more calls served. */
const maxBacklogBytes = 64 * 1024 * 1024;

/** Longest log message for a caller, as a frame. */
const maxLogLength = 64 * 1024;

/** Serves the calls that come over a wire. */
export function createServedCalls(wire: Wire, { service, runner, callTool }: ServedCallsOptions): ServedCalls {
  const inFlight = new Map<number, Cancel>();
  let lastSeq = 0;

  return {
    serve({ id, params }) {
      const call = readCallParams(params);
      // A claim for another service, or one that was used before, is not ours to serve.
      if (call === undefined || call.seq !== id || call.seq <= lastSeq || call.audience !== service) {
        answer(wire, id, failure('bad_frame'));
        return;
      }
      const { seq, call: callId, progress, ...rest } = call;
      lastSeq = seq;
      if (wire.backlog > maxBacklogBytes) {
        answer(wire, id, failure('overloaded'));
        return;
      }
      let ended = false;
      const onProgress: IncomingCall['onProgress'] = (progressed) => {
        if (!ended) wire.send(notificationFrame('progress', { ...progressed, id: seq }));
      };
      const incoming = {
        ...rest,
        id: callId,
        callTool,
        ...(progress === true && { onProgress }),
        ...(rest.client?.logLevel !== undefined && { onLog: logTo(wire, seq, () => ended) }),
      };
      const cancel = runner.start(incoming, (result) => {
        ended = true;
        inFlight.delete(seq);
        answer(wire, seq, result);
      });
      if (!ended) inFlight.set(seq, cancel);
    },
    cancel(params) {
      const id = typeof params === 'object' && params !== null && 'id' in params ? params.id : undefined;
      if (typeof id !== 'number') return;
      inFlight.get(id)?.();
      inFlight.delete(id);
    },
    cancelAll() {
      for (const cancel of inFlight.values()) cancel();
      inFlight.clear();
    },
  };
}

/** What is too large for a log, or for a gateway that does not read, is not sent: nobody waits for it. */
function logTo(wire: Wire, id: number, hasEnded: () => boolean): NonNullable<IncomingCall['onLog']> {
  return (level, data, logger) => {
    const params: LogParams = { id, level, data, ...(logger !== undefined && { logger }) };
    const frame = notificationFrame('log', params);
    if (!hasEnded() && frame.length <= maxLogLength && wire.backlog <= maxBacklogBytes) wire.send(frame);
  };
}

function answer(wire: Wire, id: HopId, result: Answer): void {
  wire.send(result.kind === 'result' ? resultFrame(id, result.text) : errorFrame(id, result.error));
}
