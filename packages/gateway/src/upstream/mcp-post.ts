import type { OutboundCredential, Progress } from '@sallyport/core';
import { type Era, encodeHeaderValue, mcpHeaders, metaKeys, type ServerInfo, spliceMembers } from '@sallyport/protocol';
import type { Dispatcher } from 'undici';
import { exchange, type Reply } from './http-exchange.ts';
import { type McpAnswer, readAnswer, readProgressFor } from './mcp-message.ts';

/** In which era, version and session a message is sent. */
export interface Manner {
  readonly era: Era;
  readonly version: string;
  readonly sessionId?: string;
}

/** One request, or one notification, to a server. */
export interface McpRequest {
  readonly method: string;
  /** The params as JSON text, without what the era adds. */
  readonly params: string;
  /** For `Mcp-Name`. */
  readonly name?: string;
  /** More headers for modern servers. */
  readonly headers?: Readonly<Record<string, string>>;
  /** For `_meta`: member → JSON text. */
  readonly meta?: Readonly<Record<string, string>>;
  readonly credential: OutboundCredential;
  readonly signal: AbortSignal;
  /** Runs right before the first byte leaves, with the id of the request. */
  readonly onStart?: (id: number) => void;
  readonly onProgress?: (progress: Progress) => void;
}

/** What came back: the answer to the request, or only the bare reply where there was none. */
export interface Posted {
  readonly reply: Reply;
  readonly answer: McpAnswer | undefined;
}

/** Posts messages to one server. */
export interface Poster {
  request(manner: Manner, request: McpRequest): Promise<Posted>;
  notify(manner: Manner, notification: McpRequest): Promise<Posted>;
}

/** What posting needs. */
export interface PosterOptions {
  readonly url: URL;
  readonly dispatcher: Dispatcher;
  readonly clientInfo: ServerInfo;
  readonly maxBytes: number;
}

/** Makes a poster. It numbers requests; a number is never used twice. */
export function createPoster(options: PosterOptions): Poster {
  const { url, dispatcher, maxBytes } = options;
  let lastId = 0;

  const post = async (manner: Manner, request: McpRequest, id: number | undefined): Promise<Posted> => {
    const { signal, onStart } = request;
    const listener = createListener(id, request.onProgress);
    const reply = await exchange(dispatcher, {
      url,
      headers: headersOf(manner, request),
      body: bodyOf(manner, request, { id, clientInfo: options.clientInfo }),
      signal,
      maxBytes,
      ...(onStart && { onStart: () => onStart(id ?? 0) }),
      isFinal: listener.isFinal,
    });
    return { reply, answer: listener.answer(reply.message) };
  };

  return {
    request: (manner, request) => post(manner, request, ++lastId),
    notify: (manner, notification) => post(manner, notification, undefined),
  };
}

function createListener(id: number | undefined, onProgress: McpRequest['onProgress']) {
  let found: McpAnswer | undefined;
  let last = Number.NEGATIVE_INFINITY;
  return {
    isFinal(message: string): boolean {
      if (id === undefined) return false;
      const progress = onProgress && readProgressFor(message, id);
      if (progress && progress.progress > last) {
        last = progress.progress;
        onProgress(progress);
      }
      found = readAnswer(message, id);
      return found !== undefined;
    },
    answer: (message: string) => found ?? (id === undefined ? undefined : readAnswer(message, id)),
  };
}

function headersOf({ era, version, sessionId }: Manner, { method, name, headers, credential }: McpRequest) {
  return {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    ...(method !== 'initialize' && { [mcpHeaders.protocolVersion]: version }),
    ...(sessionId !== undefined && { 'mcp-session-id': sessionId }),
    ...(era === 'modern' && {
      [mcpHeaders.method]: method,
      ...(name !== undefined && { [mcpHeaders.name]: encodeHeaderValue(name) }),
    }),
    ...headers,
    ...(credential.kind === 'bearer' && { authorization: `Bearer ${credential.token}` }),
  };
}

interface Sender {
  readonly id: number | undefined;
  readonly clientInfo: ServerInfo;
}

/** Every modern request describes itself; both eras take trace and progress token. */
function bodyOf({ era, version }: Manner, request: McpRequest, { id, clientInfo }: Sender): string {
  const meta = {
    ...(era === 'modern' && {
      [metaKeys.protocolVersion]: JSON.stringify(version),
      [metaKeys.clientInfo]: JSON.stringify(clientInfo),
      [metaKeys.clientCapabilities]: '{}',
    }),
    ...request.meta,
    ...(request.onProgress && id !== undefined && { progressToken: String(id) }),
  };
  const isBare = Object.keys(meta).length === 0;
  const params = isBare ? request.params : spliceMembers(request.params, { _meta: spliceMembers('{}', meta) });
  const idMember = id === undefined ? '' : `"id":${id},`;
  return `{"jsonrpc":"2.0",${idMember}"method":${JSON.stringify(request.method)},"params":${params}}`;
}
