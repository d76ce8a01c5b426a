import { randomUUID } from 'node:crypto';
import type { Registry, ServiceStatus } from '@sallyport/core';
import type { HopCredential } from '@sallyport/protocol';
import type { Logger } from 'pino';
import { createRecord, type OnRecord } from '../audit/index.ts';
import type { PasswordCost } from '../authserver/index.ts';
import type { GatewayConfig } from '../config/index.ts';
import type { GuardedConnectorOptions } from '../egress/index.ts';
import { createMemoryLimiter } from '../limits/index.ts';
import type { PolicySet } from '../policy/revision.ts';
import { createSealer, type Sealer } from '../secrets/index.ts';
import { newCallId, newTrace, openTracing, type Tracing, withBaggage } from '../telemetry/index.ts';
import { createSealing } from '../upstream/sealing.ts';
import { type ApprovalWebhooks, createApprovalWebhooks } from './approval-webhooks.ts';
import { openApprovals } from './approvals.ts';
import { type Assertions, createAssertions } from './assertions.ts';
import { auditSource } from './audit-place.ts';
import { gatewayNameOf, prepareBuiltIn } from './authserver.ts';
import { openContainment } from './containment.ts';
import { createCredentials, type GatewayCredentials, pagesOf, signedInPathOf } from './credentials.ts';
import { createIdentity, type Identity, type IdentityParts, publicUrlOf } from './identity.ts';
import { countingRefused, createIntentExchange, type IntentExchange } from './intents.ts';
import { createKeyAdmin } from './key-admin.ts';
import { createLifetime, type Lifetime } from './lifetime.ts';
import { listenForAll } from './listening.ts';
import { mayWait } from './may-wait.ts';
import { createMetrics } from './metrics.ts';
import { logNotices, toAll } from './notices.ts';
import { createOwnerPlane, type OwnerParts } from './owner.ts';
import { createPlane, type Plane, type PlaneParts, type PlaneSettings } from './plane.ts';
import { createPolicies, type Policies, policySetOf } from './policies.ts';
import { createPolicyPoints } from './policy-points.ts';
import { createRecheck } from './recheck.ts';
import { type OpenRegistry, openRegistry } from './registries.ts';
import { openRevisions } from './revisions.ts';
import { createRisk } from './risk.ts';
import { mintRunToken } from './run-token.ts';
import { createServiceCalls } from './service-calls.ts';
import { adminSettings, agentSettings, exchangeSettings, needRestart, type SettingsParts } from './settings.ts';
import { dataPaths, openStores, type Stores } from './stores.ts';
import { type Trouble, troubleOf } from './trouble.ts';
import { version } from './version.ts';
import { witnessFacts } from './witnesses.ts';

/** What it takes to start a gateway. */
export interface StartOptions {
  readonly config: GatewayConfig;
  readonly log: Logger;
  /** Credentials for services that whoever starts the gateway starts too, beside those of the configuration. */
  readonly runCredentials?: readonly HopCredential[];
  /** Told of every record after it was written; the record is frozen and holds no arguments. */
  readonly onRecord?: OnRecord;
  /** How names are looked up and connections opened for addresses that strangers choose. Default: as the operating system does. */
  readonly egress?: Pick<GuardedConnectorOptions, 'resolve' | 'connect'>;
  /** For tests alone: cheaper hashes of passwords. No configuration and no environment sets it, and the log warns of it. */
  readonly passwordCost?: PasswordCost;
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
  /** A changed configuration cannot be used: the status tells why, until there is a good one. */
  refused(error: unknown): void;
  close(): Promise<void>;
}

/** Tokens that ended are listed for so long, for whoever wonders what became of one. */
const keepDeadTokensMs = 30 * 86_400_000;
const nowMs = Date.now;

/**
 * Starts a gateway from a configuration: opens its data folder, waits for services, listens for agents and for the owner.
 *
 * @throws Error when a file cannot be used or a port is taken; nothing is left open then.
 */
export async function startGateway(options: StartOptions): Promise<RunningGateway> {
  const life = createLifetime();
  try {
    return await start(options, life);
  } catch (error) {
    await life.close();
    throw error;
  }
}

async function start(options: StartOptions, life: Lifetime): Promise<RunningGateway> {
  const { config, log } = options;
  if (options.passwordCost !== undefined) log.warn('passwords are hashed as cheaply as tests want it');
  const live: Live = { config, boundHosts: [], url: undefined };
  const stores = await openStores(options, nowMs);
  life.onClose(stores.close);
  await stores.state.tokens.prune(nowMs() - keepDeadTokensMs);
  await stores.state.intents.prune(nowMs() - keepDeadTokensMs);

  const sealer = createSealer(stores.handleKey, nowMs);
  const maxTokenLifeMs = () => live.config.auth.maxTokenLifeMs;
  const facts = { stores, nowMs, log, life, config: () => live.config, listening: () => live.url };
  const builtIn = prepareBuiltIn({
    ...{ ...options, ...facts, publicUrl: () => publicUrlOf(facts) },
    signedInPath: signedInPathOf(config),
  });
  const identity = createIdentity({ ...facts, builtIn });
  const { shared, metrics, containment, webhooks } = await openShared({ options, facts, identity, sealer });
  const settingsParts = settingsPartsOf(live);
  const { assertions, credentials, open, agents, desk, policies } = await openAgents({
    ...{ options, facts: { ...facts, builtIn }, shared: { ...shared, containment }, sealer, webhooks },
    settings: agentSettings(config, settingsParts),
  });
  const { registry } = open;
  metrics.watch(agents.catalog.current);
  followPolicies(policies, { live, agents, settingsParts });
  const revisions = await openRevisions(stores, policies, { ...facts, first: config.policy, catalog: agents.catalog });

  const isReady = () => !registry.settling;
  const owner = ownerPlane(
    {
      ...{ ...shared, stores, agents, isReady, maxTokenLifeMs, credentials, live },
      ...{ refreshContainment: containment.live.refresh, passwordCost: options.passwordCost },
      keys: createKeyAdmin({ config, stores, assertions, builtIn, nowMs }),
      ...{ issuerNames: identity.issuerNames, metrics: metrics.text, approvalDesk: desk },
      ...{ authenticators: [...shared.authenticators, webhooks.authenticator], policyDesk: revisions.desk },
    },
    settingsParts,
  );
  life.onClose(owner.close);
  const exchange = createIntentExchange(
    { ...shared, ...facts, sealer, publicUrl: () => publicUrlOf(facts) },
    exchangeSettings(config, settingsParts),
  );

  const listening = await listenForAll({
    ...{ live, owner, isReady, registry, nowMs, log, life, sealer, builtIn, ...tracesOf(shared, facts.config) },
    ...{ plane: agents, readAnswer: webhooks.readAnswer, mayWait: () => mayWait(live.config, policies.engine) },
    identity: {
      ...identity.facts,
      document: assertions.document,
      exchangeToken: exchange.exchangeToken,
      authServer: pagesOf(credentials, builtIn),
    },
  });
  // What waits for people ends first: the listeners wait for those who ask.
  life.onClose(desk.close);

  return toRunning({
    ...{ options, live, life, stores, agents, owner, exchange, revisions, open, settingsParts, maxTokenLifeMs },
    ...listening,
  });
}

function settingsPartsOf(live: Live): SettingsParts {
  return {
    limiter: createMemoryLimiter({ nowMs: () => performance.now() }),
    boundHosts: () => live.boundHosts,
    policies: () => live.policies,
  };
}

/** What policies say of tools comes and goes with them. */
function followPolicies(
  { engine }: Policies,
  { live, agents, settingsParts }: Pick<RunningParts, 'live' | 'agents' | 'settingsParts'>,
): void {
  engine.onChange?.(() => {
    live.policies = engine.current();
    agents.apply(agentSettings(live.config, settingsParts));
  });
}

interface SharedParts {
  readonly options: StartOptions;
  readonly facts: IdentityParts;
  readonly identity: Identity;
  readonly sealer: Sealer;
}

/** What all planes have in common, and what counts their calls. */
async function openShared({ options, facts, identity, sealer }: SharedParts) {
  const { stores, life, log } = facts;
  const metrics = createMetrics(facts);
  const tracing = openTracing({
    ...{ version, env: process.env },
    onTrouble: (trouble) => log.warn(trouble, 'spans cannot be sent'),
  });
  if (tracing) life.onClose(tracing.close);
  const onRecheck = createRecheck(stores.state.tokens.version, life);
  const containment = await openContainment({ ...facts, onRecheck });
  const webhooks = createApprovalWebhooks({ ...facts, accounts: stores.state.accounts, egress: options.egress });
  const shared = {
    authenticators: identity.authenticators,
    onRecheck: containment.onRecheck,
    containments: [containment.callers],
    onNotice: metrics.noticing(toAll([logNotices(log), webhooks.onNotice])),
    ...(tracing && { tracing }),
    record: countingRefused({ ...facts, record: metrics.counting(openRecord(options, stores, life)) }),
    sealing: createSealing({ sealer, nowMs, gatewayId: randomUUID() }),
    intents: stores.state.intents,
    ...{ nowMs, log },
  };
  return { shared, metrics, containment, webhooks };
}

/** Where nobody asked for traces, they go on as their callers have them. */
function tracesOf({ tracing }: Pick<PlaneParts, 'tracing'>, config: () => GatewayConfig): Pick<Tracing, 'newTrace'> {
  return { newTrace: withBaggage(tracing?.newTrace ?? newTrace, () => config().telemetry.baggage) };
}

interface AgentsParts {
  readonly options: StartOptions;
  readonly facts: IdentityParts;
  readonly shared: Omit<PlaneParts, 'registry'>;
  readonly sealer: Sealer;
  readonly settings: PlaneSettings;
  readonly webhooks: Pick<ApprovalWebhooks, 'channels'>;
}

/** Opens what agents call: the services, and the plane in front of them. */
async function openAgents({ options, facts, shared, sealer, settings, webhooks }: AgentsParts) {
  const { stores, life, listening } = facts;
  const assertions = createAssertions({ stores, sealer, config: facts.config, nowMs });
  const credentials = createCredentials({
    ...{ ...options, ...facts, config: options.config },
    signIn: facts.builtIn?.signIn,
    origin: () => new URL(publicUrlOf(facts) ?? listening() ?? 'http://localhost').origin,
  });
  const planned = Promise.withResolvers<Plane>();
  const open = await openServices(
    { ...options, ...tracesOf(shared, facts.config), stateOwn: assertions.stateOwn, credentials },
    planned.promise,
  );
  const { registry } = open;
  life.onClose(registry.close);
  const desk = openApprovals({
    ...{ ...facts, ...shared, settings: () => facts.config().approvals },
    catalog: () => agents.catalog.current(),
    policyRevision: () => policies.engine.revision(),
    channels: webhooks.channels,
  });
  const risk = createRisk({ ...facts, answered: stores.state.answered, policies: () => policies.engine.current() });
  const policies = createPolicies({
    policies: policySetOf(options.config),
    catalog: () => agents.catalog.current(),
    log: facts.log,
    sources: [risk.source],
    engines: [createPolicyPoints({ ...facts, egress: options.egress })],
  });
  const agents: Plane = createPlane(
    {
      ...{ ...shared, registry, desk, assertion: assertions.stateCall, credentialSources: [credentials.source] },
      ...risk.behind(policies.kinds),
      record: risk.learning(shared.record),
    },
    settings,
  );
  planned.resolve(agents);
  life.onClose(agents.close);
  return { assertions, credentials, open, agents, desk, policies };
}

/** What is read from the configuration anew after each reload. */
interface Live {
  config: GatewayConfig;
  boundHosts: readonly string[];
  url: URL | undefined;
  /** Those in force, once they have changed: somebody may have gone back to others than the configuration has. */
  policies?: PolicySet;
  /** Why the configuration on the disk is not the one in force. */
  trouble?: Trouble | undefined;
}

interface RunningParts {
  readonly options: StartOptions;
  readonly live: Live;
  readonly life: Lifetime;
  readonly stores: Stores;
  readonly agents: Plane;
  readonly owner: Plane;
  readonly exchange: IntentExchange;
  readonly revisions: Awaited<ReturnType<typeof openRevisions>>;
  readonly open: OpenRegistry;
  readonly settingsParts: SettingsParts;
  readonly maxTokenLifeMs: () => number;
  readonly mcpUrl: string;
  readonly adminUrl: string | undefined;
}

function toRunning(parts: RunningParts): RunningGateway {
  const { options, live, life, stores, agents, owner, open, settingsParts, maxTokenLifeMs } = parts;
  const { mcpUrl, adminUrl, exchange, revisions } = parts;
  const { registry } = open;
  return {
    mcpUrl,
    adminUrl,
    adminSocket: dataPaths(options.config.data).adminSocket,
    services: () => agents.catalog.current().services,
    toolCounts: () => countTools(agents),
    ready: () => settled(registry),
    onChange: registry.onChange,
    mintRunToken: (scopes) =>
      mintRunToken({ stores, life, maxTokenLifeMs, nowMs }, scopes === 'services' ? scopesOnOffer(agents) : scopes),
    reload(next, { runCredentials = options.runCredentials ?? [] } = {}) {
      // Everything that can fail comes before the first thing that counts.
      const useCredentials = open.prepareCredentials(next, runCredentials);
      const usePolicies = revisions.keeper.prepare(next.policy);
      const settings = {
        agents: agentSettings(next, settingsParts),
        owner: adminSettings(next, settingsParts),
        exchange: exchangeSettings(next, settingsParts),
      };
      const restart = needRestart(live.config, next);
      agents.apply(settings.agents);
      owner.apply(settings.owner);
      exchange.plane.apply(settings.exchange);
      live.config = next;
      live.trouble = undefined;
      usePolicies();
      useCredentials();
      return restart;
    },
    refused(error) {
      live.trouble = troubleOf(error, nowMs());
    },
    close: life.close,
  };
}

type OwnerFacts = Omit<OwnerParts, 'status' | 'gatewayName' | 'auditPath'> & {
  readonly live: Live;
  readonly isReady: () => boolean;
};

function ownerPlane({ live, isReady, ...parts }: OwnerFacts, settingsParts: SettingsParts): Plane {
  const { auditLog, witnesses } = parts.stores;
  return createOwnerPlane(
    {
      ...parts,
      status: () => ({
        ...{ version, ready: isReady(), audit: { ...auditLog.stats(), witnesses: witnessFacts(witnesses) } },
        ...(live.trouble && { configuration: live.trouble }),
      }),
      gatewayName: () => gatewayNameOf(live.config),
      auditPath: auditSource(live.config),
    },
    adminSettings(live.config, settingsParts),
  );
}

function openRecord({ config, log, onRecord }: StartOptions, { auditLog }: Stores, life: Lifetime) {
  const record = createRecord({
    log: auditLog,
    logger: log,
    nowMs,
    singly: config.audit.refusalsPerPeer,
    windowMs: config.audit.refusalWindowMs,
    sealOutput: config.audit.sealOutput,
    ...(onRecord && { onRecord }),
  });
  life.onClose(record.close);
  return record;
}

interface ServiceOptions extends StartOptions, Pick<Assertions, 'stateOwn'> {
  readonly credentials: GatewayCredentials;
  readonly newTrace: Tracing['newTrace'];
}

function openServices(
  { config, log, runCredentials = [], stateOwn, credentials, newTrace }: ServiceOptions,
  plane: Promise<Plane>,
): Promise<OpenRegistry> {
  const pipeline = plane.then((planned) => planned.pipeline);
  return openRegistry({
    ...{ config, runCredentials, log, nowMs, stateOwn, credentials },
    lastKnownFile: dataPaths(config.data).lastKnown,
    lastListedFile: dataPaths(config.data).lastListed,
    ...createServiceCalls({ pipeline, newCallId, newTrace, nowMs }),
  });
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

function scopesOnOffer(agents: Plane): readonly string[] {
  const tools = agents.catalog.current().tools.filter((tool) => !tool.internal);
  return [...new Set(tools.flatMap((tool) => tool.scopes))].sort();
}
