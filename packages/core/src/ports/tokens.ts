/** An account: every token belongs to one, and disabling it ends them all. */
export interface Account {
  readonly id: string;
  readonly name: string;
  readonly kind: 'person' | 'agent' | 'service' | 'owner';
  readonly tenant?: string;
  readonly disabledAtMs?: number;
}

/** A token as it is stored: everything but the secret, of which there is only a keyed hash. */
export interface StoredToken {
  readonly id: string;
  readonly account: Account;
  readonly label: string;
  readonly scopes: readonly string[];
  /** HMAC-SHA-256 of the secret under the pepper, hex. */
  readonly secretHash: string;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
  readonly revokedAtMs?: number;
}

/** Accounts and their tokens. `find` is on the hot path and always tells the truth of now. */
export interface Tokens {
  find(id: string): StoredToken | undefined | Promise<StoredToken | undefined>;
  add(token: StoredToken): void | Promise<void>;
  /** Atomic; true when it was this call that revoked it. */
  revoke(id: string, atMs: number): boolean | Promise<boolean>;
}
