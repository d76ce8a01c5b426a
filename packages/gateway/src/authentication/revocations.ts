/** A verified token, as far as it can be revoked: by its id, or by whom it is about. */
export interface VerifiedToken {
  /** Name of the issuer in the configuration. */
  readonly issuer: string;
  readonly tokenId?: string;
  readonly subject: string;
  readonly client: string;
  readonly session?: string;
  /** Milliseconds since the epoch. */
  readonly issuedAtMs: number;
}

/** What was taken back of tokens that the gateway itself did not make and so cannot end at their source. */
export interface Revocations {
  /** Changes whenever more is revoked: what was found good before has to be looked at again. */
  epoch(): number;
  isRevoked(token: VerifiedToken): boolean | Promise<boolean>;
}

/** Nothing is ever revoked before it expires. */
export const noRevocations: Revocations = { epoch: () => 0, isRevoked: () => false };
