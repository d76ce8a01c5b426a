import type { Principal } from '@sallyport/core';

/** A claim: its name, or the path to it through objects. */
export type ClaimPath = string | readonly string[];

/** Which claims say what. Where several names are given, the first that is there counts. */
export interface ClaimNames {
  readonly subject: ClaimPath;
  readonly client: readonly ClaimPath[];
  readonly session: ClaimPath;
  /** Absent: tokens say nothing about tenants. */
  readonly tenant?: ClaimPath;
  /** Absent: tokens say nothing about applications. */
  readonly app?: ClaimPath;
  /** Text with spaces, or a list. */
  readonly scopes: readonly ClaimPath[];
  /** Attribute of the principal → claim. */
  readonly attributes: Readonly<Record<string, ClaimPath>>;
}

/** One OAuth or OpenID Connect issuer whose access tokens are good here. */
export interface IssuerSettings {
  /** What the configuration calls it; in records, and in front of its subjects unless `prefix` says otherwise. */
  readonly name: string;
  /** Exactly as in `iss`. */
  readonly issuer: string;
  /** Default: what its metadata says (RFC 8414, OpenID Connect Discovery). */
  readonly jwksUri?: string;
  /** Audiences that are this gateway, beside its own addresses. */
  readonly audiences: readonly string[];
  /** JWS algorithms; asymmetric ones. */
  readonly algorithms: readonly string[];
  /** Lower case, without `application/`; `absent` for tokens that have none. */
  readonly types: readonly string[];
  readonly clockSkewMs: number;
  /** A token is too old after this long, whatever `exp` says. */
  readonly maxTokenAgeMs: number;
  /** Put in front of subjects, actors and clients, so that two issuers cannot speak of one and the same. */
  readonly prefix: string;
  /** What its subjects are. Default: persons, and agents where the client is its own subject. */
  readonly kind?: Exclude<Principal['kind'], 'owner'>;
  /** All its subjects belong to this tenant. */
  readonly tenant?: string;
  /**
   * Scopes it may give: names, `prefix:*`, or `*` for all but those of administration. Others in its tokens count for nothing.
   * Default: all that hold no `*` and are none of administration.
   */
  readonly scopes?: readonly string[];
  /** Whether tokens must be bound to a key of their holder, by DPoP or a certificate. */
  readonly requireBinding: boolean;
  readonly claims: ClaimNames;
  /** How its keys are looked after, in milliseconds. */
  readonly keys: KeySettings;
}

/** How the keys of an issuer are looked after. Milliseconds. */
export interface KeySettings {
  /** Looked for anew after this long. */
  readonly refreshMs: number;
  /** Used for so long while the issuer does not answer. */
  readonly keepMs: number;
  /** An unknown key id makes us look at most this often. */
  readonly cooldownMs: number;
  readonly timeoutMs: number;
}

/** How proofs of possession are judged (RFC 9449). */
export interface DpopSettings {
  readonly algorithms: readonly string[];
  /** A proof is good for so long after it was made, */
  readonly maxAgeMs: number;
  /** and may be dated so far ahead. */
  readonly clockSkewMs: number;
  /** Whether each proof has to hold a nonce of this gateway's. */
  readonly requireNonce: boolean;
  /** So many proofs are remembered, to know one that comes again. */
  readonly maxRemembered: number;
}

/** Who the holder of a client certificate is. */
export interface CertificateRule {
  /** One of these says which certificates it is about: a SPIFFE id (`*` for a path part), an RFC 2253 subject, a DNS name. */
  readonly spiffe?: string;
  readonly subject?: string;
  readonly dns?: string;
  /** The principal's subject. Default: what was matched. */
  readonly as?: string;
  readonly kind: Exclude<Principal['kind'], 'owner'>;
  readonly tenant?: string;
  readonly scopes: readonly string[];
}

/** A view that lets in whoever presents nothing. */
export interface AnonymousSettings {
  readonly view: string;
  readonly scopes: readonly string[];
}

/** What the configuration says of how callers prove who they are. Absent parts are ways in that are shut. */
export interface AuthSettings {
  readonly issuers?: readonly IssuerSettings[];
  readonly dpop?: DpopSettings;
  readonly certificates?: readonly CertificateRule[];
  readonly anonymous?: readonly AnonymousSettings[];
}

/** What is usual for DPoP: five minutes, as MCP's profile has it. */
export const defaultDpop: DpopSettings = {
  algorithms: ['ES256', 'ES384', 'ES512', 'PS256', 'EdDSA', 'Ed25519', 'RS256'],
  maxAgeMs: 300_000,
  clockSkewMs: 300_000,
  requireNonce: false,
  maxRemembered: 1_000_000,
};
