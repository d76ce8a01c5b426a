import { createAdmit, hostOrigin, peerFlood } from '../admission/index.ts';
import type { ToolOverride } from '../catalog/targets.ts';
import type { GatewayConfig } from '../config/index.ts';
import { type BucketLimiter, compileOverrides, createRate } from '../limits/index.ts';
import { saidOfTools } from '../policy/declared.ts';
import type { PolicySet } from '../policy/revision.ts';
import type { PlaneSettings } from './plane.ts';
import { compileViews } from './views.ts';

/** What stays over a reload, so that reloading gives nobody a fresh burst and forgets no address. */
export interface SettingsParts {
  readonly limiter: BucketLimiter;
  readonly boundHosts: () => readonly string[];
  /** Policies in force, once they are not those of the configuration: what they say of tools counts. */
  readonly policies?: () => PolicySet | undefined;
}

/** The settings of the plane that agents see. */
export function agentSettings(config: GatewayConfig, parts: SettingsParts): PlaneSettings {
  const { limits, tools } = config;
  const overrideFor = compileOverrides(tools);
  const { source } = parts.policies?.() ?? config.policy;
  const saidOf = saidOfTools(source);
  return {
    admit: createAdmit([
      peerFlood({ limiter: parts.limiter, limit: limits.peer }),
      hostOrigin({
        boundHosts: parts.boundHosts,
        scheme: config.listen.tls ? 'https' : 'http',
        allowedHosts: config.allowedHosts,
        allowedOrigins: config.allowedOrigins,
        ...(config.publicUrl !== undefined && { publicUrl: config.publicUrl }),
      }),
    ]),
    rate: createRate({ limiter: parts.limiter, presets: limits.presets, overrides: tools, denied: limits.denied }),
    overrideFor: (name): ToolOverride => ({ ...overrideFor(name), ...saidOf(name) }),
    methodsOf: (service) => methodsOf(config, service),
    viewNamed: compileViews(config),
    redaction: config.output.redaction,
    secondFactor: config.secondFactor,
  };
}

/** The settings of the plane that the owner sees: the same limits, no overrides, and loopback as its only host. */
export function adminSettings(config: GatewayConfig, { limiter }: SettingsParts): PlaneSettings {
  const { limits } = config;
  return {
    admit: createAdmit([
      peerFlood({ limiter, limit: limits.peer }),
      hostOrigin({ boundHosts: () => [config.admin.host], scheme: 'http', allowedHosts: [], allowedOrigins: [] }),
    ]),
    rate: createRate({ limiter, presets: limits.presets, overrides: [], denied: limits.denied }),
    overrideFor: () => ({}),
    methodsOf: () => [],
    viewNamed: () => undefined,
    // A token that was just made is what its owner asked for.
    redaction: { groups: [], rules: [] },
  };
}

/** The settings of the plane where tokens are exchanged: reached like that of agents, with nothing that a file could change. */
export function exchangeSettings(config: GatewayConfig, parts: SettingsParts): PlaneSettings {
  return { ...adminSettings(config, parts), admit: agentSettings(config, parts).admit };
}

function methodsOf({ services }: GatewayConfig, service: string): readonly string[] {
  const described = services[service];
  return described?.kind === 'mcp' || described?.kind === 'stdio' ? described.methods : [];
}

/** Settings that are read at the start only; the names of those that differ. */
export function needRestart(before: GatewayConfig, after: GatewayConfig): readonly string[] {
  const fixed = (config: GatewayConfig): Readonly<Record<string, unknown>> => ({
    data: config.data,
    store: config.store,
    masterKeyFile: config.masterKeyFile,
    masterKey: config.masterKey,
    keyRing: config.keyRing,
    listen: config.listen,
    admin: config.admin,
    trustedProxies: config.trustedProxies,
    announce: {
      ...{ socket: config.announce.socket, listen: config.announce.listen },
      ...{ mtls: config.announce.mtls?.listen, files: config.announce.mtls?.files },
    },
    audit: config.audit,
    'auth.server': config.auth.server,
    'limits.maxRequestBytes': config.limits.maxRequestBytes,
    'limits.maxConnections': config.limits.maxConnections,
    'services (with an address)': Object.entries(config.services).filter(([, service]) => service.kind !== 'command'),
  });
  const was = fixed(before);
  return Object.entries(fixed(after))
    .filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(was[name]))
    .map(([name]) => name);
}
