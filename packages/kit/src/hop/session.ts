import {
  errorFrame,
  type HopFrame,
  type HopId,
  type HopReason,
  notificationFrame,
  readCallParams,
  readFrame,
  requestFrame,
  resultFrame,
  type ServiceManifest,
  silentAfterMs,
} from '@sallyport/protocol';
import type { Logger } from 'pino';
import { type Answer, failure } from '../answer.ts';
import type { CallScope } from '../call-context.ts';
import type { Cancel, Runner } from '../runner.ts';
import type { CallTool } from '../tool-options.ts';
import { createOutgoingCalls } from './outgoing-calls.ts';
import type { Wire } from './wire.ts';

/** What every session of a service shares. */
export interface SessionShared {
  readonly manifest: ServiceManifest;
  readonly instance: string;
  readonly runner: Runner;
  readonly log: Logger;
  readonly nowMs: () => number;
}

/** An authenticated connection with a gateway. */
export interface Session {
  /** Resolves with whether the gateway took the announcement. */
  readonly announced: Promise<boolean>;
  /** Resolves with the reason once the connection is gone. */
  readonly closed: Promise<string>;
  /** Calls other services over this connection. */
  callTool(scope: CallScope | undefined): CallTool;
  /** Tells the gateway to send no more calls. */
  announceDraining(): void;
  /** Sends what is left and closes. */
  close(): void;
}

/** A gateway that reads this much too little gets no more calls served. */
const maxBacklogBytes = 64 * 1024 * 1024;
const silenceCheckMs = 1_000;

/** Takes over a wire whose proof is done: announces the service, then serves calls until the wire closes. */
export function startSession(wire: Wire, shared: SessionShared): Session {
  const { manifest, instance, runner, log, nowMs } = shared;
  const inFlight = new Map<number, Cancel>();
  const outgoing = createOutgoingCalls(wire, nowMs);
  const announcement = Promise.withResolvers<boolean>();
  let lastSeq = 0;

  const answer = (id: HopId, { kind, ...rest }: Answer): void => {
    wire.send('text' in rest ? resultFrame(id, rest.text) : errorFrame(id, rest.error));
  };
  const refuse = (id: HopId, reason: HopReason): void => answer(id, failure(reason));

  const serve = (frame: Extract<HopFrame, { kind: 'request' }>): void => {
    const { id } = frame;
    const params = readCallParams(frame.params);
    // A claim for another service, or one that was used before, is not ours to serve.
    if (params === undefined || params.seq !== id || params.seq <= lastSeq || params.audience !== manifest.service) {
      refuse(id, 'bad_frame');
      return;
    }
    const seq = params.seq;
    lastSeq = seq;
    if (wire.backlog > maxBacklogBytes) {
      refuse(id, 'overloaded');
      return;
    }
    let ended = false;
    const cancel = runner.start(
      {
        tool: params.tool,
        id: params.call,
        traceparent: params.traceparent,
        timeoutMs: params.timeoutMs,
        principal: params.principal,
        arguments: params.arguments,
        callTool: outgoing.callTool,
        ...(params.progress === true && {
          onProgress: (progress) => {
            if (!ended) wire.send(notificationFrame('progress', { id: seq, ...progress }));
          },
        }),
      },
      (result) => {
        ended = true;
        inFlight.delete(seq);
        answer(seq, result);
      },
    );
    if (!ended) inFlight.set(seq, cancel);
  };

  const settle = (frame: Extract<HopFrame, { kind: 'result' | 'error' }>): void => {
    if (frame.id !== 0) {
      outgoing.settle(frame);
      return;
    }
    announcement.resolve(frame.kind === 'result');
    if (frame.kind === 'result') return;
    log.error({ reason: frame.error.message }, 'the gateway refused the service');
    wire.destroy('the gateway refused the service');
  };

  const onLine = (line: string): void => {
    const frame = readFrame(line);
    if (frame === undefined) wire.destroy('the gateway sent something that is no frame');
    else if (frame.kind === 'request') {
      if (frame.method === 'call') serve(frame);
      else if (frame.method === 'ping') wire.send(resultFrame(frame.id, '{}'));
      else wire.send(errorFrame(frame.id, { code: -32601, message: 'Unknown method.' }));
    } else if (frame.kind !== 'notification') settle(frame);
    else if (frame.method === 'cancel') cancelCall(frame.params, inFlight);
  };

  const watch = watchSilence(wire);
  void wire.closed.then(() => {
    clearInterval(watch);
    announcement.resolve(false);
    outgoing.fail();
    for (const cancel of inFlight.values()) cancel();
    inFlight.clear();
  });
  wire.read(onLine);
  wire.send(requestFrame(0, 'announce', { instance, manifest }));
  return {
    announced: announcement.promise,
    closed: wire.closed,
    callTool: outgoing.callTool,
    announceDraining: () => wire.send(notificationFrame('draining')),
    close: () => wire.end(),
  };
}

function cancelCall(params: unknown, inFlight: Map<number, Cancel>): void {
  const id = typeof params === 'object' && params !== null && 'id' in params ? params.id : undefined;
  if (typeof id !== 'number') return;
  inFlight.get(id)?.();
  inFlight.delete(id);
}

/**
 * Destroys a wire on which nothing was heard for too long: the gateway pings each second. Counts checks rather than time,
 * so that a handler which blocks this process does not make the gateway look silent.
 */
function watchSilence(wire: Wire): NodeJS.Timeout {
  let heard = wire.heard;
  let silentChecks = 0;
  const timer = setInterval(() => {
    silentChecks = wire.heard === heard ? silentChecks + 1 : 0;
    heard = wire.heard;
    if (silentChecks * silenceCheckMs >= silentAfterMs) wire.destroy('the gateway fell silent');
  }, silenceCheckMs);
  return timer.unref();
}
