import type { Hop, Registry } from '@sallyport/core';
import type { HopCredential } from '@sallyport/protocol';
import type { Logger } from 'pino';
import type { GatewayConfig, ServiceConfig } from '../config/index.ts';
import { type AnnounceRegistry, createAnnounceRegistry } from '../registry/announce.ts';
import { combineRegistries } from '../registry/combined.ts';
import { createForeignRegistry } from '../registry/foreign.ts';
import type { OnDecline, OnInvoke } from '../registry/invocations.ts';
import { createStaticRegistry, type StaticService } from '../registry/static.ts';
import { readCredentialFile } from '../secrets/index.ts';
import { createKitUpstream } from '../upstream/kit.ts';
import { announceMtls } from './announce-mtls.ts';
import type { GatewayCredentials } from './credentials.ts';
import { foreignServices, sourceOf } from './foreign.ts';

interface RegistryParts {
  readonly config: GatewayConfig;
  /** Of services started together with the gateway, beside those of the configuration. */
  readonly runCredentials: readonly HopCredential[];
  readonly lastKnownFile: string;
  /** The same for servers that do not announce themselves. */
  readonly lastListedFile: string;
  readonly onInvoke: OnInvoke;
  readonly onDecline: OnDecline;
  readonly log: Logger;
  readonly nowMs: () => number;
  /** States what the gateway asks services that are to check it. */
  readonly stateOwn: (service: string) => NonNullable<Hop['assertion']>;
  /** What is shown to services that want to see something. */
  readonly credentials: Pick<GatewayCredentials, 'forItself' | 'onConnected' | 'readSecret'>;
}

/** The registries of a configuration, joined. */
export interface OpenRegistry {
  readonly registry: Registry;
  /**
   * Reads the credentials of another configuration; what it returns puts them in force and cuts connections under
   * those that are gone. @throws Error when one cannot be read; the ones before stay.
   */
  prepareCredentials(config: GatewayConfig, runCredentials: readonly HopCredential[]): () => void;
}

/** Opens the listener for services that announce themselves, and dials those at fixed addresses. */
export async function openRegistry(parts: RegistryParts): Promise<OpenRegistry> {
  const { config, log, nowMs, onInvoke, onDecline } = parts;
  let credentials = readCredentials(config, parts.runCredentials);
  let claims = claimsOf(config);
  const mutual = await announceMtls({ config, log, nowMs, services: () => claims });
  const createPool: Parameters<typeof createAnnounceRegistry>[0]['createPool'] = (request) =>
    createKitUpstream({ ...request, nowMs });
  const announced: AnnounceRegistry = await createAnnounceRegistry({
    socket: config.announce.socket,
    ...(config.announce.listen && { tls: config.announce.listen }),
    ...(mutual && { mutual, wallClockMs: Date.now }),
    credentials: () => credentials,
    lastKnownFile: parts.lastKnownFile,
    ...{ createPool, onInvoke, onDecline, log, nowMs },
  });
  try {
    const fixed = createStaticRegistry({
      services: staticServices(config),
      random: Math.random,
      ...{ createPool, onInvoke, onDecline, log, nowMs },
    });
    const foreign = createForeignRegistry({
      services: foreignServices(config, { log, nowMs, stateOwn: parts.stateOwn, credentials: parts.credentials }),
      memory: { file: parts.lastListedFile, sourceOf: (service) => sourceOf(config.services[service]) },
      log,
    });
    return {
      registry: combineRegistries([announced, fixed, foreign], log),
      prepareCredentials(next, runCredentials) {
        const read = readCredentials(next, runCredentials);
        return () => {
          credentials = read;
          claims = claimsOf(next);
          announced.dropRevoked();
        };
      },
    };
  } catch (error) {
    await announced.close();
    throw error;
  }
}

/** Which certificates may announce what. */
function claimsOf({ announce }: GatewayConfig): Readonly<Record<string, readonly string[]>> {
  return announce.mtls?.services ?? {};
}

function readCredentials(
  { announce }: GatewayConfig,
  runCredentials: readonly HopCredential[],
): readonly HopCredential[] {
  return [...runCredentials, ...announce.credentials.map(({ file }) => readCredentialFile(file))];
}

function staticService(
  service: string,
  { address, credential, certificates }: Extract<ServiceConfig, { kind: 'static' }>,
): StaticService {
  if (certificates !== undefined) return { service, address, certificates };
  return { service, address, ...(credential !== undefined && { credential: readCredentialFile(credential) }) };
}

function staticServices({ services }: GatewayConfig): readonly StaticService[] {
  return Object.entries(services).flatMap(([service, described]) =>
    described.kind === 'static' ? [staticService(service, described)] : [],
  );
}
