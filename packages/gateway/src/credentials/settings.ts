/** Where a secret is: a file that nobody else may read, or a variable of the environment. Never the secret itself. */
export type SecretPlace =
  | { readonly file: string; readonly env?: never }
  | { readonly env: string; readonly file?: never };

/** How the gateway proves to an authorization server which client it is (RFC 6749 §2.3, RFC 7523 §2.2). */
export type ClientMethod = 'none' | 'client_secret_basic' | 'client_secret_post' | 'private_key_jwt';

/** A client that an authorization server was told of beforehand. */
export interface ClientSettings {
  readonly id: string;
  readonly method: ClientMethod;
  /** For the methods with a secret. */
  readonly secret?: SecretPlace;
  /** For `private_key_jwt`: a private key, PKCS #8 in PEM. */
  readonly key?: SecretPlace;
  readonly algorithm: string;
  readonly keyId?: string;
}

/** What is true of every kind that asks an authorization server. */
export interface OauthSettings {
  /** Whose tokens to use. Absent: of whom the upstream's metadata names. */
  readonly issuer?: string;
  /** What tokens are asked for (RFC 8707). Absent: what the upstream's metadata says, or its address. */
  readonly resource?: string;
  /** Absent: what the upstream asks for. */
  readonly scopes?: readonly string[];
  /** Whether tokens are bound to a key (RFC 9449); `auto`: where the upstream wants that. */
  readonly dpop: 'auto' | 'always' | 'never';
  /** Where authorization servers may be beside the internet. */
  readonly allow: { readonly loopback: boolean; readonly ranges: readonly string[] };
}

/** Who a token is asked for: whoever another token names, or the caller, in a statement that the gateway signs. */
export type SubjectSettings =
  | { readonly kind: 'token'; readonly token: SecretPlace; readonly type: string }
  | {
      readonly kind: 'signed';
      readonly issuer: string;
      readonly key: SecretPlace;
      readonly algorithm: string;
      readonly keyId?: string;
    };

/** What the gateway shows to one upstream. */
export type CredentialSettings =
  | { readonly kind: 'none' }
  | { readonly kind: 'bearer'; readonly token: SecretPlace }
  | { readonly kind: 'header'; readonly name: string; readonly value: SecretPlace }
  | MachineSettings
  | UserSettings;

/** Kinds that need nobody's consent. */
export type MachineSettings =
  | ({ readonly kind: 'client-credentials'; readonly client: ClientSettings } & OauthSettings)
  | ({
      readonly kind: 'token-exchange';
      readonly client: ClientSettings;
      readonly subject: SubjectSettings;
      readonly audience?: string;
    } & OauthSettings)
  | ({
      readonly kind: 'cross-app';
      readonly client: ClientSettings;
      readonly subject: SubjectSettings;
      /** The identity provider of the company, and the client that the gateway is there. */
      readonly provider: { readonly issuer: string; readonly client: ClientSettings };
    } & OauthSettings)
  | ({ readonly kind: 'workload'; readonly assertion: SecretPlace; readonly client: ClientSettings } & OauthSettings);

/** Each user agrees in a browser; or the owner does, once for all. */
export interface UserSettings extends OauthSettings {
  readonly kind: 'oauth';
  readonly account: 'user' | 'shared';
  /** Absent: the gateway introduces itself, by its metadata document or by registering. */
  readonly client?: ClientSettings;
  /** Where the metadata document of the client is. Absent: at the gateway itself, where that has an https address. */
  readonly clientMetadataUrl?: string;
}
