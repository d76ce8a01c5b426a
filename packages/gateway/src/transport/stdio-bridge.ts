import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  createLineSplitter,
  encodeHeaderValue,
  errorMessage,
  isJsonObject,
  type JsonObject,
  type JsonRpcId,
  type JsonValue,
  mcpHeaders,
  metaKeys,
  nameSource,
} from '@sallyport/protocol';
import { createParamMirror, type ParamMirror } from './param-mirror.ts';
import { type Break, createLink, type Headers, isEventStream, type Link, parseMessage } from './stdio-bridge-link.ts';
import { type BridgeSession, createBridgeSession } from './stdio-bridge-session.ts';

/** A desktop program on one side, a running gateway on the other. */
export interface BridgeOptions {
  /** The gateway's MCP endpoint. */
  readonly url: URL;
  /** From the environment or a file, never from the command line, where every process can read it. */
  readonly token: string;
  readonly stdin: Readable;
  readonly stdout: Writable;
  /** For people; nothing but messages goes to `stdout`. */
  readonly stderr: Writable;
  readonly signal?: AbortSignal;
}

/** Longest message that is taken from the host, in bytes; the gateway has its own, smaller limit. */
const maxLineLength = 32 * 1024 * 1024;

/** How often a stream that ends before its answer is taken up again without anything having come of it. */
const maxResumes = 5;
const firstResumeMs = 200;

/** The error that the bridge makes itself; all others are the gateway's. */
const unavailable = { code: 503, message: 'The gateway does not answer.' };

interface Bridge {
  readonly link: Link;
  readonly session: BridgeSession;
  readonly inFlight: Map<JsonRpcId, InFlight>;
  readonly gone: AbortSignal;
  readonly mirror: ParamMirror;
  write(message: string): void;
}

/**
 * Carries newline-delimited JSON-RPC of a desktop host to a gateway's HTTP endpoint and back, all of it: answers,
 * notifications, questions of services and what the host says to them, in both eras of MCP. A gateway that restarts costs
 * only the calls in flight, which get a retryable error: the session is begun anew without the host noticing. Resolves when
 * the input ends and everything in flight is answered, or at once when the signal fires.
 */
export async function bridgeStdio(options: BridgeOptions): Promise<void> {
  const { stdin, signal, stderr } = options;
  const gone = new AbortController();
  const bridge = createBridge(options, gone.signal);
  const pending = new Set<Promise<void>>();
  const lines = createLineSplitter(maxLineLength, (line) => {
    if (line.trim() === '') return;
    const work = carry(bridge, Buffer.from(line, 'latin1'))
      .catch((error: unknown) => void stderr.write(`sallyport: ${String(error)}\n`))
      .finally(() => pending.delete(work));
    pending.add(work);
  });
  await new Promise<void>((resolve) => {
    // Byte for byte: what is no UTF-8 is for the gateway to refuse, not for the bridge to mend.
    stdin.setEncoding('latin1');
    stdin.on('data', (chunk: string) => {
      if (!lines.push(chunk)) resolve();
    });
    stdin.once('end', resolve);
    stdin.once('error', () => resolve());
    signal?.addEventListener('abort', () => resolve(), { once: true });
    if (signal?.aborted) resolve();
  });
  stdin.removeAllListeners('data');
  if (signal?.aborted) gone.abort();
  signal?.addEventListener('abort', () => gone.abort(), { once: true });
  await Promise.all(pending);
  gone.abort();
  await bridge.session.close();
}

function createBridge({ url, token, stdout }: BridgeOptions, gone: AbortSignal): Bridge {
  const write = (message: string): void => {
    stdout.write(`${message.replace(/[\r\n]+/g, ' ')}\n`);
  };
  const ready = async (): Promise<void> => {
    if (stdout.writableNeedDrain) await once(stdout, 'drain', { signal: gone });
  };
  const link = createLink({ url, token, ready });
  const session = createBridgeSession({ link, write, gone });
  return { link, session, inFlight: new Map(), gone, mirror: createParamMirror(), write };
}

interface InFlight {
  readonly cancelled: AbortController;
  /** Whether letting go of the connection cancels it: not in a session, where the client could come back. */
  readonly isBound: boolean;
}

interface Carried {
  readonly line: Uint8Array;
  readonly message: JsonObject;
  readonly signal: AbortSignal;
}

async function carry(bridge: Bridge, line: Buffer): Promise<void> {
  // What is no message goes on too: refusing it, and recording that, is the gateway's.
  const message = parseMessage(line.toString('utf8')) ?? {};
  const { id, method } = message;
  if (method === undefined || id === undefined) return tell(bridge, { line, message, signal: bridge.gone });
  const isRequest = typeof method === 'string' && (typeof id === 'string' || typeof id === 'number');
  const cancelled = new AbortController();
  const isBound = !isLegacy(message) || !bridge.session.isOpen();
  if (isRequest) bridge.inFlight.set(id, { cancelled, isBound });
  try {
    await ask(bridge, { line, message, signal: AbortSignal.any([bridge.gone, cancelled.signal]) });
  } catch {
    // A cancelled request gets no answer; any other failure is one the host may try again.
    const isAnswered = !isRequest || cancelled.signal.aborted || bridge.gone.aborted;
    if (!isAnswered) bridge.write(retryableError(id));
  } finally {
    if (isRequest) bridge.inFlight.delete(id);
  }
}

/** Carries what gets no answer: notifications, the host's answers to questions, and what is no message at all. */
async function tell(bridge: Bridge, carried: Carried): Promise<void> {
  const { method, params, id, result, error } = carried.message;
  const isMessage = method !== undefined || result !== undefined || error !== undefined;
  const cancelled = method === 'notifications/cancelled' ? named(bridge, params) : undefined;
  if (cancelled?.isBound) return cancelled.cancelled.abort();
  try {
    const response = await post(bridge, carried);
    if (isMessage) await response.body?.cancel();
    else await bridge.link.read(response, (text) => bridge.write(withId(text, id)));
    if (method === 'notifications/initialized' && response.ok) bridge.session.start();
  } finally {
    cancelled?.cancelled.abort();
  }
}

async function ask(bridge: Bridge, carried: Carried): Promise<void> {
  const { message, signal } = carried;
  let isAnswered = false;
  const deliver = (text: string): void => {
    const answer = parseMessage(text);
    if (answer === undefined) return;
    if (answer.method === undefined) isAnswered = true;
    if (message.method === 'tools/list') bridge.mirror.learn(answer.result);
    bridge.write(answer.method === undefined ? withId(text, message.id) : text);
  };
  const response = await post(bridge, carried);
  if (message.method === 'initialize') return readInitialize(bridge, { carried, response, deliver });
  const headers = bridge.session.headers();
  let broken = await bridge.link.read(response, deliver);
  for (let attempt = 0; !isAnswered && attempt < maxResumes; attempt++) {
    const { next, hasCome } = await resume(bridge, { broken, headers, signal, attempt, deliver });
    broken = next;
    if (hasCome) attempt = -1;
  }
  signal.throwIfAborted();
  if (!isAnswered) throw new Error('the gateway gave no answer');
  remember(bridge.session, carried);
}

interface Resuming {
  readonly broken: Break;
  readonly headers: Headers;
  readonly signal: AbortSignal;
  readonly attempt: number;
  readonly deliver: (text: string) => void;
}

/** Takes up a stream where it ended (MCP 2025-11-25, resumability). Throws when there is nothing to take up. */
async function resume(bridge: Bridge, resuming: Resuming): Promise<{ next: Break; hasCome: boolean }> {
  const { broken, headers, signal, attempt, deliver } = resuming;
  const { lastEventId, retryMs } = broken;
  if (lastEventId === undefined || !bridge.session.isOpen()) throw new Error('the gateway gave no answer');
  await sleep(retryMs ?? firstResumeMs * 2 ** attempt, undefined, { signal, ref: false });
  const response = await bridge.link.get({ headers, signal, lastEventId }).catch(() => undefined);
  signal.throwIfAborted();
  if (response === undefined) return { next: { lastEventId, retryMs: undefined }, hasCome: false };
  if (!isEventStream(response)) {
    await response.body?.cancel();
    throw new Error('the gateway lost the answer');
  }
  const next = await bridge.link.read(response, deliver);
  const hasCome = next.lastEventId !== undefined;
  return { next: hasCome ? next : { ...broken, retryMs: next.retryMs }, hasCome };
}

/** Sends a message; one for a session that the gateway has forgotten is sent again in a new one. */
async function post(bridge: Bridge, { line, message, signal }: Carried): Promise<Response> {
  const { link, session } = bridge;
  const headers = session.headers();
  const response = await link.post({ body: line, headers: headersOf(bridge, message, headers), signal });
  const isForgotten = response.status === 404 && session.isOpen() && isLegacy(message);
  if (!isForgotten || message.method === 'initialize') return response;
  const text = await response.text();
  if (!text.includes('"unknown_session"') || !(await session.renew(headers))) return new Response(text, response);
  return link.post({ body: line, headers: headersOf(bridge, message, session.headers()), signal });
}

interface Initializing {
  readonly carried: Carried;
  readonly response: Response;
  readonly deliver: (text: string) => void;
}

async function readInitialize(bridge: Bridge, { carried, response, deliver }: Initializing): Promise<void> {
  await bridge.link.read(response, (text) => {
    const answer = parseMessage(text);
    if (answer !== undefined && isJsonObject(answer.result)) bridge.session.opened(carried.line, response, answer);
    deliver(text);
  });
}

/** What changes a session is said again in the next one. */
function remember(session: BridgeSession, { line, message }: Carried): void {
  const { method, params } = message;
  const uri = isJsonObject(params) ? params.uri : undefined;
  if (method === 'logging/setLevel') session.remember('level', line);
  if (method === 'resources/subscribe') session.remember(`resource ${String(uri)}`, line);
  if (method === 'resources/unsubscribe') session.remember(`resource ${String(uri)}`, undefined);
}

/** What a modern request must say in headers is taken from its body, so that the two cannot disagree. */
function headersOf(bridge: Bridge, message: JsonObject, session: Headers): Headers {
  const { method, params } = message;
  const version = claimedVersion(message);
  if (version === undefined || typeof method !== 'string') return method === 'initialize' ? {} : session;
  const source = nameSource(method);
  const name = source !== undefined && isJsonObject(params) ? params[source] : undefined;
  return {
    [mcpHeaders.protocolVersion]: version,
    [mcpHeaders.method]: encodeHeaderValue(method),
    ...(typeof name === 'string' && { [mcpHeaders.name]: encodeHeaderValue(name) }),
    ...(method === 'tools/call' && bridge.mirror.headers(params)),
  };
}

function claimedVersion({ params }: JsonObject): string | undefined {
  const meta = isJsonObject(params) ? params._meta : undefined;
  const version = isJsonObject(meta) ? meta[metaKeys.protocolVersion] : undefined;
  return typeof version === 'string' ? version : undefined;
}

function isLegacy(message: JsonObject): boolean {
  return claimedVersion(message) === undefined;
}

/** The request that a notification of its cancellation names. */
function named(bridge: Bridge, params: JsonValue | undefined): InFlight | undefined {
  const id = isJsonObject(params) ? params.requestId : undefined;
  return typeof id === 'string' || typeof id === 'number' ? bridge.inFlight.get(id) : undefined;
}

/** A refusal of a message that the gateway could not read has no id; the host must still learn which message it was. */
function withId(text: string, id: JsonValue | undefined): string {
  const answer = parseMessage(text);
  if (answer === undefined) return text;
  const isAnonymous = answer.id === null || answer.id === undefined;
  return isAnonymous ? JSON.stringify({ ...answer, id: id ?? null }) : text;
}

function retryableError(id: JsonRpcId): string {
  const data = { code: 'unavailable', reason: 'upstream_unavailable', retryable: true };
  return errorMessage(JSON.stringify(id), { ...unavailable, data });
}
