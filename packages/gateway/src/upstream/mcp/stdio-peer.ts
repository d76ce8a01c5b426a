import type { JsonText } from '@sallyport/core';
import { addToResult, metaKeys, type ServerInfo } from '@sallyport/protocol';
import type { Logger } from 'pino';
import type { ConversationRequest, ServerAnswer } from './conversation.ts';
import { createListeners } from './listeners.ts';
import { type Inbound, readInbound } from './message.ts';
import { createComplaints } from './stdio-allowance.ts';
import { createQuestions } from './stdio-ask.ts';
import { createRequestsInFlight, lostInFlight, oneLine, type RequestsInFlight } from './stdio-in-flight.ts';
import type { CutLine } from './stdio-lines.ts';
import type { Outgoing } from './stdio-outbox.ts';
import { createRouter } from './stdio-router.ts';

/** What every modern request says of its sender (MCP 2026-07-28, `_meta`). */
export interface StdioEnvelope {
  readonly version: string;
  readonly clientInfo: ServerInfo;
  /** MCP `ClientCapabilities` of requests that bring none of their own. */
  readonly capabilitiesText: string;
}

/** The other end of a stdio connection: numbers requests and finds out whom a line is for. */
export interface StdioPeer {
  /** @param envelope of a modern request; legacy ones have none. @throws as `Conversation.request` says. */
  request(request: ConversationRequest, envelope?: StdioEnvelope): Promise<ServerAnswer>;
  /** Resolves when it has left. @throws GatewayError `upstream_unavailable` when it never does. */
  notify(method: string, paramsText: string): Promise<void>;
  /** Takes a line of the server's. */
  receive(line: string): void;
  /** Takes what is left of one that was too long: at least its own request need not wait for it. */
  receiveCut(cut: CutLine): void;
  /** Notifications that belong to no request. */
  onNotification(listener: (method: string, paramsText: JsonText) => void): () => void;
  /** The process has ended: nothing in flight will be answered. */
  lose(how: string): void;
}

/** What a peer leans on. */
export interface StdioPeerOptions {
  readonly service: string;
  /** How to send a line; see `StdioProcess.send`. */
  readonly send: (message: Outgoing) => () => boolean;
  /** Whether several callers speak to this process: what cannot be told to belong to one of them is shown to none. */
  readonly isShared: boolean;
  readonly log: Logger;
  readonly nowMs: () => number;
}

/** Speaks JSON-RPC with one process. */
export function createStdioPeer(options: StdioPeerOptions): StdioPeer {
  const { send, isShared, nowMs } = options;
  const complain = createComplaints(options);
  const inFlight = createRequestsInFlight(nowMs);
  const unsolicited = createListeners<[method: string, paramsText: JsonText]>();
  const questions = createQuestions({ inFlight, isShared, send: (text) => void send({ text }) });
  const router = createRouter({ ...options, inFlight, tell: unsolicited.tell, withdraw: questions.withdraw });
  let lastId = 0;

  return {
    request: (request, envelope) => {
      lastId += 1;
      return sendRequest({ id: lastId, request, envelope, inFlight, send });
    },
    notify: (method, paramsText) =>
      new Promise((resolve, reject) => {
        const text = `{"jsonrpc":"2.0","method":${JSON.stringify(method)},"params":${oneLine(paramsText)}}`;
        send({ text, onStart: resolve, onDropped: reject });
      }),
    receive(line) {
      const messages = readLine(line);
      if (messages === undefined) complain('the server wrote a line that is no message; it is left out');
      for (const message of messages ?? []) {
        if (message.kind === 'request') questions.take(message);
        else if (message.kind === 'notification') router.notification(message);
        else router.answer(message);
      }
    },
    receiveCut(cut) {
      inFlight.take(idOf(cut))?.fail(lostInFlight('the answer is too long'));
    },
    onNotification: unsolicited.add,
    lose(how) {
      for (const { id } of inFlight.all()) inFlight.take(id)?.fail(lostInFlight(`the server has ended: ${how}`));
    },
  };
}

/** One message, or several of a server of 2025-03-26, which had batches. */
function readLine(line: string): readonly Inbound[] | undefined {
  const one = readInbound(line);
  if (one !== undefined) return [one];
  if (!line.trimStart().startsWith('[')) return undefined;
  try {
    const all = JSON.parse(line) as readonly unknown[];
    return all.flatMap((each) => readInbound(JSON.stringify(each)) ?? []);
  } catch {
    return undefined;
  }
}

const version = String.raw`(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*)?`;
const idFirst = new RegExp(String.raw`^\s*\{\s*${version}"id"\s*:\s*(\d{1,15})\s*,\s*${version}"(?:result|error)"`);
const answerFirst = new RegExp(String.raw`^\s*\{\s*${version}"(?:result|error)"`);
/** One brace after it: it is a member of the message itself, and not of something in it. */
const idLast = /,\s*"id"\s*:\s*(\d{1,15})\s*(?:,\s*"jsonrpc"\s*:\s*"2\.0"\s*)?\}\s*$/;

/** The id of an answer of which only the ends are known: it stands first or last there, or it cannot be told. */
function idOf({ head, tail }: CutLine): number | undefined {
  const start = head.toString('latin1');
  const found =
    idFirst.exec(start)?.[1] ?? (answerFirst.test(start) ? idLast.exec(tail.toString('latin1'))?.[1] : undefined);
  return found === undefined ? undefined : Number(found);
}

interface Sending {
  readonly id: number;
  readonly request: ConversationRequest;
  readonly envelope: StdioEnvelope | undefined;
  readonly inFlight: RequestsInFlight;
  readonly send: StdioPeerOptions['send'];
}

function sendRequest({ id, request, envelope, inFlight, send }: Sending): Promise<ServerAnswer> {
  const { signal } = request;
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    let isSent = false;
    let takeBack = (): boolean => false;
    const release = (): void => signal.removeEventListener('abort', onAbort);
    const settle = (answer: ServerAnswer): void => {
      release();
      resolve(answer);
    };
    const fail = (error: unknown): void => {
      release();
      reject(error);
    };
    const onAbort = (): void => {
      takeBack();
      const entry = inFlight.take(id);
      if (entry === undefined) return;
      if (isSent && request.method !== 'initialize') {
        inFlight.linger(entry);
        const params = `{"requestId":${id}}`;
        send({ text: `{"jsonrpc":"2.0","method":"notifications/cancelled","params":${params}}` });
      }
      entry.fail(signal.reason);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    inFlight.add({ id, request, isModern: envelope !== undefined, settle, fail });
    takeBack = send({
      text: requestText({ id, request, envelope }),
      onStart() {
        request.onStart?.();
        isSent = true;
      },
      onDropped: (error) => inFlight.take(id)?.fail(error),
    });
  });
}

function requestText({ id, request, envelope }: Pick<Sending, 'id' | 'request' | 'envelope'>): string {
  const { method, paramsText, meta, capabilitiesText, onProgress } = request;
  const members = {
    ...meta,
    ...(envelope && {
      [metaKeys.protocolVersion]: JSON.stringify(envelope.version),
      [metaKeys.clientInfo]: JSON.stringify(envelope.clientInfo),
      [metaKeys.clientCapabilities]: capabilitiesText ?? envelope.capabilitiesText,
    }),
    ...(onProgress && { progressToken: String(id) }),
  };
  const isBare = Object.keys(members).length === 0;
  const params = isBare ? paramsText : addToResult(paramsText, { defaults: {}, meta: members });
  return `{"jsonrpc":"2.0","id":${id},"method":${JSON.stringify(method)},"params":${oneLine(params)}}`;
}
