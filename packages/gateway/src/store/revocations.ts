import type { DatabaseSync } from 'node:sqlite';

/** What of an issuer's tokens is taken back: one by its id (`jti`), those about somebody, or all of them. */
export type RevocationKind = 'token' | 'subject' | 'client' | 'session' | 'all';

/** Something taken back of tokens that the gateway did not make and so cannot end at their source. */
export interface Revocation {
  /** Name of the issuer in the configuration. */
  readonly issuer: string;
  readonly kind: RevocationKind;
  /** The `jti`, or subject, client or session as records name them; empty for `all`. */
  readonly value: string;
  /** Milliseconds since the epoch. A token is none any more by its id; of the others those that were issued until then. */
  readonly atMs: number;
}

/** A token, as far as it can be revoked. */
export interface RevocableToken {
  readonly issuer: string;
  readonly tokenId?: string;
  readonly subject: string;
  readonly client: string;
  readonly session?: string;
  /** Milliseconds since the epoch. */
  readonly issuedAtMs: number;
}

/** What was taken back, in the state database. Nothing is ever given back: whoever was taken by mistake gets a new token. */
export interface RevocationStore {
  add(revocation: Revocation): void;
  /** Newest first. */
  list(): readonly Revocation[];
  /** Changes whenever something was added, by whatever process. */
  epoch(): number;
  isRevoked(token: RevocableToken): boolean;
}

/**
 * Revocations in an open, migrated database. The epoch is asked for at every call, so the table is looked at only when `version`
 * says that anything changed.
 */
export function createRevocations(database: DatabaseSync, version: () => number): RevocationStore {
  const insert = database.prepare(
    'INSERT OR REPLACE INTO revocations (issuer, kind, value, at_ms) VALUES (?, ?, ?, ?)',
  );
  const newestFirst = database.prepare('SELECT issuer, kind, value, at_ms FROM revocations ORDER BY epoch DESC');
  const newest = database.prepare('SELECT coalesce(max(epoch), 0) AS epoch FROM revocations');
  const matching = database.prepare(
    `SELECT 1 FROM revocations WHERE issuer = $issuer AND (
       (kind = 'token' AND value = $token) OR at_ms >= $issued AND (
         kind = 'all' OR (kind = 'subject' AND value = $subject) OR (kind = 'client' AND value = $client)
         OR (kind = 'session' AND value = $session)))
     LIMIT 1`,
  );
  let seen = { version: Number.NaN, epoch: 0 };
  return {
    add: ({ issuer, kind, value, atMs }) => void insert.run(issuer, kind, value, atMs),
    list: () => newestFirst.all().map(toRevocation),
    epoch() {
      const now = version();
      if (now !== seen.version) seen = { version: now, epoch: Number(newest.get()?.epoch) };
      return seen.epoch;
    },
    isRevoked({ issuer, tokenId = null, subject, client, session = null, issuedAtMs }) {
      const about = { $issuer: issuer, $token: tokenId, $subject: subject, $client: client, $session: session };
      return matching.get({ ...about, $issued: issuedAtMs }) !== undefined;
    },
  };
}

function toRevocation(row: Record<string, unknown>): Revocation {
  const { issuer, kind, value, at_ms } = row;
  return { issuer: String(issuer), kind: String(kind) as RevocationKind, value: String(value), atMs: Number(at_ms) };
}
