/** Revisions with a handshake, newest first. */
export const legacyRevisions: readonly string[] = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'];

/** Revisions in which every request describes itself, newest first. */
export const modernRevisions: readonly string[] = ['2026-07-28'];

/** The two generations of MCP that share one endpoint. */
export type Era = 'legacy' | 'modern';

/** Names in `_meta` that the protocol reserves, and our own. */
export const metaKeys = {
  protocolVersion: 'io.modelcontextprotocol/protocolVersion',
  clientCapabilities: 'io.modelcontextprotocol/clientCapabilities',
  clientInfo: 'io.modelcontextprotocol/clientInfo',
  serverInfo: 'io.modelcontextprotocol/serverInfo',
  subscriptionId: 'io.modelcontextprotocol/subscriptionId',
  logLevel: 'io.modelcontextprotocol/logLevel',
  /** The call id of the gateway, in every result. */
  traceId: 'dev.sallyport/traceId',
  /** `{code, message}` of a tool error. */
  error: 'dev.sallyport/error',
  /** The id under which a suspended call waits. */
  question: 'dev.sallyport/question',
  /** What it waits for, in words, where there is nothing else to read. */
  waiting: 'dev.sallyport/waiting',
  /** What a server behind the gateway says of itself, where the gateway says `serverInfo` of itself. */
  behind: 'dev.sallyport/serverInfo',
  /** In a list: the services whose part of it may be old or is missing. */
  stale: 'dev.sallyport/stale',
} as const;

/** Headers that mirror a modern request, in lower case. */
export const mcpHeaders = {
  protocolVersion: 'mcp-protocol-version',
  method: 'mcp-method',
  name: 'mcp-name',
  paramPrefix: 'mcp-param-',
} as const;

/** Which member of `params` the `Mcp-Name` header mirrors, by method. */
const nameSources: ReadonlyMap<string, string> = new Map([
  ['tools/call', 'name'],
  ['prompts/get', 'name'],
  ['resources/read', 'uri'],
  ['tasks/get', 'taskId'],
  ['tasks/update', 'taskId'],
  ['tasks/cancel', 'taskId'],
]);

/** The member of `params` that `Mcp-Name` mirrors for this method, if any. */
export function nameSource(method: string): string | undefined {
  return nameSources.get(method);
}

/** Whether a version names a modern revision, known or not: they are dates and sort as text. */
export function isModernVersion(version: string): boolean {
  return version >= '2026-07-28';
}

/** What a gateway tells about itself. */
export interface ServerInfo {
  readonly name: string;
  readonly version: string;
}

/** How long a client may keep a list, in milliseconds: none, since a change of scopes must be seen. */
export const listTtlMs = 0;
