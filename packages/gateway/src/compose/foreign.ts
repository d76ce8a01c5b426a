import { createHash } from 'node:crypto';
import type { Hop } from '@sallyport/core';
import type { Logger } from 'pino';
import type { GatewayConfig, McpService as HttpService, ServiceConfig, StdioService } from '../config/index.ts';
import type { ForeignService } from '../registry/foreign.ts';
import { createMcpService, type McpServiceOptions } from '../upstream/mcp/service.ts';
import { createMcpHttp } from '../upstream/mcp/service-http.ts';
import { openStdio } from '../upstream/mcp/stdio.ts';
import { stdioEnvironment } from '../upstream/mcp/stdio-environment.ts';
import type { GatewayCredentials } from './credentials.ts';
import { version } from './version.ts';

interface ForeignParts {
  readonly log: Logger;
  readonly nowMs: () => number;
  /** What is shown to services that want to see something. */
  readonly credentials: Pick<GatewayCredentials, 'forItself' | 'onConnected' | 'readSecret'>;
  /** States what the gateway asks services that are to check it. */
  readonly stateOwn: (service: string) => NonNullable<Hop['assertion']>;
}

type Common = Pick<McpServiceOptions, 'clientInfo' | 'log' | 'parking'>;

/** Connects to the MCP servers of a configuration, and starts those that speak over their standard input and output. */
export function foreignServices(config: GatewayConfig, parts: ForeignParts): ReadonlyMap<string, ForeignService> {
  const { max, perPrincipal, timeMs } = config.limits.parked;
  const common: Common = {
    clientInfo: { name: 'sallyport', version },
    log: parts.log,
    parking: { maxParked: max, maxPerOwner: perPrincipal, parkedMs: timeMs },
  };
  return new Map(
    Object.entries(config.services).flatMap(([service, described]) => {
      const connected = connect(service, described, { ...parts, common });
      return connected ? [[service, connected] as const] : [];
    }),
  );
}

/**
 * Stands for where a service of a configuration is: the same for as long as it is the same server. Addresses may hold secrets,
 * so it is a SHA-256.
 */
export function sourceOf(described: ServiceConfig | undefined): string {
  return createHash('sha256')
    .update(JSON.stringify(placeOf(described)))
    .digest('hex');
}

function placeOf(described: ServiceConfig | undefined): readonly unknown[] {
  switch (described?.kind) {
    case 'mcp':
      return ['mcp', described.address];
    case 'stdio':
      return ['stdio', described.command, described.cwd];
    default:
      return [];
  }
}

function connect(
  service: string,
  described: ServiceConfig,
  parts: ForeignParts & { readonly common: Common },
): ForeignService | undefined {
  const { kind } = described;
  switch (kind) {
    case 'command':
    case 'static':
      return undefined;
    case 'mcp':
      return connectHttp(service, described, parts);
    case 'stdio':
      return startStdio(service, described, parts);
    default:
      return kind satisfies never;
  }
}

function connectHttp(
  service: string,
  { address, assertion }: HttpService,
  { common, credentials, stateOwn }: ForeignParts & { readonly common: Common },
): ForeignService {
  const credential = credentials.forItself(service);
  const connected = createMcpHttp({
    ...{ ...common, service, url: address },
    ...(credential && { credential }),
    ...(assertion && { assertion: stateOwn(service) }),
  });
  credentials.onConnected(service, connected.askAgain);
  return connected;
}

function startStdio(
  service: string,
  { command, cwd, env: plain, secretEnv, isolation, processes, startTimeoutMs }: StdioService,
  { common, credentials, log, nowMs }: ForeignParts & { readonly common: Common },
): ForeignService {
  const hidden = Object.entries(secretEnv).map(([name, place]) => [name, credentials.readSecret(place)] as const);
  const env = { ...plain, ...Object.fromEntries(hidden) };
  const server = openStdio({
    ...{ service, command, cwd, isolation, log, nowMs },
    env: stdioEnvironment(process.env, env),
    // What the file puts into its environment may be a secret: it is not repeated from what the server says.
    secrets: Object.values(env),
    maxProcesses: processes.max,
    idleMs: processes.idleMs,
    startMs: startTimeoutMs,
    random: Math.random,
  });
  const { begin, close } = server;
  // Where each conversation is a process, the least recently used one ends when another one is needed.
  const own = { perCaller: true, maxConversations: processes.max, idleMs: processes.idleMs };
  return createMcpService({
    ...{ ...common, service, kind: 'mcp-stdio', instance: service, begin, close },
    ...(isolation === 'caller' && own),
  });
}
