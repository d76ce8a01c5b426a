import { hash } from 'node:crypto';
import {
  argumentsTextIn,
  type CallParams,
  errorFrame,
  type HopFrame,
  type HopId,
  type HopMethod,
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
import type { Statement } from '../tool-options.ts';
import type { Wire } from './wire.ts';

/** The calls being served for one connection. */
export interface ServedCalls {
  /** Takes a `call` request, and the line that it came in; answers it on the wire, sooner or later. */
  serve(request: Extract<HopFrame, { kind: 'request' }>, line: string): void;
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
  readonly nowMs: () => number;
}

/** What the gateway claims of a call must fit where it arrived, and what arrived. */
function refusalOf(
  call: CallParams,
  line: string,
  { service, lastSeq }: { readonly service: string; readonly lastSeq: number },
): 'misdirected' | 'replayed' | 'altered' | undefined {
  if (call.audience !== service) return 'misdirected';
  if (call.seq <= lastSeq) return 'replayed';
  const text = argumentsTextIn(line, call);
  return text !== undefined && hash('sha256', text, 'base64url') === call.digest ? undefined : 'altered';
}

/** A class with getters, because few handlers look at it and every call has one. */
class HopStatement implements Statement {
  readonly by = 'hop';
  readonly #call: CallParams;
  readonly #arrivedMs: number;

  constructor(call: CallParams, arrivedMs: number) {
    this.#call = call;
    this.#arrivedMs = arrivedMs;
  }

  get audience(): string {
    return this.#call.audience;
  }

  get target(): string {
    return this.#call.tool;
  }

  get method(): HopMethod {
    return this.#call.method ?? 'tools/call';
  }

  get callId(): string {
    return this.#call.call;
  }

  get trace(): string {
    return this.#call.traceparent;
  }

  get argumentsDigest(): string {
    return this.#call.digest;
  }

  get expiresAt(): Date {
    return new Date(this.#arrivedMs + this.#call.timeoutMs);
  }
}

/** A gateway that reads this much too little gets no more calls served. */
const maxBacklogBytes = 64 * 1024 * 1024;

/** Longest log message for a caller, as a frame. */
const maxLogLength = 64 * 1024;

/** Serves the calls that come over a wire. */
export function createServedCalls(wire: Wire, { service, runner, callTool, nowMs }: ServedCallsOptions): ServedCalls {
  const inFlight = new Map<number, Cancel>();
  let lastSeq = 0;

  return {
    serve({ id, params }, line) {
      const call = readCallParams(params);
      const refusal = call === undefined || call.seq !== id ? 'bad_frame' : refusalOf(call, line, { service, lastSeq });
      if (call === undefined || refusal !== undefined) {
        answer(wire, id, failure(refusal ?? 'bad_frame'));
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
        statement: new HopStatement(call, nowMs()),
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
