import type { Readable, Writable } from 'node:stream';
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
import { readEvents } from './event-stream.ts';
import { createParamMirror, type ParamMirror } from './param-mirror.ts';

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

/** The error that the bridge makes itself; all others are the gateway's. */
const unavailable = { code: 503, message: 'The gateway does not answer.' };

interface Bridge extends BridgeOptions {
  readonly inFlight: Map<JsonRpcId, AbortController>;
  readonly gone: AbortSignal;
  /** What the gateway agreed to in a legacy handshake; later messages repeat it in a header. */
  legacyVersion: string | undefined;
  readonly mirror: ParamMirror;
  write(message: string): void;
}

/**
 * Carries newline-delimited JSON-RPC of a desktop host to a gateway's HTTP endpoint and back. Every message is a request of
 * its own, so a gateway that restarts costs only the calls in flight: they get a retryable error, the next ones work again.
 * Resolves when the input ends and everything in flight is answered, or at once when the signal fires.
 */
export async function bridgeStdio(options: BridgeOptions): Promise<void> {
  const { stdin, stdout, signal } = options;
  const gone = new AbortController();
  const pending = new Set<Promise<void>>();
  const bridge: Bridge = {
    ...options,
    inFlight: new Map(),
    gone: gone.signal,
    legacyVersion: undefined,
    mirror: createParamMirror(),
    write: (message) => {
      stdout.write(`${message.replace(/[\r\n]+/g, ' ')}\n`);
    },
  };
  const lines = createLineSplitter(maxLineLength, (line) => {
    if (line.trim() === '') return;
    const work = carry(bridge, Buffer.from(line, 'latin1'))
      .catch((error: unknown) => void options.stderr.write(`sallyport: ${String(error)}\n`))
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
}

async function carry(bridge: Bridge, line: Buffer): Promise<void> {
  // What is no message goes on too: refusing it, and recording that, is the gateway's.
  const message = parse(line.toString('utf8')) ?? {};
  const { id, method, params } = message;
  if (method === 'notifications/cancelled') cancel(bridge, params);
  const isRequest = typeof method === 'string' && (typeof id === 'string' || typeof id === 'number');
  const cancelled = new AbortController();
  if (isRequest) bridge.inFlight.set(id, cancelled);
  try {
    await exchange(bridge, { line, message, signal: AbortSignal.any([bridge.gone, cancelled.signal]) });
  } catch {
    // A cancelled request gets no answer; any other failure is one the host may try again.
    const isAnswered = !isRequest || cancelled.signal.aborted || bridge.gone.aborted;
    if (!isAnswered) bridge.write(retryableError(id));
  } finally {
    if (isRequest) bridge.inFlight.delete(id);
  }
}

interface Carried {
  readonly line: Buffer;
  readonly message: JsonObject;
  readonly signal: AbortSignal;
}

async function exchange(bridge: Bridge, { line, message, signal }: Carried): Promise<void> {
  const response = await fetch(bridge.url, {
    method: 'POST',
    headers: headersOf(bridge, message),
    body: new Uint8Array(line),
    signal,
    redirect: 'error',
  });
  if (message.method !== undefined && message.id === undefined) {
    await response.body?.cancel();
    return;
  }
  let isAnswered = false;
  const deliver = (text: string): void => {
    const answer = parse(text);
    if (answer === undefined) return;
    if (answer.method === undefined) isAnswered = true;
    if (message.method === 'initialize') rememberVersion(bridge, answer);
    if (message.method === 'tools/list') bridge.mirror.learn(answer.result);
    bridge.write(withId(text, answer, message.id));
  };
  if (response.headers.get('content-type')?.startsWith('text/event-stream') && response.body) {
    await readEvents(response.body, deliver);
  } else {
    deliver(await response.text());
  }
  if (!isAnswered && message.method !== undefined) throw new Error('the gateway gave no answer');
}

/** What a modern request must say in headers is taken from its body, so that the two cannot disagree. */
function headersOf(bridge: Bridge, { method, params }: JsonObject): Record<string, string> {
  const headers: Record<string, string> = {
    Authorization: `Bearer ${bridge.token}`,
    'Content-Type': 'application/json',
    Accept: 'application/json, text/event-stream',
  };
  const meta = isJsonObject(params) ? params._meta : undefined;
  const version = isJsonObject(meta) ? meta[metaKeys.protocolVersion] : undefined;
  if (typeof version !== 'string' || typeof method !== 'string') {
    const legacy = method === 'initialize' ? undefined : bridge.legacyVersion;
    return legacy === undefined ? headers : { ...headers, [mcpHeaders.protocolVersion]: legacy };
  }
  const source = nameSource(method);
  const name = source !== undefined && isJsonObject(params) ? params[source] : undefined;
  return {
    ...headers,
    [mcpHeaders.protocolVersion]: version,
    [mcpHeaders.method]: encodeHeaderValue(method),
    ...(typeof name === 'string' && { [mcpHeaders.name]: encodeHeaderValue(name) }),
    ...(method === 'tools/call' && bridge.mirror.headers(params)),
  };
}

function cancel(bridge: Bridge, params: JsonValue | undefined): void {
  const id = isJsonObject(params) ? params.requestId : undefined;
  if (typeof id === 'string' || typeof id === 'number') bridge.inFlight.get(id)?.abort();
}

function rememberVersion(bridge: Bridge, { result }: JsonObject): void {
  const version = isJsonObject(result) ? result.protocolVersion : undefined;
  if (typeof version === 'string') bridge.legacyVersion = version;
}

/** A refusal of a message that the gateway could not read has no id; the host must still learn which message it was. */
function withId(text: string, answer: JsonObject, id: JsonValue | undefined): string {
  const isAnonymous = answer.method === undefined && (answer.id === null || answer.id === undefined);
  return isAnonymous ? JSON.stringify({ ...answer, id: id ?? null }) : text;
}

function retryableError(id: JsonRpcId): string {
  const data = { code: 'unavailable', reason: 'upstream_unavailable', retryable: true };
  return errorMessage(JSON.stringify(id), { ...unavailable, data });
}

function parse(text: string): JsonObject | undefined {
  try {
    const value = JSON.parse(text) as JsonValue;
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
