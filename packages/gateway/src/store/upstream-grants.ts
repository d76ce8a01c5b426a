import type { Row } from './accounts.ts';
import { changedOne, type StateDatabase } from './state-database.ts';

/** What a user (or the owner, for all) granted to the gateway at the authorization server of an upstream. */
export interface UpstreamGrant {
  /** Whose it is; empty: the gateway's own, by its owner's consent. */
  readonly user: string;
  readonly upstream: string;
  readonly issuer: string;
  /** Sealed by whoever keeps it here: tokens. */
  readonly sealed: string;
  /** What was asked for, as OAuth writes it. */
  readonly scope: string;
  readonly createdAtMs: number;
  /** When it was renewed last. */
  readonly changedAtMs: number;
}

/** Which client the gateway is at an authorization server that it registered with. */
export interface UpstreamClient {
  readonly upstream: string;
  readonly issuer: string;
  /** Where browsers come back to: a registration is good for that only. */
  readonly redirectUri: string;
  readonly sealed: string;
  readonly createdAtMs: number;
}

/** Names one grant. */
export type GrantName = Pick<UpstreamGrant, 'user' | 'upstream' | 'issuer'>;

/** Grants and registrations at authorization servers of upstreams, sealed. */
export interface UpstreamGrants {
  /** The newest one, whoever issued it. */
  find(user: string, upstream: string): Promise<UpstreamGrant | undefined>;
  /** Adds a grant or replaces it. */
  put(grant: UpstreamGrant): Promise<void>;
  /** Replaces what is sealed in a grant that is still there as it was. False: somebody changed or removed it. */
  replace(before: UpstreamGrant, after: Pick<UpstreamGrant, 'sealed' | 'changedAtMs'>): Promise<boolean>;
  /** Returns whether it was there. */
  remove(name: GrantName): Promise<boolean>;
  list(): Promise<readonly UpstreamGrant[]>;
  findClient(upstream: string, issuer: string, redirectUri: string): Promise<UpstreamClient | undefined>;
  putClient(client: UpstreamClient): Promise<void>;
  removeClient(upstream: string, issuer: string): Promise<void>;
}

/** The grants in a database. */
export function createUpstreamGrants({ query }: StateDatabase): UpstreamGrants {
  const grants = () => query.selectFrom('upstream_grants').selectAll();
  return {
    async find(user, upstream) {
      const found = grants().where('user', '=', user).where('upstream', '=', upstream);
      return toGrant(await found.orderBy('changed_at_ms', 'desc').limit(1).executeTakeFirst());
    },
    async put({ user, upstream, issuer, sealed, scope, createdAtMs, changedAtMs }) {
      const rest = { sealed, scope, created_at_ms: createdAtMs, changed_at_ms: changedAtMs };
      await query
        .insertInto('upstream_grants')
        .values({ user, upstream, issuer, ...rest })
        .onConflict((conflict) => conflict.columns(['user', 'upstream', 'issuer']).doUpdateSet(rest))
        .execute();
    },
    async replace({ user, upstream, issuer, sealed }, after) {
      const replaced = await query
        .updateTable('upstream_grants')
        .set({ sealed: after.sealed, changed_at_ms: after.changedAtMs })
        .where('user', '=', user)
        .where('upstream', '=', upstream)
        .where('issuer', '=', issuer)
        .where('sealed', '=', sealed)
        .executeTakeFirst();
      return changedOne(replaced);
    },
    async remove({ user, upstream, issuer }) {
      const removing = query.deleteFrom('upstream_grants').where('user', '=', user).where('upstream', '=', upstream);
      return changedOne(await removing.where('issuer', '=', issuer).executeTakeFirst());
    },
    async list() {
      const rows = await grants().orderBy('upstream').orderBy('user').orderBy('issuer').execute();
      return rows.flatMap((row) => toGrant(row) ?? []);
    },
    ...createClients(query),
  };
}

function createClients(
  query: StateDatabase['query'],
): Pick<UpstreamGrants, 'findClient' | 'putClient' | 'removeClient'> {
  return {
    async findClient(upstream, issuer, redirectUri) {
      const clients = query.selectFrom('upstream_clients').selectAll().where('upstream', '=', upstream);
      const found = clients.where('issuer', '=', issuer).where('redirect_uri', '=', redirectUri);
      return toClient(await found.executeTakeFirst());
    },
    async putClient({ upstream, issuer, redirectUri, sealed, createdAtMs }) {
      const rest = { sealed, created_at_ms: createdAtMs };
      await query
        .insertInto('upstream_clients')
        .values({ upstream, issuer, redirect_uri: redirectUri, ...rest })
        .onConflict((conflict) => conflict.columns(['upstream', 'issuer', 'redirect_uri']).doUpdateSet(rest))
        .execute();
    },
    async removeClient(upstream, issuer) {
      await query
        .deleteFrom('upstream_clients')
        .where('upstream', '=', upstream)
        .where('issuer', '=', issuer)
        .execute();
    },
  };
}

function toGrant(row: Row | undefined): UpstreamGrant | undefined {
  if (row === undefined) return undefined;
  return {
    ...{ user: String(row.user), upstream: String(row.upstream), issuer: String(row.issuer) },
    ...{ sealed: String(row.sealed), scope: String(row.scope) },
    ...{ createdAtMs: Number(row.created_at_ms), changedAtMs: Number(row.changed_at_ms) },
  };
}

function toClient(row: Row | undefined): UpstreamClient | undefined {
  if (row === undefined) return undefined;
  return {
    ...{ upstream: String(row.upstream), issuer: String(row.issuer), redirectUri: String(row.redirect_uri) },
    ...{ sealed: String(row.sealed), createdAtMs: Number(row.created_at_ms) },
  };
}
