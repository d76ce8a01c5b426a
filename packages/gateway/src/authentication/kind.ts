import type { KeyObject } from 'node:crypto';
import type { Authenticator, Tokens } from '@sallyport/core';

/** What authenticators lean on. Each takes from it what it needs. */
export interface AuthenticationDeps {
  readonly tokens: Tokens;
  /** The key under which secrets of tokens are hashed. */
  readonly pepper: KeyObject;
  /** Milliseconds since the epoch. */
  readonly nowMs: () => number;
  /** The longest any token may live, in milliseconds; asked each time, so that a reload of the configuration counts at once. */
  readonly maxTokenLifeMs: () => number;
  /** What a service may call when it calls as itself. */
  readonly scopesOf: (service: string) => readonly string[];
}

/** One way to prove who one is. */
export interface AuthenticatorKind {
  readonly kind: string;
  create(deps: AuthenticationDeps): Authenticator;
}
