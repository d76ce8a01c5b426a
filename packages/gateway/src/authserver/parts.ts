import type { IncomingMessage } from 'node:http';
import type { RateLimit, Taken } from '@sallyport/core';
import type { Logger } from 'pino';
import type { PasswordCost } from './password.ts';
import type { FindPerson, UserStore } from './people.ts';
import type { Records } from './records.ts';
import type { ScopeOnOffer } from './scopes.ts';
import type { AuthServerSettings } from './settings.ts';
import type { SigningKeys } from './signing-keys.ts';

/** Asks for a document at an address that a stranger may choose; refuses addresses that must not be reached. */
export type OutwardFetch = (
  url: string,
  request: {
    readonly method?: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: string;
    readonly redirect?: 'manual' | 'error';
    readonly signal?: AbortSignal;
  },
) => Promise<Response>;

/** A sign-in, or a token that more can be had with. */
export interface Given {
  /** Of tokens: whom they speak for. */
  readonly subject: string;
  /** The client it was given to; absent for a sign-in. */
  readonly client?: string;
  /** What tokens name as their session; absent for a sign-in. */
  readonly session?: string;
  /** Milliseconds since the epoch. */
  readonly issuedAtMs: number;
}

/** What the authorization server leans on. */
export interface AuthServerDeps {
  readonly settings: AuthServerSettings;
  /** The origin under which the world knows this gateway: `https://gateway.example`. */
  readonly origin: string;
  /** The address of the gateway without a path of MCP; what tokens are meant for begins with it. */
  readonly publicUrl: string;
  /** What people call this gateway. */
  readonly name: string;
  readonly records: Omit<Records, 'nowMs'>;
  readonly users: UserStore;
  /** Other than the standard one only in tests. */
  readonly passwordCost?: PasswordCost;
  /** The secret of this gateway at the upstream provider. */
  readonly upstreamSecret?: string;
  /** The secrets of clients that have one, by id. */
  readonly clientSecrets: ReadonlyMap<string, string>;
  /** Ends the access tokens of a grant, by the session they name. */
  readonly endTokens: (session: string) => Promise<void>;
  /** Whether an account of this name was disabled; for clients of the configuration, which have one each. */
  readonly isDisabled: (account: string) => Promise<boolean>;
  /** Whether what somebody was given then was taken back since: all of theirs, of a client's, of a session's, or of everybody's. */
  readonly isRevoked: (given: Given) => boolean | Promise<boolean>;
  /** Whether a path below the public address may be an endpoint, by its form alone. */
  readonly isEndpoint: (path: string) => boolean;
  readonly scopesOnOffer: () => readonly ScopeOnOffer[];
  /** For addresses that strangers choose: documents and keys of clients. */
  readonly fetch: OutwardFetch;
  /** For the upstream provider. */
  readonly upstreamFetch: OutwardFetch;
  readonly take: (key: string, limit: RateLimit) => Taken;
  /** The address of whoever sent a request; of IPv6 the network, so that nobody has more than one share. */
  readonly peerOf: (request: IncomingMessage) => string;
  /** More values of `Host` that mean this gateway. */
  readonly hosts: readonly string[];
  /** Milliseconds since the epoch. */
  readonly nowMs: () => number;
  readonly log: Logger;
}

/** The parts that are made once and used by all. */
export interface Parts extends AuthServerDeps {
  readonly issuer: string;
  readonly full: Records;
  readonly keys: SigningKeys;
  readonly findPerson: FindPerson;
}

/** Below the origin, where all of it is. */
export const mountPath = '/oauth';

/** This machine may be many: whoever develops, tests or tunnels. It gets 100 times as much, as everywhere. */
export function limitFor(peer: string, { rate, burst }: RateLimit): RateLimit {
  const isHere = peer === '::1' || peer.startsWith('127.');
  return isHere ? { rate: rate * 100, burst: burst * 100 } : { rate, burst };
}
