import {
  errorFrame,
  type HopFrame,
  maxLineLength,
  notificationFrame,
  notificationTextFrame,
  readFrame,
  requestFrame,
  resultFrame,
  type ServiceManifest,
  silentAfterMs,
} from '@sallyport/protocol';
import type { Logger } from 'pino';
import type { CallScope } from '../call-context.ts';
import type { News, NewsDesk } from '../news.ts';
import type { Runner } from '../runner.ts';
import type { CallTool } from '../tool-options.ts';
import { createOutgoingCalls } from './outgoing-calls.ts';
import { createServedCalls } from './served-calls.ts';
import type { Wire } from './wire.ts';

/** What every session of a service shares. */
export interface SessionShared {
  readonly manifest: ServiceManifest;
  readonly instance: string;
  readonly runner: Runner;
  readonly news: NewsDesk;
  readonly log: Logger;
  readonly nowMs: () => number;
}

/** An authenticated connection with a gateway. */
export interface Session {
  /** Resolves with whether the gateway took the announcement. */
  readonly announced: Promise<boolean>;
  /** Resolves with the reason once the connection is gone. */
  readonly closed: Promise<string>;
  /** Calls other services over this connection, in this service's own name. */
  callAlone(scope: CallScope | undefined): CallTool;
  /**
   * Tells the gateway to send no more calls. Resolves when the last one it may have sent before it heard of that is here,
   * or the connection is gone: until then calls have to be taken.
   */
  announceDraining(): Promise<void>;
  /** Sends what is left and closes. */
  close(): void;
}

const silenceCheckMs = 1_000;
const maxNewsBacklogBytes = 4 * 1024 * 1024;
/** Id of the ping that follows the notice of draining. */
const lastCallPing = 'draining';

/** Takes over a wire whose proof is done: announces the service, then serves calls until the wire closes. */
export function startSession(wire: Wire, { manifest, instance, runner, news, log, nowMs }: SessionShared): Session {
  const outgoing = createOutgoingCalls(wire, nowMs);
  const served = createServedCalls(wire, { service: manifest.service, runner, callTool: outgoing.callTool, nowMs });
  const { announced, onAnswer } = announce(wire, log);
  const lastCallHere = Promise.withResolvers<void>();

  const onLine = (line: string): void => {
    const frame = readFrame(line);
    if (frame === undefined) wire.destroy('the gateway sent something that is no frame');
    else if (frame.kind === 'request') {
      if (frame.method === 'call') served.serve(frame, line);
      else if (frame.method === 'ping') wire.send(resultFrame(frame.id, '{}'));
      else wire.send(errorFrame(frame.id, { code: -32601, message: 'Unknown method.' }));
    } else if (frame.kind === 'notification') {
      if (frame.method === 'cancel') served.cancel(frame.params);
    } else if (frame.id === 0) onAnswer(frame);
    else if (frame.id === lastCallPing) lastCallHere.resolve();
    else outgoing.settle(frame);
  };

  const watch = watchSilence(wire);
  const stopNews = news.listen((told) => sendNews(wire, told));
  void wire.closed.then(() => {
    clearInterval(watch);
    stopNews();
    outgoing.fail();
    served.cancelAll();
    lastCallHere.resolve();
  });
  wire.read(onLine);
  wire.send(requestFrame(0, 'announce', { instance, manifest }));
  return {
    announced,
    closed: wire.closed,
    callAlone: outgoing.callAlone,
    announceDraining: () => {
      wire.send(notificationFrame('draining'));
      // Lines keep their order: whatever the gateway sent before it read the notice comes before this answer.
      wire.send(requestFrame(lastCallPing, 'ping'));
      return lastCallHere.promise;
    },
    close: () => wire.end(),
  };
}

/** A gateway that reads too little, or cannot take so much at once, misses news: whoever needs to know can ask. */
function sendNews(wire: Wire, news: News): void {
  const frame =
    news.kind === 'updated'
      ? notificationFrame('updated', { uri: news.uri })
      : notificationTextFrame('task', news.taskText);
  if (frame.length <= maxLineLength && wire.backlog <= maxNewsBacklogBytes) wire.send(frame);
}

/** Waits for the answer to the announcement: a gateway that refuses it, or never answers, is left. */
function announce(wire: Wire, log: Logger) {
  const { promise: announced, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => wire.destroy('the gateway did not answer the announcement'), silentAfterMs);
  void wire.closed.then(() => {
    clearTimeout(timer);
    resolve(false);
  });
  const onAnswer = (frame: Extract<HopFrame, { kind: 'result' | 'error' }>): void => {
    clearTimeout(timer);
    resolve(frame.kind === 'result');
    if (frame.kind === 'result') return;
    log.error({ reason: frame.error.message }, 'the gateway refused the service');
    wire.destroy('the gateway refused the service');
  };
  return { announced, onAnswer };
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
