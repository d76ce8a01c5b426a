import { join, resolve } from 'node:path';
import { toRateLimit } from './fields.ts';
import type { GatewayConfig, ServiceConfig, ToolLimit, ToolOverride } from './gateway-config.ts';
import type { ConfigFile } from './schema.ts';

type ServiceFile = ConfigFile['services'][string];
type ToolFile = ConfigFile['tools'][string];

/**
 * Makes the configuration total: derived defaults, absolute paths (relative ones start at `folder`), units in names.
 * The file must have passed `check.ts`.
 */
export function completeConfig(file: ConfigFile, folder: string): GatewayConfig {
  const data = resolve(folder, file.data);
  const { limits, listen, announce } = file;
  return {
    version: file.version,
    data,
    masterKeyFile:
      file.masterKeyFile === undefined ? join(`${data}-keys`, 'master.key') : resolve(folder, file.masterKeyFile),
    listen: { host: listen.host, port: listen.port, ...(listen.tls && { tls: tlsFiles(listen.tls, folder) }) },
    admin: file.admin,
    ...(file.publicUrl !== undefined && { publicUrl: file.publicUrl }),
    trustedProxies: file.trustedProxies,
    allowedHosts: file.allowedHosts,
    allowedOrigins: file.allowedOrigins,
    announce: {
      socket: announce.socket === undefined ? join(data, 'hop.sock') : resolve(folder, announce.socket),
      ...(announce.listen !== undefined && { listen: splitHostPort(announce.listen) }),
      credentials: announce.credentials.map((credential) => ({ file: resolve(folder, credential.file) })),
    },
    services: services(file.services, folder),
    tools: Object.entries(file.tools).map(([pattern, override]) => toolOverride(pattern, override)),
    limits: {
      denied: limits.denied,
      peer: limits.peer,
      maxRequestBytes: limits.maxRequestBytes,
      maxConnections: limits.maxConnections,
      headersTimeoutMs: limits.headersTimeout,
      requestTimeoutMs: limits.requestTimeout,
      presets: limits.presets,
    },
    auth: { maxTokenLifeMs: file.auth.maxTokenLife },
    audit: { refusalsPerPeer: file.audit.refusalsPerPeer, refusalWindowMs: file.audit.refusalWindow },
  };
}

/** `[::1]:80` → host `::1`, port 80. */
export function splitHostPort(text: string): { readonly host: string; readonly port: number } {
  const at = text.lastIndexOf(':');
  return { host: text.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(text.slice(at + 1)) };
}

function tlsFiles(tls: NonNullable<ConfigFile['listen']['tls']>, folder: string) {
  return {
    cert: resolve(folder, tls.cert),
    key: resolve(folder, tls.key),
    ...(tls.clientCa !== undefined && { clientCa: resolve(folder, tls.clientCa) }),
    minVersion: tls.minVersion,
  };
}

function services(files: ConfigFile['services'], folder: string): Readonly<Record<string, ServiceConfig>> {
  // No prototype: names come from the network later, and `constructor` is a lawful one.
  const byName: Record<string, ServiceConfig> = Object.create(null);
  for (const [name, service] of Object.entries(files)) byName[name] = toService(service, folder);
  return byName;
}

function toService(service: ServiceFile, folder: string): ServiceConfig {
  const { dependsOn, scopes, address, credential } = service;
  if (address === undefined) return commandService(service, folder);
  if (address.startsWith('http')) return { kind: 'mcp', address, dependsOn, scopes };
  const absolute = address.startsWith('unix:') ? `unix:${resolve(folder, address.slice(5))}` : address;
  return { kind: 'static', address: absolute, credential: resolve(folder, credential ?? ''), dependsOn, scopes };
}

function commandService(service: ServiceFile, folder: string): ServiceConfig {
  const cwd = resolve(folder, service.cwd ?? '.');
  return {
    kind: 'command',
    command: service.command ?? [],
    cwd,
    env: service.env ?? {},
    watch: (service.watch ?? ['.']).map((path) => resolve(cwd, path)),
    dependsOn: service.dependsOn,
    instances: service.instances ?? 1,
    scopes: service.scopes,
  };
}

function toolOverride(pattern: string, file: ToolFile): ToolOverride {
  return {
    pattern,
    ...(file.scopes && { scopes: file.scopes }),
    ...(file.limit && { limit: toolLimit(file.limit) }),
    ...(file.internal !== undefined && { internal: file.internal }),
    ...(file.auditRequired !== undefined && { auditRequired: file.auditRequired }),
    ...(file.timeout !== undefined && { timeoutMs: file.timeout }),
  };
}

function toolLimit({ preset, rate, burst, perTool }: NonNullable<ToolFile['limit']>): ToolLimit {
  return {
    ...(preset !== undefined && { preset }),
    ...(rate !== undefined && { perPrincipal: toRateLimit({ rate, burst }) }),
    ...(perTool && { perTool }),
  };
}
