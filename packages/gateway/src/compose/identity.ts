import { createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';
import type { Authenticator } from '@sallyport/core';
import type { Logger } from 'pino';
import { createIsTrusted } from '../admission/index.ts';
import { pathOfEndpoint } from '../authentication/audience.ts';
import { createNonces, type Nonces } from '../authentication/dpop-nonce.ts';
import { authenticatorKinds } from '../authentication/index.ts';
import { type AuthSettings, defaultDpop } from '../authentication/settings.ts';
import { createCertificateOf } from '../authentication/xfcc.ts';
import type { GatewayConfig } from '../config/index.ts';
import {
  baselineScopes,
  challengeHeaders,
  type ProtectedResource,
  resourceMetadata,
  resourceMetadataUrl,
  resourcePathOf,
} from '../oauth/index.ts';
import type { TransportDeps } from '../transport/deps.ts';
import type { BuiltIn } from './authserver.ts';
import { createIssuerFetch } from './issuer-fetch.ts';
import type { Lifetime } from './lifetime.ts';
import { createStoreGuard } from './store-guard.ts';
import type { Stores } from './stores.ts';

/** What transports tell OAuth clients, and how they read certificates. */
export type IdentityFacts = Pick<
  TransportDeps,
  'challenge' | 'resourceMetadata' | 'answerHeaders' | 'certificateOf' | 'document' | 'authServer' | 'exchangeToken'
>;

/** Everything about who calls, for one gateway. */
export interface Identity {
  readonly authenticators: readonly Authenticator[];
  readonly facts: IdentityFacts;
  /** Whose tokens are good here now. */
  readonly issuerNames: () => readonly string[];
}

/** What identity is made of. */
export interface IdentityParts {
  readonly stores: Stores;
  /** As it is now: a reload counts from the next call on. */
  readonly config: () => GatewayConfig;
  /** Where agents connect, once that is known. */
  readonly listening: () => URL | undefined;
  readonly nowMs: () => number;
  readonly log: Logger;
  readonly life: Lifetime;
  /** The authorization server that this gateway is itself, if it is one. */
  readonly builtIn?: BuiltIn | undefined;
}

/** Makes the authenticators of a gateway, and what goes with them on the outside. */
export function createIdentity(parts: IdentityParts): Identity {
  const { stores, config, nowMs, log, life, builtIn } = parts;
  const settings = () => builtIn?.settings(config().auth.settings) ?? config().auth.settings;
  const issuerFetch = createIssuerFetch(config, life);
  const nonces = createNonces({ key: nonceKey(stores.handleKey), nowMs });
  const publicUrl = () => publicUrlOf(parts);
  const deps = {
    ...{ tokens: stores.state.tokens, intents: stores.state.intents, revocations: stores.state.revocations },
    pepper: stores.pepper,
    ...{ nowMs, settings, publicUrl, nonces, log },
    maxTokenLifeMs: () => config().auth.maxTokenLifeMs,
    scopesOf: (service: string) => config().services[service]?.scopes ?? [],
    fetch: builtIn?.fetch(issuerFetch) ?? issuerFetch,
  };
  return {
    authenticators: [createStoreGuard(stores.state), ...authenticatorKinds.map((kind) => kind.create(deps))],
    facts: {
      ...createFacts({ config, settings, publicUrl, nonces, nowMs }),
      ...(builtIn && { authServer: builtIn.serve }),
    },
    issuerNames: () => (settings().issuers ?? []).map(({ name }) => name),
  };
}

interface FactsParts {
  readonly config: () => GatewayConfig;
  readonly settings: () => AuthSettings;
  readonly publicUrl: () => string | undefined;
  readonly nonces: Nonces;
  readonly nowMs: () => number;
}

function createFacts({ config, settings, publicUrl, nonces, nowMs }: FactsParts): IdentityFacts {
  const resource = () => resourceOf({ config: config(), settings: settings(), publicUrl: publicUrl() });
  const nonce = () => (settings().dpop?.requireNonce === true ? nonces.current() : undefined);
  return {
    challenge(error, endpoint) {
      const known = resource();
      if (known === undefined) return challengeHeaders(error);
      const now = nonce();
      return challengeHeaders(error, {
        resourceMetadataUrl: resourceMetadataUrl(known, pathOfEndpoint(endpoint)),
        scopes: baselineScopes(known),
        ...(known.dpop && { dpop: { ...known.dpop, ...(now !== undefined && { nonce: now }) } }),
      });
    },
    resourceMetadata(requestPath, isEndpoint) {
      const known = resource();
      const path = known && resourcePathOf(requestPath, known, isEndpoint);
      return path === undefined || known === undefined ? undefined : resourceMetadata(known, path);
    },
    answerHeaders() {
      const now = nonce();
      return now === undefined ? {} : { 'DPoP-Nonce': now };
    },
    certificateOf: (shown) => certificatesOf(config(), nowMs)(shown),
  };
}

interface ResourceParts {
  readonly config: GatewayConfig;
  readonly settings: AuthSettings;
  readonly publicUrl: string | undefined;
}

/** `undefined` where no issuer is configured: there is nobody to send an OAuth client to. */
function resourceOf({ config, settings, publicUrl }: ResourceParts): ProtectedResource | undefined {
  const { issuers = [], dpop = defaultDpop } = settings;
  if (issuers.length === 0 || publicUrl === undefined) return undefined;
  const certificateBound = config.listen.tls?.clientCa !== undefined || config.auth.certificateProxies.length > 0;
  const isRequired = !certificateBound && issuers.every(({ requireBinding }) => requireBinding);
  return {
    ...config.auth.resource,
    publicUrl,
    authorizationServers: issuers.map(({ issuer }) => issuer),
    dpop: { algorithms: dpop.algorithms, isRequired },
    certificateBound,
  };
}

/** As configured; else the address that is listened on, where only this machine can reach it: nobody there has another name for it. */
export function publicUrlOf({ config, listening }: Pick<IdentityParts, 'config' | 'listening'>): string | undefined {
  const { publicUrl, listen } = config();
  if (publicUrl !== undefined) return publicUrl;
  const isOfThisMachine = listen.host === 'localhost' || listen.host === '::1' || listen.host.startsWith('127.');
  return isOfThisMachine ? listening()?.origin : undefined;
}

type CertificateOf = ReturnType<typeof createCertificateOf>;
const readers = new WeakMap<GatewayConfig, CertificateOf>();

function certificatesOf(config: GatewayConfig, nowMs: () => number): CertificateOf {
  const made =
    readers.get(config) ??
    createCertificateOf({ isNamedProxy: createIsTrusted(config.auth.certificateProxies), nowMs });
  readers.set(config, made);
  return made;
}

/** The same in all processes with this master key, and after a restart. */
function nonceKey(from: KeyObject): KeyObject {
  return createSecretKey(new Uint8Array(hkdfSync('sha256', from, new Uint8Array(0), 'sallyport/1/dpop-nonce', 32)));
}
