import type { Reason } from '@sallyport/core';
import { badClaims } from './bad-claims.ts';
import { badHeaders } from './bad-headers.ts';
import { badProofs } from './bad-proofs.ts';
import { badSignatures } from './bad-signatures.ts';
import type { Lab } from './lab.ts';

/** How somebody tries to get in, in terms of an HTTP request. Nothing said: an ordinary request for the target of the lab. */
export interface Attempt {
  /** Values of `Authorization` headers. */
  readonly authorization?: readonly string[];
  /** Values of `DPoP` headers. */
  readonly dpop?: readonly string[];
  /** Appended to the path, without `?`. */
  readonly query?: string;
  /** Put into the body beside what is asked, under `access_token`. */
  readonly inBody?: string;
  /** Thumbprint of the client certificate that TLS has verified. */
  readonly certificate?: string;
  /** The gateway is one that wants a nonce in each proof. */
  readonly wantsNonce?: true;
  /** The same request was made before, and was let in. */
  readonly isSecond?: true;
}

/** One way not to get in, and what to be told. */
export interface BadCredential {
  readonly name: string;
  readonly reason: Reason;
  attempt(lab: Lab): Promise<Attempt>;
}

/** Every way not to get in. None of them may reach a service, on any transport. */
export const badCredentials: readonly BadCredential[] = [...badSignatures, ...badClaims, ...badProofs, ...badHeaders];
