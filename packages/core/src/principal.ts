import type { Intent } from './intent.ts';

/** A plain value that policies may read. */
export type AttributeValue = string | number | boolean | readonly string[];

/** Who acts for the subject (RFC 8693 `act`); an agent, usually. May nest: an agent that another agent called. */
export interface Actor {
  readonly subject: string;
  readonly actor?: Actor;
}

/** What a narrower credential has to inherit. */
export interface CredentialFacts {
  readonly issuer: string;
  readonly tokenId?: string;
  /** Milliseconds since the epoch. */
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
  /** Thumbprint of the key that its proofs are made with (RFC 9449), of the certificate it is bound to (RFC 8705). */
  readonly jkt?: string;
  readonly certificate?: string;
}

/**
 * Who is calling, from verified credentials only. Nothing in it can come from arguments, `_meta`, `clientInfo` or unsigned headers.
 */
export interface Principal {
  /** On whose behalf: an account, a user, a service (RFC 8693 `sub`). */
  readonly subject: string;
  readonly actor?: Actor;
  /** The program holding the credential (OAuth `client_id`). */
  readonly client: string;
  readonly session?: string;
  readonly tenant?: string;
  /** The application that the program is a part of, where its credential says so. */
  readonly app?: string;
  /** What kind of account: only `service` and `owner` reach tools marked internal. */
  readonly kind: 'person' | 'agent' | 'service' | 'owner';
  readonly scopes: readonly string[];
  readonly attributes: Readonly<Record<string, AttributeValue>>;
  /** The authenticator that vouches for this: `api-token`, `local-owner`, … */
  readonly method: string;
  /** Names the credential itself, for revocation and audit. Not a secret. */
  readonly credentialId: string;
  /** What the credential was given for. Absent: it is not limited so. */
  readonly intent?: Intent;
  /** Of a service on its own hop: whoever's call it is serving, as that caller was known. */
  readonly serving?: Principal;
  /** Where the authenticator knows it, for whoever makes a narrower credential of this one. */
  readonly credential?: CredentialFacts;
}

/**
 * Tells accounts apart: who has what there is a bounded share of. Not the token, the session or the client program, of which
 * one account can make as many as it likes.
 */
export function accountKey({
  tenant,
  subject,
}: Pick<Principal, 'subject'> & { readonly tenant?: string | undefined }): string {
  return JSON.stringify([tenant ?? null, subject]);
}
