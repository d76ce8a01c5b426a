import { isJsonObject, type JsonObject, mcpHeaders, notificationMessage } from '@sallyport/protocol';
import { type Headers, type Link, parseMessage } from './stdio-bridge-link.ts';
import { readNews } from './stdio-bridge-news.ts';

/** What the bridge remembers of a client of the old era, so that a gateway that forgot it can be told again. */
export interface BridgeSession {
  /** What every message in the session says in headers; nothing before `initialize` was answered. */
  headers(): Headers;
  /** Whether the gateway keeps a session for this client. */
  isOpen(): boolean;
  /** Takes the answer to `initialize`. */
  opened(initialize: Uint8Array, response: Response, answer: JsonObject): void;
  /** The client is ready: what the gateway says without being asked is read from now on. */
  start(): void;
  /** Remembers a message that changed the session, to be said again in a new one. */
  remember(key: string, message: Uint8Array | undefined): void;
  /** Begins a new session in place of one that the gateway does not know any more. False when that cannot be. */
  renew(lost: Headers): Promise<boolean>;
  /** Ends it, as far as the gateway can be reached. */
  close(): Promise<void>;
}

/** What a session of the bridge is made with. */
export interface BridgeSessionOptions {
  readonly link: Link;
  readonly write: (message: string) => void;
  /** Fires when the bridge is to end. */
  readonly gone: AbortSignal;
}

const sessionHeader = 'mcp-session-id';

/** How long saying goodbye may take, in milliseconds. */
const closeMs = 500;

interface State {
  readonly initialize: Uint8Array;
  readonly headers: Headers;
  /** Notifications that stand for whatever was missed while there was no session. */
  readonly news: readonly string[];
  readonly ended: AbortController;
}

/** Makes the memory of a client that has not initialized yet. */
export function createBridgeSession(options: BridgeSessionOptions): BridgeSession {
  const { link, write, gone } = options;
  const said = new Map<string, Uint8Array>();
  let state: State | undefined;
  let isStarted = false;
  let renewing: Promise<boolean> | undefined;

  const begin = async (lost: State): Promise<boolean> => {
    const found = await initializeAgain(options, lost);
    if (found === undefined) return false;
    session.opened(lost.initialize, found.response, found.answer);
    for (const body of [initializedMessage, ...said.values()]) {
      const reply = await link.post({ body, headers: session.headers(), signal: gone });
      await reply.body?.cancel();
    }
    if (isStarted) session.start();
    for (const message of lost.news) write(message);
    return true;
  };

  const session: BridgeSession = {
    headers: () => state?.headers ?? {},
    isOpen: () => state?.headers[sessionHeader] !== undefined,
    opened(initialize, response, answer) {
      const before = state;
      state = stateOf(initialize, response, answer);
      before?.ended.abort();
    },
    start() {
      isStarted = true;
      if (state === undefined || !session.isOpen()) return;
      const { headers, ended } = state;
      const signal = AbortSignal.any([gone, ended.signal]);
      void readNews({ link, headers, write, signal }).then((end) => end === 'lost' && session.renew(headers));
    },
    remember(key, message) {
      if (message === undefined) said.delete(key);
      else said.set(key, message);
    },
    renew(lost) {
      // Somebody else found out before.
      if (state === undefined || state.headers !== lost) return Promise.resolve(state !== undefined);
      renewing ??= begin(state)
        .catch(() => false)
        .finally(() => {
          renewing = undefined;
        });
      return renewing;
    },
    async close() {
      state?.ended.abort();
      if (!session.isOpen()) return;
      const reply = await link.delete(session.headers(), AbortSignal.timeout(closeMs)).catch(() => undefined);
      await reply?.body?.cancel();
    },
  };
  return session;
}

async function initializeAgain({ link, gone }: BridgeSessionOptions, { initialize }: State) {
  const response = await link.post({ body: initialize, headers: {}, signal: gone });
  let answer: JsonObject | undefined;
  await link.read(response, (text) => {
    answer = parseMessage(text) ?? answer;
  });
  return answer !== undefined && isJsonObject(answer.result) ? { response, answer } : undefined;
}

const initializedMessage = new TextEncoder().encode('{"jsonrpc":"2.0","method":"notifications/initialized"}');

function stateOf(initialize: Uint8Array, response: Response, { result }: JsonObject): State {
  const { protocolVersion, capabilities } = isJsonObject(result) ? result : {};
  const id = response.headers.get(sessionHeader);
  const headers = {
    ...(typeof protocolVersion === 'string' && { [mcpHeaders.protocolVersion]: protocolVersion }),
    ...(id !== null && { [sessionHeader]: id }),
  };
  return { initialize, headers, news: newsOf(capabilities), ended: new AbortController() };
}

function newsOf(capabilities: unknown): readonly string[] {
  const kinds = isJsonObject(capabilities as JsonObject) ? (capabilities as JsonObject) : {};
  return ['tools', 'prompts', 'resources']
    .filter((kind) => isJsonObject(kinds[kind]) && kinds[kind].listChanged === true)
    .map((kind) => notificationMessage(`notifications/${kind}/list_changed`, '{}'));
}
