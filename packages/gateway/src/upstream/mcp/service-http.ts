import { Agent } from 'undici';
import { createHttpBegin } from './http.ts';
import type { State } from './http-assertion.ts';
import { createMcpService, type McpService, type McpServiceOptions } from './service.ts';

/** What calling an MCP server over Streamable HTTP needs. */
export interface McpHttpOptions extends Omit<McpServiceOptions, 'kind' | 'instance' | 'begin' | 'close'> {
  readonly url: string;
  /** For servers that check what the gateway states: states what is no call. Absent: nothing is stated. */
  readonly assertion?: State | undefined;
  /** Longest message, in bytes. Default 8 MiB. */
  readonly maxMessageBytes?: number;
  /** Longest answer with all that comes before it, in bytes. Default 64 MiB. */
  readonly maxAnswerBytes?: number;
}

const connectMs = 2_000;

/** Connects to an MCP server over Streamable HTTP, of whichever era, and follows what it offers until it is closed. */
export function createMcpHttp({
  url,
  assertion,
  maxMessageBytes,
  maxAnswerBytes,
  ...options
}: McpHttpOptions): McpService {
  // Streams that stay open have a connection each: what bounds their number is how many calls and conversations there may be.
  const dispatcher = new Agent({ pipelining: 1, connect: { timeout: connectMs } });
  return createMcpService({
    ...options,
    kind: 'mcp-http',
    instance: new URL(url).host,
    begin: createHttpBegin({
      ...{ url, dispatcher, assertion },
      ...(maxMessageBytes !== undefined && { maxMessageBytes }),
      ...(maxAnswerBytes !== undefined && { maxAnswerBytes }),
    }),
    close: () => dispatcher.destroy(),
  });
}
