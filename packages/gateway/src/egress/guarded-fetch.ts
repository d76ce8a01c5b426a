import type { Dispatcher } from 'undici';
import { isLoopback } from './addresses.ts';
import { createGuardedAgent, createGuardedConnector, EgressError, type GuardedConnectorOptions } from './connect.ts';

/** What a request may have. */
export interface GuardedRequest {
  readonly method?: string;
  readonly headers?: Headers | Readonly<Record<string, string>>;
  readonly body?: string | URLSearchParams;
  /** Default `error`: whoever wants to be sent elsewhere has to say so. `follow` follows GET and HEAD only, at most three times. */
  readonly redirect?: 'error' | 'manual' | 'follow';
  readonly signal?: AbortSignal;
}

/**
 * Asks for a document at an address that a stranger may have chosen. Resolves with the whole answer, whatever its status.
 *
 * @throws EgressError for an address that is not lawful, a redirect that nobody wanted, or an answer that is too long or coded.
 */
export type GuardedFetch = (url: string | URL, request?: GuardedRequest) => Promise<Response>;

/** What `createGuardedFetch` is made of. Absent parts are those of the operating system. */
export interface GuardedFetchOptions extends GuardedConnectorOptions {
  /** From the first look at the name to the last byte, redirects included. Milliseconds; 5 s. */
  readonly timeoutMs?: number;
  /** Bytes of a body; 512 KiB. */
  readonly maxBytes?: number;
}

/** A fetch, and how to let go of its connections. */
export interface Guarded {
  readonly fetch: GuardedFetch;
  close(): Promise<void>;
}

const mostRedirects = 3;
const defaults = { timeoutMs: 5_000, maxBytes: 512 * 1024 };

/** Headers that are for one origin and no other. */
const personalHeaders: ReadonlySet<string> = new Set(['authorization', 'cookie', 'dpop', 'proxy-authorization']);

/**
 * The one way out to addresses that a stranger may choose: metadata of issuers, documents of clients, keys, token endpoints.
 * `https` only (`http` to this machine where `allow.loopback` says so), no address of a private or special network, every
 * redirect checked like the first request, names pinned to the address that was checked, time and size bounded.
 */
export function createGuardedFetch(options: GuardedFetchOptions = {}): Guarded {
  const { timeoutMs = defaults.timeoutMs, maxBytes = defaults.maxBytes, allow = {} } = options;
  const agent = createGuardedAgent(createGuardedConnector(options), timeoutMs);
  const isLawful = (url: URL): boolean => {
    if (url.username !== '' || url.password !== '') return false;
    return url.protocol === 'https:' || (url.protocol === 'http:' && allow.loopback === true && mayBeLoopback(url));
  };
  return {
    fetch: async (input, request = {}) => {
      const deadline = AbortSignal.timeout(timeoutMs);
      const signal = request.signal ? AbortSignal.any([request.signal, deadline]) : deadline;
      let hop: Hop = { url: new URL(input), method: request.method ?? 'GET', headers: toHeaders(request.headers) };
      for (let followed = 0; ; followed++) {
        if (!isLawful(hop.url)) throw new EgressError(`${hop.url.origin} is not an address that may be asked`);
        const answer = await ask(agent, { ...hop, body: request.body?.toString(), signal });
        const location = redirectOf(answer);
        if (location === undefined || request.redirect === 'manual') return toResponse(answer, { maxBytes, signal });
        discard(answer.body);
        if (request.redirect !== 'follow') throw new EgressError(`${hop.url.origin} answers with a redirect`);
        if (followed === mostRedirects) throw new EgressError(`${hop.url.origin} redirects once too often`);
        hop = follow(hop, location);
      }
    },
    close: () => agent.destroy(),
  };
}

interface Hop {
  readonly url: URL;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
}

interface Asked extends Hop {
  readonly body: string | undefined;
  readonly signal: AbortSignal;
}

function ask(agent: Dispatcher, { url, method, headers, body, signal }: Asked): Promise<Dispatcher.ResponseData> {
  const asking = agent.request({
    origin: url.origin,
    path: url.pathname + url.search,
    method: method as Dispatcher.HttpMethod,
    // A coded answer could grow without bound once it is decoded.
    headers: { ...headers, 'accept-encoding': 'identity' },
    signal,
    ...(body !== undefined && { body }),
  });
  return raced(asking, signal);
}

/** Looking up a name cannot be called off, but nobody has to wait for it. */
function raced<Value>(work: Promise<Value>, signal: AbortSignal): Promise<Value> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

async function toResponse(
  { statusCode, headers, body }: Dispatcher.ResponseData,
  { maxBytes, signal }: { readonly maxBytes: number; readonly signal: AbortSignal },
): Promise<Response> {
  try {
    const coding = headers['content-encoding'];
    if (coding !== undefined && coding !== 'identity') throw new EgressError('the answer is coded');
    const chunks: Buffer[] = [];
    let length = 0;
    for await (const chunk of body) {
      signal.throwIfAborted();
      length += chunk.length;
      if (length > maxBytes) throw new EgressError(`the answer is longer than ${maxBytes} bytes`);
      chunks.push(chunk);
    }
    const isBodyless = statusCode === 204 || statusCode === 205 || statusCode === 304;
    const pairs = Object.entries(headers).flatMap(([name, value]) =>
      [value ?? []].flat().map((one): [string, string] => [name, one]),
    );
    return new Response(isBodyless ? null : Buffer.concat(chunks), { status: statusCode, headers: pairs });
  } catch (error) {
    discard(body);
    throw error;
  }
}

/** Lets go of a body that nobody reads, and of the connection it comes over. */
function discard(body: Dispatcher.ResponseData['body']): void {
  body.once('error', () => undefined).destroy();
}

function redirectOf({ statusCode, headers }: Dispatcher.ResponseData): string | undefined {
  const { location } = headers;
  return [301, 302, 303, 307, 308].includes(statusCode) && typeof location === 'string' ? location : undefined;
}

function follow({ url, method, headers }: Hop, location: string): Hop {
  if (method !== 'GET' && method !== 'HEAD') throw new EgressError(`${url.origin} redirects a ${method}`);
  const next = URL.parse(location, url.href);
  if (next === null) throw new EgressError(`${url.origin} redirects to nowhere`);
  const kept = Object.entries(headers).filter(([name]) => next.origin === url.origin || !personalHeaders.has(name));
  return { url: next, method, headers: Object.fromEntries(kept) };
}

function toHeaders(headers: GuardedRequest['headers']): Readonly<Record<string, string>> {
  return Object.fromEntries(new Headers(headers));
}

/** By its form: whether it is this machine is found out when the name is resolved. */
function mayBeLoopback({ hostname }: URL): boolean {
  return hostname === 'localhost' || hostname.endsWith('.localhost') || isLoopback(hostname.replace(/^\[|\]$/g, ''));
}
