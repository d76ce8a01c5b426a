import type { Logger } from 'pino';
import type { GatewayConfig, ServiceConfig } from '../config/index.ts';
import type { ForeignService } from '../registry/foreign.ts';
import { createMcpHttp } from '../upstream/mcp-http.ts';
import { version } from './version.ts';

interface ForeignParts {
  readonly log: Logger;
  readonly nowMs: () => number;
}

/** Connects to the MCP servers of a configuration. */
export function foreignServices({ services }: GatewayConfig, parts: ForeignParts): ReadonlyMap<string, ForeignService> {
  return new Map(
    Object.entries(services).flatMap(([service, described]) => {
      const connected = connect(service, described, parts);
      return connected ? [[service, connected] as const] : [];
    }),
  );
}

function connect(service: string, described: ServiceConfig, { log }: ForeignParts): ForeignService | undefined {
  const { kind } = described;
  switch (kind) {
    case 'command':
    case 'static':
      return undefined;
    case 'mcp':
      return createMcpHttp({ service, url: described.address, log, clientInfo: { name: 'sallyport', version } });
    case 'stdio':
      return undefined;
    default:
      return kind satisfies never;
  }
}
