import type { DatabaseSync } from 'node:sqlite';
import type { Row } from './accounts.ts';

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
  find(user: string, upstream: string): UpstreamGrant | undefined;
  /** Adds a grant or replaces it. */
  put(grant: UpstreamGrant): void;
  /** Replaces what is sealed in a grant that is still there as it was. False: somebody changed or removed it. */
  replace(before: UpstreamGrant, after: Pick<UpstreamGrant, 'sealed' | 'changedAtMs'>): boolean;
  /** Returns whether it was there. */
  remove(name: GrantName): boolean;
  list(): readonly UpstreamGrant[];
  findClient(upstream: string, issuer: string, redirectUri: string): UpstreamClient | undefined;
  putClient(client: UpstreamClient): void;
  removeClient(upstream: string, issuer: string): void;
}

/** The grants in an open, migrated database. */
export function createUpstreamGrants(database: DatabaseSync): UpstreamGrants {
  const columns = 'user, upstream, issuer, sealed, scope, created_at_ms, changed_at_ms';
  const find = database.prepare(
    `SELECT ${columns} FROM upstream_grants WHERE user = ? AND upstream = ? ORDER BY changed_at_ms DESC LIMIT 1`,
  );
  const put = database.prepare(`INSERT OR REPLACE INTO upstream_grants (${columns}) VALUES (?, ?, ?, ?, ?, ?, ?)`);
  const replace = database.prepare(
    `UPDATE upstream_grants SET sealed = ?, changed_at_ms = ?
     WHERE user = ? AND upstream = ? AND issuer = ? AND sealed = ?`,
  );
  const remove = database.prepare('DELETE FROM upstream_grants WHERE user = ? AND upstream = ? AND issuer = ?');
  const list = database.prepare(`SELECT ${columns} FROM upstream_grants ORDER BY upstream, user, issuer`);
  const clientColumns = 'upstream, issuer, redirect_uri, sealed, created_at_ms';
  const findClient = database.prepare(
    `SELECT ${clientColumns} FROM upstream_clients WHERE upstream = ? AND issuer = ? AND redirect_uri = ?`,
  );
  const putClient = database.prepare(
    `INSERT OR REPLACE INTO upstream_clients (${clientColumns}) VALUES (?, ?, ?, ?, ?)`,
  );
  const removeClient = database.prepare('DELETE FROM upstream_clients WHERE upstream = ? AND issuer = ?');
  return {
    find: (user, upstream) => toGrant(find.get(user, upstream)),
    put({ user, upstream, issuer, sealed, scope, createdAtMs, changedAtMs }) {
      put.run(user, upstream, issuer, sealed, scope, createdAtMs, changedAtMs);
    },
    replace: ({ user, upstream, issuer, sealed }, after) =>
      replace.run(after.sealed, after.changedAtMs, user, upstream, issuer, sealed).changes === 1,
    remove: ({ user, upstream, issuer }) => remove.run(user, upstream, issuer).changes === 1,
    list: () => list.all().flatMap((row) => toGrant(row) ?? []),
    findClient: (upstream, issuer, redirectUri) => toClient(findClient.get(upstream, issuer, redirectUri)),
    putClient({ upstream, issuer, redirectUri, sealed, createdAtMs }) {
      putClient.run(upstream, issuer, redirectUri, sealed, createdAtMs);
    },
    removeClient: (upstream, issuer) => void removeClient.run(upstream, issuer),
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
