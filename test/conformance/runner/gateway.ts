import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Authenticator, Principal } from '@sallyport/core';
import {
  callbackAuditLog,
  createGateway,
  createLogger,
  type LoadedConfig,
  loadConfig,
  mcpRegistry,
  startGateway,
} from '@sallyport/gateway';

/** Services of a gateway under test: the address of each by its name. */
export type Services = Readonly<Record<string, string>>;

/** A gateway under test. */
export interface TestedGateway {
  /** Where the fixture is mounted, under its own names. */
  readonly mount: URL;
  /** What opens it; absent when it lets everybody in. */
  readonly token?: string;
  close(): Promise<void>;
}

/** The name that the fixture is mounted under. */
export const mounted = 'fixture';

const plenty = { rate: 100_000, burst: 100_000 };
const presets = { read: plenty, write: plenty, expensive: plenty, internal: plenty };
const log = createLogger({ level: 'fatal' });

/** Everybody: the gateway has no anonymous callers, so a program that wants them has to name them. */
const everybody: Principal = {
  subject: 'development',
  client: 'conformance',
  kind: 'agent',
  scopes: [],
  attributes: {},
  method: 'everybody',
  credentialId: 'everybody',
};

/** A gateway inside this program whose authenticator lets everybody in. */
export async function startOpenGateway(services: Services): Promise<TestedGateway> {
  const addresses = Object.entries(services).map(([name, url]) => [name, { url }] as const);
  const registry = mcpRegistry(Object.fromEntries(addresses), { log });
  const authenticator: Authenticator = { authenticate: () => everybody };
  const gateway = createGateway({
    registry,
    authenticators: [authenticator],
    audit: callbackAuditLog(() => undefined),
    tools: [{ pattern: '*', scopes: [] }],
    ...{ presets, denied: plenty, peer: plenty, log },
  });
  const close = async (): Promise<void> => {
    await gateway.close();
    await registry.close();
  };
  try {
    const url = await gateway.listen({ port: 0 });
    await untilSettled(registry);
    return { mount: new URL(`${url.pathname}/${mounted}`, url), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** A gateway as `sallyport serve` runs it, and a token for all that its services offer. */
export async function startClosedGateway(services: Services): Promise<Required<TestedGateway>> {
  const { loaded, remove } = await configOf(services);
  const gateway = await startGateway({ config: loaded.config, log });
  const close = async (): Promise<void> => {
    await gateway.close();
    remove();
  };
  try {
    await gateway.ready();
    const token = await gateway.mintRunToken('services');
    return { mount: new URL(`${gateway.mcpUrl}/${mounted}`), token, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function configOf(services: Services): Promise<{ readonly loaded: LoadedConfig; readonly remove: () => void }> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-conformance-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  const file = join(folder, 'sallyport.yaml');
  const config = {
    version: 1,
    listen: { port: 0 },
    admin: { port: 0 },
    services: Object.fromEntries(Object.entries(services).map(([name, address]) => [name, { address }])),
    limits: { denied: plenty, peer: plenty, presets },
  };
  // JSON is YAML.
  writeFileSync(file, JSON.stringify(config));
  try {
    return { loaded: await loadConfig(file), remove };
  } catch (error) {
    remove();
    throw error;
  }
}

function untilSettled(registry: {
  readonly settling: unknown;
  onChange(listener: () => void): () => void;
}): Promise<void> {
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
