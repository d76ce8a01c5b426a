import { type Answer, GatewayError, type Hop, type Permit, spendPermit } from '@sallyport/core';
import { type HopFrame, type JsonValue, notificationFrame } from '@sallyport/protocol';
import { errorOf, readResult, toldAnswer } from './kit-answer.ts';
import { createBackgroundCalls } from './kit-background.ts';
import { writeCall } from './kit-call.ts';
import { type CallInFlight, createPendingCalls, type PendingCall } from './pending-calls.ts';

/** The part of a hop connection that calls need: an ordered, authenticated way to one instance. */
export interface HopLine {
  /** Queues a frame; frames of one tick leave together. */
  send(frame: string): void;
  /** What was queued and has not left this process yet, in bytes. */
  readonly bufferedBytes: number;
}

/** The calls of the gateway to one instance of a kit service, over its one connection. */
export interface KitInstance {
  readonly id: string;
  /** How many calls wait for an answer. */
  readonly load: number;
  /** It did not answer something; it is asked only when no other is there. */
  readonly suspected: boolean;
  /** It takes no new calls any more, ever. */
  readonly draining: boolean;
  /** It has as much to do, or to read, as may be waiting for it. */
  readonly full: boolean;
  /**
   * Sends the call and waits for its answer, at most `timeoutMs`. Spends the permit right before the frame is queued.
   *
   * @throws GatewayError as `Upstream.open` says.
   */
  call(permit: Permit, hop: Hop, timeoutMs: number): Promise<Answer>;
  /** Takes an answer or a notification that came in on the connection; what belongs to no call is ignored. */
  receive(frame: HopFrame): void;
  /** The call with this id, if this instance serves it now, or a task that came of it. */
  inFlight(callId: string): CallInFlight | undefined;
  suspect(): void;
  /** It gave a sign of life. */
  trust(): void;
  /** The connection is gone: nobody knows what became of the calls in flight. */
  lost(): void;
}

/** What an instance needs to know of its surroundings. */
export interface KitInstanceOptions {
  readonly id: string;
  readonly service: string;
  readonly line: HopLine;
  readonly maxInFlight: number;
  readonly maxBufferedBytes: number;
  readonly nowMs: () => number;
  /** Hears of updated resources and changed tasks. */
  readonly onNews: (method: 'updated' | 'task', params: JsonValue | undefined) => void;
  /** Called when `suspected` or `draining` changed. */
  readonly onStatus: () => void;
}

/** Keeps the calls of one connection apart by their sequence numbers, which only ever increase. */
export function createKitInstance(options: KitInstanceOptions): KitInstance {
  const { id, line } = options;
  const status = createStatus(options.onStatus);
  const background = createBackgroundCalls(options.nowMs);
  const pending = createPendingCalls((seq, why) => {
    line.send(notificationFrame('cancel', { id: seq }));
    if (why === 'upstream_timeout') status.suspect(true);
  });
  let lastSeq = 0;

  const hear = ({ method, params }: Extract<HopFrame, { kind: 'notification' }>): void => {
    if (method === 'progress') pending.relay(params);
    else if (method === 'log') pending.relayLog(params);
    else if (method === 'draining') status.drain();
    else if (method === 'updated' || method === 'task') options.onNews(method, params);
    if (method === 'task') background.hear(params);
  };
  const settle = (frame: Settling): void => {
    if (frame.kind === 'error' && frame.error.data?.reason === 'draining') status.drain();
    const call = typeof frame.id === 'number' ? pending.take(frame.id) : undefined;
    const answer = call && end(call, frame, id);
    if (call && answer?.resultType === 'task') background.add(call, answer.text);
  };

  return {
    id,
    get load() {
      return pending.size;
    },
    get suspected() {
      return status.suspected;
    },
    get draining() {
      return status.draining;
    },
    get full() {
      return pending.size >= options.maxInFlight || line.bufferedBytes >= options.maxBufferedBytes;
    },
    async call(permit, hop, timeoutMs) {
      const departing = { seq: lastSeq + 1, permit, hop, timeoutMs };
      const frame = writeCall(departing, options.service);
      spendPermit(permit);
      lastSeq = departing.seq;
      const answer = pending.add(departing);
      hop.sent();
      line.send(frame);
      return answer;
    },
    receive(frame) {
      if (frame.kind === 'notification') hear(frame);
      else if (frame.kind !== 'request') settle(frame);
    },
    inFlight: (callId) => pending.find(callId) ?? background.find(callId),
    suspect: () => status.suspect(true),
    trust: () => status.suspect(false),
    lost: pending.lose,
  };
}

/** Whether an instance is trusted to answer, and takes new calls. */
function createStatus(onStatus: () => void) {
  let suspected = false;
  let draining = false;
  return {
    get suspected() {
      return suspected;
    },
    get draining() {
      return draining;
    },
    suspect(value: boolean): void {
      const changed = suspected !== value;
      suspected = value;
      if (changed) onStatus();
    },
    drain(): void {
      draining = true;
      onStatus();
    },
  };
}

type Settling = Extract<HopFrame, { kind: 'result' | 'error' }>;

/** An answer of any kind is a sign of life: whatever it says, it casts no suspicion on the instance. */
function end(call: PendingCall, frame: Settling, instance: string): Answer | undefined {
  const read = frame.kind === 'result' ? readResult(frame.resultText, call.method) : toldAnswer(frame.error);
  if (read !== undefined) {
    const answer = { ...read, instance };
    call.resolve(answer);
    return answer;
  }
  if (frame.kind === 'error') call.reject(errorOf(frame.error, call.scopes));
  else call.reject(new GatewayError('upstream_failed', {}, { cause: 'the answer is not a result of this method' }));
  return undefined;
}
