import { type Kysely, sql } from 'kysely';
import type { Changes } from './changes.ts';
import type { StateSchema } from './schema.ts';
import type { Awaitable, StateDatabase } from './state-database.ts';

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
  add(revocation: Revocation): Promise<void>;
  /** Newest first. */
  list(): Promise<readonly Revocation[]>;
  /** Changes whenever something was added, by whatever process. */
  epoch(): number;
  isRevoked(token: RevocableToken): Awaitable<boolean>;
}

/** What the store of revocations leans on. */
export interface RevocationParts {
  readonly database: StateDatabase;
  readonly changes: Pick<Changes, 'epoch' | 'seen'>;
  /** A quicker way to look, where there is one. */
  readonly isRevoked?: RevocationStore['isRevoked'];
}

/** Revocations in a database. */
export function createRevocations({ database, changes, isRevoked }: RevocationParts): RevocationStore {
  const { query } = database;
  return {
    async add({ issuer, kind, value, atMs }) {
      await database.transact(async (within) => {
        // Epochs are in the order in which they come to be seen: one transaction after the other.
        if (database.kind === 'postgres') await sql`SELECT count FROM credential_changes FOR UPDATE`.execute(within);
        await within
          .deleteFrom('revocations')
          .where('issuer', '=', issuer)
          .where('kind', '=', kind)
          .where('value', '=', value)
          .execute();
        await within.insertInto('revocations').values({ issuer, kind, value, at_ms: atMs }).execute();
      });
      await changes.seen();
    },
    async list() {
      const rows = await query
        .selectFrom('revocations')
        .select(['issuer', 'kind', 'value', 'at_ms'])
        .orderBy('epoch', 'desc')
        .execute();
      return rows.map(({ at_ms, kind, ...rest }) => ({ ...rest, kind: kind as RevocationKind, atMs: Number(at_ms) }));
    },
    epoch: changes.epoch,
    isRevoked: isRevoked ?? (async (token) => (await matching(query, token)) !== undefined),
  };
}

function matching(
  query: Kysely<StateSchema>,
  { issuer, tokenId, subject, client, session, issuedAtMs }: RevocableToken,
) {
  return query
    .selectFrom('revocations')
    .select('epoch')
    .where('issuer', '=', issuer)
    .where((row) => {
      const about = (kind: RevocationKind, value: string) =>
        row.and([row('kind', '=', kind), row('value', '=', value)]);
      return row.or([
        ...(tokenId === undefined ? [] : [about('token', tokenId)]),
        row.and([
          row('at_ms', '>=', issuedAtMs),
          row.or([
            row('kind', '=', 'all'),
            about('subject', subject),
            about('client', client),
            ...(session === undefined ? [] : [about('session', session)]),
          ]),
        ]),
      ]);
    })
    .limit(1)
    .executeTakeFirst();
}
