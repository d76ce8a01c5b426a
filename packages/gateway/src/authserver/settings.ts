/** Where a secret is: an absolute path, or a variable of the environment. */
export type SecretSource = { readonly file: string } | { readonly env: string };

/** A client that is told of in the configuration. */
export interface ConfiguredClient {
  readonly id: string;
  readonly name: string;
  /** Absolute path of its public keys, a JWK set; with them it signs who it is (`private_key_jwt`). */
  readonly keys?: string;
  /** Its secret, in place of keys. */
  readonly secret?: SecretSource;
  /** Where people who allow it something are sent back to. Empty: it acts for itself only. */
  readonly redirectUris: readonly string[];
  /** What it may do for itself, with keys. */
  readonly scopes: readonly string[];
}

/** The OpenID provider that people sign in with instead of, or beside, a password here. */
export interface UpstreamProvider {
  /** In front of the subjects it names, and on the page. */
  readonly name: string;
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret?: SecretSource;
  /** What its users may allow clients. */
  readonly scopes: readonly string[];
  /** Asked for beside `openid`. */
  readonly requestScopes: readonly string[];
  /** Whether its identity assertions are taken in place of a sign-in. */
  readonly assertions: boolean;
  /** A claim that has to hold one of these values; absent: whoever it knows may sign in. */
  readonly require?: { readonly claim: string; readonly anyOf: readonly string[] };
}

/** What the authorization server is to be. Times are in milliseconds. */
export interface AuthServerSettings {
  readonly accessTokenLifeMs: number;
  readonly refreshTokenLifeMs: number;
  readonly sessionLifeMs: number;
  /** A new signing key is made when the newest is this old. */
  readonly keyLifeMs: number;
  /** Whether clients may register themselves (RFC 7591). */
  readonly registration: boolean;
  /** Whether clients may be known by a document at their address. */
  readonly metadataDocuments: boolean;
  /** Whether users of this gateway sign in with their password. */
  readonly passwords: boolean;
  readonly clients: readonly ConfiguredClient[];
  readonly upstream?: UpstreamProvider;
}
