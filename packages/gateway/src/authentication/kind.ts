import type { KeyObject } from 'node:crypto';
import type { Authenticator, Intents, Tokens } from '@sallyport/core';
import type { Logger } from 'pino';
import type { Nonces } from './dpop-nonce.ts';
import type { IssuerFetch } from './issuer-documents.ts';
import type { Revocations } from './revocations.ts';
import type { AuthSettings } from './settings.ts';

/** Tokens, and a number that changes whenever one of them, or an account, may have: without it each call asks the store. */
export type VersionedTokens = Tokens & { readonly version?: () => number };

/** What authenticators lean on. Each takes from it what it needs. What is asked for each time may change with the configuration. */
export interface AuthenticationDeps {
  readonly tokens: VersionedTokens;
  /** The key under which secrets of tokens are hashed. */
  readonly pepper: KeyObject;
  /** Milliseconds since the epoch. */
  readonly nowMs: () => number;
  /** The longest any token may live, in milliseconds; asked each time, so that a reload of the configuration counts at once. */
  readonly maxTokenLifeMs: () => number;
  /** What a service may call when it calls as itself. */
  readonly scopesOf: (service: string) => readonly string[];
  /** Ways in beside the gateway's own tokens. The same object as long as nothing changed. Absent: there are none. */
  readonly settings?: () => AuthSettings;
  /** The address under which agents know this gateway; what tokens and proofs are meant for. */
  readonly publicUrl?: () => string | undefined;
  /** How issuers are asked for their keys; has to refuse addresses that the gateway must not reach. Absent: none is asked. */
  readonly fetch?: IssuerFetch;
  readonly revocations?: Revocations;
  /** Absent: no intent's token is good. */
  readonly intents?: Pick<Intents, 'find'>;
  /** Those that answers hand out. Default: nonces that nobody else makes. */
  readonly nonces?: Nonces;
  readonly log?: Logger;
}

/** One way to prove who one is. */
export interface AuthenticatorKind {
  readonly kind: string;
  create(deps: AuthenticationDeps): Authenticator;
}
