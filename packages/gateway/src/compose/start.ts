import { userInfo } from 'node:os';
import type { Registry, ServiceStatus } from '@sallyport/core';
import type { HopCredential, JsonObject } from '@sallyport/protocol';
import type { Logger } from 'pino';
import { adminOperations, createAdminRegistry, listenForAdmin } from '../admin/index.ts';
import { boundHostsOf } from '../admission/index.ts';
import { createRecord, type OnRecord } from '../audit/index.ts';
import { authenticatorKinds } from '../authentication/index.ts';
import { mintToken } from '../authentication/mint-token.ts';
import type { GatewayConfig, TlsFiles } from '../config/index.ts';
import { loadTls, watchTls } from '../config/tls.ts';
import { createMemoryLimiter } from '../limits/index.ts';
import { newCallId, newTrace } from '../telemetry/index.ts';
import { createHttp, type HttpTransport } from '../transport/http.ts';
import { mcpUrl } from './embed.ts';
import { createPlane, type Plane } from './plane.ts';
import { openRegistry } from './registries.ts';
import { createServiceCalls } from './service-calls.ts';
import { tlsSettings, transportDeps } from './serving.ts';
import { adminSettings, agentSettings, needRestart } from './settings.ts';
import { dataPaths, openStores, type Stores } from './stores.ts';
import { version } from './version.ts';

/** What it takes to start a gateway. */
export interface StartOptions {
  readonly config: GatewayConfig;
  readonly log: Logger;
  /** Credentials for services that whoever starts the gateway starts too, beside those of the configuration. */
  readonly runCredentials?: readonly HopCredential[];
  /** Told of every record after it was written; the record is frozen and holds no arguments. */
  readonly onRecord?: OnRecord;
}

/** A gateway that runs. */
export interface RunningGateway {
  /** Where agents connect: `http(s)://host:port/mcp`. */
  readonly mcpUrl: string;
  /** The administration over HTTP, which needs a token, and over the Unix socket, which belongs to the owner. */
  readonly adminUrl: string | undefined;
  readonly adminSocket: string;
  services(): readonly ServiceStatus[];
  /** Tools on offer by service. */
  toolCounts(): ReadonlyMap<string, number>;
  /** Resolves when no service is expected back any more. */
  ready(): Promise<void>;
  onChange(listener: () => void): () => void;
  /**
   * Makes a token of the account `run` that is revoked when this gateway closes; its text exists nowhere else. With
   * `services` it holds every scope that the tools now on offer ask for.
   */
  mintRunToken(scopes: readonly string[] | 'services'): Promise<string>;
  /** Takes a new configuration, all of it or, when it throws, nothing. Returns the settings that need a restart. */
  reload(config: GatewayConfig, also?: Pick<StartOptions, 'runCredentials'>): readonly string[];
  close(): Promise<void>;
}

const runTokenLifeMs = 24 * 3_600_000;
/** Tokens that ended are listed for so long, for whoever wonders what became of one. */
const keepDeadTokensMs = 30 * 86_400_000;
const nowMs = Date.now;

/**
 * Starts a gateway from a configuration: opens its data folder, waits for services, listens for agents and for the owner.
 *
 * @throws Error when a file cannot be used or a port is taken; nothing is left open then.
 */
export async function startGateway(options: StartOptions): Promise<RunningGateway> {
  const closers: (() => Promise<void> | void)[] = [];
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  try {
    return await start(options, { onClose: (closer) => closers.push(closer), close });
  } catch (error) {
    await close();
    throw error;
  }
}

interface Lifetime {
  /** Later ones are closed first. */
  onClose(closer: () => Promise<void> | void): void;
  close(): Promise<void>;
}

async function start(options: StartOptions, life: Lifetime): Promise<RunningGateway> {
  const { config, log, onRecord } = options;
  let current = config;
  let runCredentials = options.runCredentials ?? [];
  const stores = await openStores(config, log, nowMs);
  life.onClose(stores.close);
  stores.state.tokens.prune(nowMs() - keepDeadTokensMs);
  const record = createRecord({
    log: stores.auditLog,
    logger: log,
    nowMs,
    singly: config.audit.refusalsPerPeer,
    windowMs: config.audit.refusalWindowMs,
    ...(onRecord && { onRecord }),
  });
  life.onClose(record.close);

  const shared = { authenticators: authenticators(stores, () => current), record, nowMs, log };
  let boundHosts: readonly string[] = [];
  const settingsParts = {
    limiter: createMemoryLimiter({ nowMs: () => performance.now() }),
    boundHosts: () => boundHosts,
  };
  const registries = await openRegistry({
    ...{
      config: () => current,
      runCredentials: () => runCredentials,
      log,
      nowMs,
      lastKnownFile: dataPaths(config.data).lastKnown,
    },
    ...createServiceCalls({ pipeline: () => agents.pipeline, newCallId, newTrace, nowMs }),
  });
  life.onClose(registries.registry.close);
  const agents: Plane = createPlane({ ...shared, registry: registries.registry }, agentSettings(config, settingsParts));
  life.onClose(agents.close);
  const status = (): JsonObject => ({
    version,
    ready: !registries.registry.settling,
    audit: { ...stores.auditLog.stats() },
  });
  const owner = createPlane(
    { ...shared, registry: adminRegistry({ stores, agents, status, config: () => current }) },
    adminSettings(config, settingsParts),
  );
  life.onClose(owner.close);

  const mcpUrl = await listenForAgents({ config, log, agents, registry: registries.registry, life });
  boundHosts = boundHostsOf(config.listen.host);
  const adminSocket = dataPaths(config.data).adminSocket;
  const admin = await listenForAdmin(
    { pipeline: owner.pipeline, newCallId, nowMs, newTrace, isReady: () => !registries.registry.settling },
    { tcp: config.admin, socketPath: adminSocket, user: userInfo().username },
  );
  life.onClose(admin.close);

  return {
    mcpUrl,
    adminUrl: admin.url,
    adminSocket,
    services: () => agents.catalog.current().services,
    toolCounts: () => countTools(agents),
    ready: () => settled(registries.registry),
    onChange: registries.registry.onChange,
    mintRunToken: (scopes) =>
      mintRunToken({ stores, life, config: current }, scopes === 'services' ? scopesOf(agents) : scopes),
    reload(next, also) {
      const restart = needRestart(current, next);
      agents.apply(agentSettings(next, settingsParts));
      owner.apply(adminSettings(next, settingsParts));
      current = next;
      runCredentials = also?.runCredentials ?? runCredentials;
      registries.credentialsChanged();
      return restart;
    },
    close: life.close,
  };
}

function authenticators(stores: Stores, config: () => GatewayConfig) {
  const deps = {
    tokens: stores.state.tokens,
    pepper: stores.pepper,
    nowMs,
    maxTokenLifeMs: () => config().auth.maxTokenLifeMs,
    scopesOf: (service: string) => config().services[service]?.scopes ?? [],
  };
  return authenticatorKinds.map((kind) => kind.create(deps));
}

interface AdminParts {
  readonly stores: Stores;
  readonly agents: Plane;
  readonly status: () => JsonObject;
  readonly config: () => GatewayConfig;
}

function adminRegistry({ stores, agents, status, config }: AdminParts): Registry {
  const { tokens, accounts } = stores.state;
  const { pepper } = stores;
  const maxTokenLifeMs = () => config().auth.maxTokenLifeMs;
  const catalog = agents.catalog.current;
  return createAdminRegistry(adminOperations({ tokens, accounts, pepper, nowMs, maxTokenLifeMs, catalog, status }));
}

interface AgentListener {
  readonly config: GatewayConfig;
  readonly log: Logger;
  readonly agents: Plane;
  readonly registry: Registry;
  readonly life: Lifetime;
}

async function listenForAgents({ config, log, agents, registry, life }: AgentListener): Promise<string> {
  const { limits, listen, trustedProxies } = config;
  const { maxRequestBytes } = limits;
  const deps = transportDeps(agents, { registry, log, nowMs, maxRequestBytes, trustedProxies });
  const tls = listen.tls && (await loadTls(listen.tls, nowMs()));
  const http = createHttp(deps, {
    maxConnections: limits.maxConnections,
    headersTimeoutMs: limits.headersTimeoutMs,
    requestTimeoutMs: limits.requestTimeoutMs,
    ...(tls && { tls: tlsSettings(tls) }),
  });
  life.onClose(() => http.close());
  if (listen.tls) followCertificates({ files: listen.tls, http, log, life });
  return mcpUrl(await http.listen(listen), listen.tls !== undefined).href;
}

interface Certificates {
  readonly files: TlsFiles;
  readonly http: HttpTransport;
  readonly log: Logger;
  readonly life: Lifetime;
}

function followCertificates({ files, http, log, life }: Certificates): void {
  const stopping = new AbortController();
  life.onClose(() => stopping.abort());
  watchTls(files, {
    nowMs,
    signal: stopping.signal,
    onReload(material) {
      http.reload(tlsSettings(material));
      for (const warning of material.warnings) log.warn(warning);
    },
    onError: (err) => log.error({ err }, 'the new certificate cannot be used; the one before stays'),
  });
}

interface RunTokenParts {
  readonly stores: Stores;
  readonly life: Lifetime;
  readonly config: GatewayConfig;
}

async function mintRunToken({ stores, life, config }: RunTokenParts, scopes: readonly string[]): Promise<string> {
  const { tokens, accounts } = stores.state;
  const account = accounts.ensure({ name: 'run', kind: 'agent' });
  const maxTokenLifeMs = () => config.auth.maxTokenLifeMs;
  const lifeMs = Math.min(runTokenLifeMs, config.auth.maxTokenLifeMs);
  const minted = await mintToken(
    { tokens, pepper: stores.pepper, nowMs, maxTokenLifeMs },
    { account, scopes, label: 'run', lifeMs },
  );
  life.onClose(() => void tokens.revoke(minted.stored.id, nowMs()));
  return minted.text;
}

function settled(registry: Registry): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (registry.settling) return;
      stop();
      resolve();
    };
    const stop = registry.onChange(look);
    look();
  });
}

function countTools(agents: Plane): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { service } of agents.catalog.current().tools) counts.set(service, (counts.get(service) ?? 0) + 1);
  return counts;
}

function scopesOf(agents: Plane): readonly string[] {
  const tools = agents.catalog.current().tools.filter((tool) => !tool.internal);
  return [...new Set(tools.flatMap((tool) => tool.scopes))].sort();
}
