import { Client as Second, StreamableHTTPClientTransport as SecondTransport } from '@modelcontextprotocol/client';
import { Client as First } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as FirstTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { isJsonObject, type JsonObject, type JsonValue, metaKeys } from '@sallyport/protocol';
import { pause } from './program.ts';

/** What became of one call of one client. Times are of `performance.now()`. */
export interface NonceFate {
  readonly nonce: string;
  /** `answered` with the call's own nonce, `wrong` with anything else, the reason of a refusal, or `lost`. */
  readonly end: string;
  /** The id that the answer was sent under. */
  readonly callId?: string;
  /** What was said instead of an answer. */
  readonly words?: string;
  readonly startedMs: number;
  readonly endedMs: number;
}

/** A client of one of the SDKs, which is watched for what it should not have to do. */
export interface Caller {
  readonly era: 'legacy' | 'modern';
  /** Calls a tool with a nonce. Never rejects. */
  call(tool: string, nonce: string, args?: JsonObject): Promise<NonceFate>;
  /** How often it introduced itself, and the sessions that it was given. */
  readonly introductions: number;
  readonly sessions: ReadonlySet<string>;
  /** Answers to it with status 404. */
  readonly notFound: number;
  close(): Promise<void>;
}

/** Who connects where. */
export interface CallerTarget {
  readonly url: URL;
  readonly token: string;
}

const info = { name: 'faults', version: '1.0.0' };
/** Longer than the gateway waits for anything here. */
const patienceMs = 90_000;

/** Connects a client of the first SDK, with a session. */
export async function connectFirstCaller(target: CallerTarget): Promise<Caller> {
  const client = new First(info);
  const watched = watchFetch();
  const transport = new FirstTransport(target.url, {
    requestInit: { headers: { Authorization: `Bearer ${target.token}` } },
    fetch: watched.fetch as never,
  });
  // The SDK's own types disagree about optional members.
  await client.connect(transport as never);
  return callerOf('legacy', watched, {
    send: (name, args) => client.callTool({ name, arguments: args }, undefined, { timeout: patienceMs }),
    close: async () => {
      await transport.terminateSession().catch(() => undefined);
      await client.close();
    },
  });
}

/** Connects a client of the second SDK, pinned to the modern era. */
export async function connectSecondCaller(target: CallerTarget): Promise<Caller> {
  const client = new Second(info, { versionNegotiation: { mode: { pin: '2026-07-28' } } });
  const watched = watchFetch();
  const requestInit = { headers: { Authorization: `Bearer ${target.token}` } };
  await client.connect(new SecondTransport(target.url, { requestInit, fetch: watched.fetch as never }));
  return callerOf('modern', watched, {
    send: (name, args) => client.callTool({ name, arguments: args }, { timeout: patienceMs }),
    close: () => client.close(),
  });
}

interface Ways {
  readonly send: (name: string, args: JsonObject) => Promise<unknown>;
  readonly close: () => Promise<void>;
}

function callerOf(era: Caller['era'], watched: Watched, { send, close }: Ways): Caller {
  return {
    era,
    async call(tool, nonce, args = {}) {
      const startedMs = performance.now();
      const seen = await send(tool, { ...args, nonce }).then(
        (result) => readResult(result as JsonObject, nonce),
        (error: unknown) => readRefusal(error),
      );
      return { nonce, ...seen, startedMs, endedMs: performance.now() };
    },
    get introductions() {
      return watched.introductions;
    },
    sessions: watched.sessions,
    get notFound() {
      return watched.notFound;
    },
    close,
  };
}

interface Watched {
  readonly fetch: typeof fetch;
  introductions: number;
  notFound: number;
  readonly sessions: Set<string>;
}

function watchFetch(): Watched {
  const watched: Watched = {
    introductions: 0,
    notFound: 0,
    sessions: new Set(),
    async fetch(input, init) {
      if (typeof init?.body === 'string' && init.body.includes('"method":"initialize"')) watched.introductions += 1;
      const response = await fetch(input, init);
      const id = response.headers.get('mcp-session-id');
      if (id !== null) watched.sessions.add(id);
      if (response.status === 404) watched.notFound += 1;
      return response;
    },
  };
  return watched;
}

type Seen = Pick<NonceFate, 'end' | 'callId' | 'words'>;

function readResult({ content, _meta }: JsonObject, nonce: string): Seen {
  const [first] = Array.isArray(content) ? content : [];
  const text = isJsonObject(first) && typeof first.text === 'string' ? first.text : '';
  const callId = isJsonObject(_meta) ? _meta[metaKeys.traceId] : undefined;
  // A tool of the kit answers JSON.
  const said = text.startsWith('"') ? (JSON.parse(text) as string) : text;
  const isOwn = said === nonce || said.startsWith(`${nonce} `);
  return {
    end: isOwn ? 'answered' : 'wrong',
    ...(typeof callId === 'string' && { callId }),
    ...(!isOwn && { words: text }),
  };
}

/** Client libraries wrap what the gateway says in words of their own; what it says itself is inside. */
export function readRefusal(error: unknown): Seen {
  const { data, message } = error as { readonly data?: unknown; readonly message?: unknown };
  const words = String(message);
  const told = [data, (data as { text?: unknown } | undefined)?.text, words.slice(Math.max(0, words.indexOf('{')))];
  for (const each of told) {
    const facts = findFacts(typeof each === 'string' ? parse(each) : (each as JsonValue | undefined));
    if (facts) return { ...facts, words };
  }
  return { end: 'lost', words };
}

function findFacts(value: JsonValue | undefined): Seen | undefined {
  if (!isJsonObject(value)) return undefined;
  if (typeof value.reason === 'string') {
    return { end: value.reason, ...(typeof value.traceId === 'string' && { callId: value.traceId }) };
  }
  return findFacts(value.error) ?? findFacts(value.data);
}

function parse(text: string): JsonValue | undefined {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return undefined;
  }
}

/** A steady stream of calls, each with a nonce of its own. */
export interface NonceLoad {
  readonly fates: readonly NonceFate[];
  /** Calls no more; resolves with all fates when the last answer is here. */
  stop(): Promise<readonly NonceFate[]>;
}

/** Every caller calls, rests for a moment, and calls again. */
export function startNonceLoad(callers: readonly Caller[], tool: string, { ms = 5, restMs = 20 } = {}): NonceLoad {
  const fates: NonceFate[] = [];
  let isOver = false;
  const work = async (caller: Caller): Promise<void> => {
    while (!isOver) {
      fates.push(await caller.call(tool, crypto.randomUUID(), { ms }));
      await pause(restMs);
    }
  };
  const all = Promise.all(callers.map(work));
  return {
    fates,
    async stop() {
      isOver = true;
      await all;
      return fates;
    },
  };
}
