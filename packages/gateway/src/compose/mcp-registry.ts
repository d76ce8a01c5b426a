import type { OutboundCredential, Registry } from '@sallyport/core';
import type { Logger } from 'pino';
import { createForeignRegistry } from '../registry/foreign.ts';
import { createLogger } from '../telemetry/index.ts';
import { createMcpService } from '../upstream/mcp/service.ts';
import { createMcpHttp } from '../upstream/mcp/service-http.ts';
import { openStdio } from '../upstream/mcp/stdio.ts';
import { stdioEnvironment } from '../upstream/mcp/stdio-environment.ts';
import { version } from './version.ts';

/** Where an MCP server is: at a URL (Streamable HTTP), or a program to start that speaks over standard input and output. */
export type McpServerAddress =
  | {
      readonly url: string;
      /** What its lists are asked with. What calls show, `credentialSources` of the gateway say. Default: nothing. */
      readonly credential?: OutboundCredential;
      readonly command?: never;
    }
  | {
      /** Program and arguments. Never given to a shell. */
      readonly command: readonly string[];
      readonly cwd?: string;
      /** Beside the little that every child gets. */
      readonly env?: Readonly<Record<string, string>>;
      /** `caller`: a process for each caller. Default: one for all. */
      readonly isolation?: 'shared' | 'caller';
      readonly url?: never;
    };

/**
 * A registry of MCP servers of either era, for a gateway inside a program: by the name each gets here. They are followed
 * until the registry is closed; it is `settling` until each has answered once, and not for ever.
 */
export function mcpRegistry(
  servers: Readonly<Record<string, McpServerAddress>>,
  { log = createLogger({ level: 'warn' }) }: { readonly log?: Logger } = {},
): Registry {
  const common = { log, clientInfo: { name: 'sallyport', version } };
  const services = Object.entries(servers).map(([service, address]) => {
    if (address.url !== undefined) {
      const { url, credential } = address;
      return [service, createMcpHttp({ ...common, service, url, ...(credential && { credential }) })] as const;
    }
    const { command, cwd = process.cwd(), env = {}, isolation = 'shared' } = address;
    const server = openStdio({
      ...{ service, command, cwd, isolation, log, nowMs: Date.now, random: Math.random },
      env: stdioEnvironment(process.env, env),
      secrets: Object.values(env),
    });
    const { begin, close } = server;
    const perCaller = isolation === 'caller';
    return [
      service,
      createMcpService({ ...common, service, kind: 'mcp-stdio', instance: service, begin, close, perCaller }),
    ] as const;
  });
  return createForeignRegistry({ services: new Map(services), log });
}
