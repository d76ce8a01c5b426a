import { createMcpService, type McpService, type McpServiceOptions } from './service.ts';
import { openStdio, type StdioOptions } from './stdio.ts';

/** What calling an MCP server over stdio needs. */
export interface McpStdioOptions
  extends Omit<McpServiceOptions, 'kind' | 'instance' | 'begin' | 'close' | 'nowMs' | 'maxConversations'>,
    Omit<StdioOptions, 'service' | 'log'> {}

/** Starts an MCP server that speaks over stdio, and follows what it offers until it is closed. */
export function createMcpStdio(options: McpStdioOptions): McpService {
  const { begin, close } = openStdio(options);
  const { isolation, maxProcesses } = options;
  return createMcpService({
    ...options,
    // One of them is the gateway's own, for lists.
    ...(isolation === 'caller' && maxProcesses !== undefined && { maxConversations: maxProcesses }),
    ...{ kind: 'mcp-stdio', instance: options.service, begin, close },
  });
}
