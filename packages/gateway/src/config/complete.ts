import { join, resolve } from 'node:path';
import { toAuthSettings } from '../authentication/config.ts';
import { toRiskSettings } from '../authorization/config.ts';
import { toAuthServerSettings } from '../authserver/config.ts';
import { toCredentialSettings, toSecretPlace } from '../credentials/config.ts';
import type { CredentialSettings } from '../credentials/settings.ts';
import { customRule, type RedactionRule } from '../output/index.ts';
import { toPolicyConfig } from '../policy/config.ts';
import type { PolicySource } from '../policy/source.ts';
import { toApprovals } from './approvals-section.ts';
import { toRateLimit } from './fields.ts';
import type { GatewayConfig, ServiceConfig, ToolLimit, ToolOverride } from './gateway-config.ts';
import type { ConfigFile } from './schema.ts';
import { toStore } from './store-section.ts';

type ServiceFile = ConfigFile['services'][string];
type ToolFile = ConfigFile['tools'][string];

/**
 * Makes the configuration total: derived defaults, absolute paths (relative ones start at `folder`), units in names.
 * The file must have passed `check.ts`.
 *
 * @param policies those of the files that it names.
 */
export function completeConfig(file: ConfigFile, folder: string, policies: PolicySource): GatewayConfig {
  const data = resolve(folder, file.data);
  const { listen, announce } = file;
  return {
    version: file.version,
    data,
    store: toStore(file.store, folder),
    masterKeyFile: masterKeyFile(file, folder),
    ...(file.masterKey?.env !== undefined && { masterKey: { env: file.masterKey.env } }),
    ...(file.keyRing !== undefined && { keyRing: resolve(folder, file.keyRing) }),
    listen: { host: listen.host, port: listen.port, ...(listen.tls && { tls: tlsFiles(listen.tls, folder) }) },
    admin: file.admin,
    ...(file.publicUrl !== undefined && { publicUrl: file.publicUrl }),
    trustedProxies: file.trustedProxies,
    allowedHosts: file.allowedHosts,
    allowedOrigins: file.allowedOrigins,
    announce: {
      socket: announce.socket === undefined ? join(data, 'hop.sock') : resolve(folder, announce.socket),
      ...(announce.listen !== undefined && { listen: splitHostPort(announce.listen) }),
      ...(announce.mtls && { mtls: announceMtls(announce.mtls, folder) }),
      credentials: announce.credentials.map((credential) => ({ file: resolve(folder, credential.file) })),
    },
    services: byName(
      Object.fromEntries(Object.entries(file.services).map(([name, service]) => [name, toService(service, folder)])),
    ),
    tools: Object.entries(file.tools).map(([pattern, override]) => toolOverride(pattern, override)),
    views: byName(file.views),
    policy: toPolicyConfig(file.policy, policies, folder),
    catalog: file.catalog,
    limits: toLimits(file.limits),
    auth: toAuth(file.auth, folder),
    approvals: toApprovals(file.approvals, folder),
    risk: toRiskSettings(file.risk),
    secondFactor: file.secondFactor,
    output: { redaction: { groups: file.output.redact, rules: file.output.rules.map(toRule) } },
    telemetry: file.telemetry,
    audit: {
      refusalsPerPeer: file.audit.refusalsPerPeer,
      refusalWindowMs: file.audit.refusalWindow,
      durability: file.audit.durability,
      store: file.audit.store ?? file.store.kind,
      ...(file.audit.name !== undefined && { name: file.audit.name }),
      sealOutput: file.audit.sealOutput,
      retention: toRetention(file.audit.retention),
      ...(file.audit.witness !== undefined && { witness: resolve(folder, file.audit.witness) }),
      webhooks: file.audit.webhooks.map(({ url, token, networks }) => ({
        ...{ url, ranges: networks },
        ...(token && { token: toSecretPlace(token, folder) }),
      })),
    },
  };
}

function toRetention({ classes, ...times }: ConfigFile['audit']['retention']): GatewayConfig['audit']['retention'] {
  const known = Object.entries(classes).flatMap(([name, each]) => (each === undefined ? [] : [[name, toTimes(each)]]));
  return { ...toTimes(times), ...(known.length > 0 && { classes: Object.fromEntries(known) }) };
}

function toTimes({ sealed, records }: { readonly sealed?: number | undefined; readonly records?: number | undefined }) {
  return { ...(sealed !== undefined && { sealedMs: sealed }), ...(records !== undefined && { recordsMs: records }) };
}

function masterKeyFile({ masterKeyFile: path, masterKey, data }: ConfigFile, folder: string): string {
  const given = masterKey?.file ?? path;
  return given === undefined ? join(`${resolve(folder, data)}-keys`, 'master.key') : resolve(folder, given);
}

function toLimits(limits: ConfigFile['limits']): GatewayConfig['limits'] {
  return {
    denied: limits.denied,
    peer: limits.peer,
    maxRequestBytes: limits.maxRequestBytes,
    maxConnections: limits.maxConnections,
    headersTimeoutMs: limits.headersTimeout,
    requestTimeoutMs: limits.requestTimeout,
    presets: limits.presets,
    sessions: {
      max: limits.sessions.max,
      perPrincipal: limits.sessions.perPrincipal,
      idleMs: limits.sessions.idle,
    },
    parked: { max: limits.parked.max, perPrincipal: limits.parked.perPrincipal, timeMs: limits.parked.time },
  };
}

function toAuth(auth: ConfigFile['auth'], folder: string): GatewayConfig['auth'] {
  const { name, documentation, scopes } = auth.resource;
  return {
    maxTokenLifeMs: auth.maxTokenLife,
    settings: toAuthSettings(auth),
    ...(auth.server && { server: toAuthServerSettings(auth.server, folder) }),
    issuerNetworks: auth.issuerNetworks,
    certificateProxies: auth.certificateProxies,
    intents: {
      maxLifeMs: auth.intents.maxLife,
      maxCalls: auth.intents.maxCalls,
      countRefused: auth.intents.countRefused,
    },
    resource: { scopes, ...(name !== undefined && { name }), ...(documentation !== undefined && { documentation }) },
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
    clientAuth: tls.clientAuth,
    minVersion: tls.minVersion,
  };
}

function announceMtls(
  { listen, cert, key, clientCa, services }: NonNullable<ConfigFile['announce']['mtls']>,
  folder: string,
): NonNullable<GatewayConfig['announce']['mtls']> {
  return {
    listen: splitHostPort(listen),
    files: {
      ...{ cert: resolve(folder, cert), key: resolve(folder, key), clientCa: resolve(folder, clientCa) },
      ...{ clientAuth: 'required', minVersion: 'TLSv1.3' },
    },
    services: byName(services),
  };
}

/** No prototype: names come from the network later, and `constructor` is a lawful one. */
function byName<Value>(values: Readonly<Record<string, Value>>): Readonly<Record<string, Value>> {
  return Object.assign(Object.create(null), values);
}

function toService(service: ServiceFile, folder: string): ServiceConfig {
  const { dependsOn, scopes, address, credential } = service;
  if (service.stdio !== undefined) return stdioService(service, service.stdio, folder);
  if (address === undefined) return commandService(service, folder);
  if (address.startsWith('http')) {
    const { methods = [], assertion } = service;
    const shown: CredentialSettings =
      typeof credential === 'object' ? toCredentialSettings(credential, folder) : { kind: 'none' };
    return {
      ...{ kind: 'mcp', address, credential: shown },
      ...{ ...(assertion && { assertion: true }), methods, dependsOn, scopes },
    };
  }
  const { certificates } = service;
  if (certificates !== undefined) {
    const { cert, key, ca, id } = certificates;
    const files = { cert: resolve(folder, cert), key: resolve(folder, key), ca: resolve(folder, ca), id };
    return { kind: 'static', address, certificates: files, dependsOn, scopes };
  }
  const file = typeof credential === 'string' ? credential : '';
  const absolute = address.startsWith('unix:') ? `unix:${resolve(folder, address.slice(5))}` : address;
  return { kind: 'static', address: absolute, credential: resolve(folder, file), dependsOn, scopes };
}

function commandService(service: ServiceFile, folder: string): ServiceConfig {
  const cwd = resolve(folder, service.cwd ?? '.');
  return {
    kind: 'command',
    command: service.command ?? [],
    cwd,
    env: plainEnv(service),
    watch: (service.watch ?? ['.']).map((path) => resolve(cwd, path)),
    dependsOn: service.dependsOn,
    instances: service.instances ?? 1,
    scopes: service.scopes,
  };
}

function stdioService(service: ServiceFile, command: readonly string[], folder: string): ServiceConfig {
  const { processes = { max: 32, idle: 600_000 } } = service;
  return {
    kind: 'stdio',
    command,
    cwd: resolve(folder, service.cwd ?? '.'),
    env: plainEnv(service),
    secretEnv: Object.fromEntries(
      Object.entries(service.env ?? {}).flatMap(([name, value]) =>
        typeof value === 'object' ? [[name, toSecretPlace(value, folder)] as const] : [],
      ),
    ),
    isolation: service.isolation ?? 'shared',
    processes: { max: processes.max, idleMs: processes.idle },
    startTimeoutMs: service.startTimeout ?? 60_000,
    methods: service.methods ?? [],
    dependsOn: service.dependsOn,
    scopes: service.scopes,
  };
}

function plainEnv({ env = {} }: ServiceFile): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(env).filter((pair): pair is [string, string] => typeof pair[1] === 'string'),
  );
}

function toRule({ name, pattern, keywords }: ConfigFile['output']['rules'][number]): RedactionRule {
  return customRule({ id: name, pattern, keywords });
}

function toolOverride(pattern: string, file: ToolFile): ToolOverride {
  return {
    pattern,
    ...(file.scopes && { scopes: file.scopes }),
    ...(file.limit && { limit: toolLimit(file.limit) }),
    ...(file.internal !== undefined && { internal: file.internal }),
    ...(file.auditRequired !== undefined && { auditRequired: file.auditRequired }),
    ...(file.task !== undefined && { task: file.task }),
    ...(file.timeout !== undefined && { timeoutMs: file.timeout }),
    ...(file.mayReturn && { mayReturn: file.mayReturn }),
  };
}

function toolLimit({ preset, rate, burst, perTool }: NonNullable<ToolFile['limit']>): ToolLimit {
  return {
    ...(preset !== undefined && { preset }),
    ...(rate !== undefined && { perPrincipal: toRateLimit({ rate, burst }) }),
    ...(perTool && { perTool }),
  };
}
