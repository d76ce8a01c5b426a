import type { IncomingMessage, ServerResponse } from 'node:http';
import { commentText, eventText } from '@sallyport/protocol';

/** What every answer says to browsers and caches: nothing here is a page, and nothing is for keeping. */
const securityHeaders: Readonly<Record<string, string>> = {
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Referrer-Policy': 'no-referrer',
};

const overTls = { ...securityHeaders, 'Strict-Transport-Security': 'max-age=31536000' };

const keepAliveComment = commentText('keep-alive');

/** Bytes of answers that may wait for a slow reader before notifications are dropped, and before it is cut off. */
const maxWaitingBytes = 1024 * 1024;

/** How an answer is sent on one exchange, and how long its reader may take. */
export interface Responder {
  send(answer: {
    readonly status: number;
    readonly headers: Readonly<Record<string, string>>;
    readonly body?: string;
  }): void;
  /** Sends an event ahead of the answer, which then comes as the last event of the same stream. The first opens it. */
  notify(message: string, headers: Readonly<Record<string, string>>): void;
  /** Opens an event stream, for events that are more than their message. Undefined when the reader is gone. */
  openStream(headers: Readonly<Record<string, string>>): StreamConnection | undefined;
}

/** A connection on which events are read. */
export interface StreamConnection {
  /** Writes one event or comment as it stands. A reader who lets too many wait is cut off. */
  write(event: string): void;
  /** Ends the answer, once what was written is on its way. */
  close(): void;
  /** Runs when the connection is over, whoever ended it. */
  onClose(listener: () => void): void;
}

/** One request and the means to answer it, as every route gets them. */
export interface HttpExchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly responder: Responder;
}

/** What a responder needs to know of its server. */
export interface ResponderOptions {
  readonly isTls: boolean;
  /** A reader that has not taken the whole answer after this many milliseconds is cut off. */
  readonly sendTimeoutMs: number;
  /** Time between comments on a quiet event stream, in milliseconds. */
  readonly keepAliveMs: number;
  /** Once it has fired, answers end their connection: the next call of a busy client belongs to another gateway. */
  readonly ending: AbortSignal;
  /** What every answer says beside that. */
  readonly answerHeaders?: (() => Readonly<Record<string, string>>) | undefined;
}

/** Answers one request, as JSON or, once something was sent ahead, as an event stream. */
export function createResponder(response: ServerResponse, options: ResponderOptions): Responder {
  const common = { ...(options.isTls ? overTls : securityHeaders), ...options.answerHeaders?.() };
  let keepAlive: NodeJS.Timeout | undefined;

  const end = (body: string | undefined): void => {
    clearInterval(keepAlive);
    if (response.destroyed) return;
    response.end(body);
    if (response.writableFinished) return;
    const timer = setTimeout(() => response.socket?.destroy(), options.sendTimeoutMs);
    timer.unref();
    response.once('close', () => clearTimeout(timer));
  };
  const begin = (headers: Readonly<Record<string, string>>): void => {
    response.writeHead(200, {
      ...common,
      ...headers,
      'Content-Type': 'text/event-stream',
      'Cache-Control': 'no-cache, no-transform',
      'X-Accel-Buffering': 'no',
    });
    keepAlive = setInterval(() => write(keepAliveComment), options.keepAliveMs);
    keepAlive.unref();
    response.once('close', () => clearInterval(keepAlive));
  };
  const write = (event: string): void => {
    if (response.writableLength > maxWaitingBytes) response.socket?.destroy();
    else response.write(event);
  };

  return {
    send({ status, headers, body }) {
      if (response.headersSent) {
        end(body === undefined ? undefined : toEvent(body));
        return;
      }
      if (response.destroyed) return;
      const length = body === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(body)) };
      const last = options.ending.aborted ? { Connection: 'close' } : {};
      response.writeHead(status, { ...common, ...headers, ...length, ...last });
      end(body);
    },
    notify(message, headers) {
      if (response.destroyed || response.writableEnded) return;
      if (!response.headersSent) begin(headers);
      write(toEvent(message));
    },
    openStream(headers) {
      if (response.destroyed || response.headersSent) return undefined;
      begin(headers);
      return {
        write: (event) => {
          if (!response.destroyed && !response.writableEnded) write(event);
        },
        close: () => end(undefined),
        onClose: (listener) => void response.once('close', listener),
      };
    },
  };
}

/** JSON text has newlines only where white space may be, but an event stream would end a line there. */
export function toEvent(message: string, id?: string): string {
  return eventText({ ...(id !== undefined && { id }), event: 'message', data: message.replace(/[\r\n]+/g, ' ') });
}

/** Answers without a call: probes, and paths or methods that are not there. */
export function sendJson(responder: Responder, status: number, value: object): void {
  responder.send({ status, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(value) });
}

/** Says which methods a path has. */
export function sendNotAllowed(responder: Responder, allow: string): void {
  const body = JSON.stringify({ error: { code: 'unimplemented', message: 'This path has no such method.' } });
  responder.send({ status: 405, headers: { 'Content-Type': 'application/json', Allow: allow }, body });
}
