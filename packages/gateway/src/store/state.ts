import { DatabaseSync } from 'node:sqlite';
import type { Approvals, Containments, Revisions } from '@sallyport/core';
import { type Accounts, createAccounts } from './accounts.ts';
import { type AnsweredStore, createAnsweredStore } from './answered.ts';
import { createApprovalStore } from './approvals.ts';
import { type AssertionKeys, createKeys } from './assertion-keys.ts';
import { type Changes, createSqliteChanges } from './changes.ts';
import { createContainments } from './containments.ts';
import { openPostgres, openSqlite } from './database.ts';
import { toDatabaseError } from './database-error.ts';
import { createToolDefinitions, type ToolDefinitions } from './definitions.ts';
import { createHotSqlite, type HotSqlite } from './hot-sqlite.ts';
import { createIntentStore, endUncertainIntents, type IntentStore } from './intents.ts';
import { migrate } from './migrate.ts';
import { steps } from './migrations.ts';
import { createOAuthStore, type OAuthStore } from './oauth.ts';
import { type PostgresLimits, postgresLimits } from './postgres-access.ts';
import { openPostgresChanges } from './postgres-changes.ts';
import { readPostgresUrl } from './postgres-url.ts';
import { createRevisions } from './revisions.ts';
import { createRevocations, type RevocationStore } from './revocations.ts';
import type { StateSchema } from './schema.ts';
import type { StateDatabase } from './state-database.ts';
import { createTokenStore, type TokenStore } from './tokens.ts';
import { createUpstreamGrants, type UpstreamGrants } from './upstream-grants.ts';
import { createUsers, type Users } from './users.ts';

/** What the gateway remembers between starts. Several processes may have the same one open. */
export interface State {
  readonly accounts: Accounts;
  readonly tokens: TokenStore;
  /** What was taken back of tokens of others. */
  readonly revocations: RevocationStore;
  readonly users: Users;
  /** What the authorization server keeps. */
  readonly oauth: OAuthStore;
  /** What was granted at the authorization servers of upstreams. */
  readonly grants: UpstreamGrants;
  readonly intents: IntentStore;
  readonly approvals: Approvals;
  /** What an operator blocked. */
  readonly containments: Containments;
  /** Who was ever answered by what. */
  readonly answered: AnsweredStore;
  /** Policies as they were and are. */
  readonly revisions: Revisions;
  /** Tools as they were defined. */
  readonly definitions: ToolDefinitions;
  /** What statements for services are signed with. */
  readonly assertionKeys: AssertionKeys;
  /**
   * Whether what is remembered of the state is known to be true. Never false for a file; false for a server of which nothing was
   * heard for a second.
   */
  answers(): boolean;
  /**
   * Whether the state is of gateways with these keys: the first to ask decides. Under other keys nothing in it is of use, and
   * what is added is of no use to the others.
   */
  belongsTo(keysId: string): Promise<boolean>;
  close(): Promise<void>;
}

/** Where the state is, and the clock for what is created in it. */
export type StateOptions = {
  /** Milliseconds since the epoch. */
  readonly nowMs: () => number;
} & (
  | {
      /** Path of `state.db`. */
      readonly path: string;
    }
  | { readonly postgres: PostgresPlace }
);

/** Where a PostgreSQL database is. */
export interface PostgresPlace {
  /** `postgres://user@host:5432/database`, as `postgres-url.ts` reads it. */
  readonly url: string;
  /** Asked for at each new connection; default: the one in the URL, if there is one. */
  readonly password?: () => string;
  readonly limits?: Partial<PostgresLimits>;
}

/** The tables that remember the steps of this schema. */
const plan = { steps, prefix: 'sallyport' };

/**
 * Opens the state, making or migrating it if need be. SQLite: a file of 0600, in a folder that is made with 0700.
 *
 * @throws Error when it cannot be opened or was written by a newer version; GatewayError `store_unavailable` when the server
 * does not answer.
 */
export async function openState(options: StateOptions): Promise<State> {
  const { nowMs } = options;
  return 'path' in options ? openFile(options.path, nowMs) : openServer(options.postgres, nowMs);
}

async function openFile(path: string, nowMs: () => number): Promise<State> {
  const database = openSqlite<StateSchema>(path);
  const hotConnection = new DatabaseSync(path, { open: false, timeout: 5000 });
  const close = async (): Promise<void> => {
    if (hotConnection.isOpen) hotConnection.close();
    await database.close();
  };
  try {
    await migrate(database, plan);
    await endUncertainIntents(database.query, nowMs());
    hotConnection.open();
    // The log is not lost when this process ends, only when the machine does.
    hotConnection.exec('PRAGMA synchronous = NORMAL');
    hotConnection.exec('PRAGMA trusted_schema = OFF');
    const hot = createHotSqlite(hotConnection, database);
    return { ...createStores({ database, nowMs, changes: createSqliteChanges(hotConnection), hot }), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function openServer({ url, password, limits }: PostgresPlace, nowMs: () => number): Promise<State> {
  const access = {
    address: readPostgresUrl(url),
    limits: { ...postgresLimits, ...limits },
    ...(password && { password }),
  };
  const database = await openPostgres<StateSchema>(access);
  try {
    await migrate(database, plan);
    const changes = await openPostgresChanges(access).catch((error: unknown) => {
      throw toDatabaseError(error);
    });
    return {
      ...createStores({ database, nowMs, changes }),
      close: async () => void (await Promise.all([changes.close(), database.close()])),
    };
  } catch (error) {
    await database.close();
    throw error;
  }
}

interface StoreParts {
  readonly database: StateDatabase;
  readonly nowMs: () => number;
  readonly changes: Changes;
  readonly hot?: HotSqlite;
}

function createStores({ database, nowMs, changes, hot }: StoreParts): Omit<State, 'close'> {
  const tokens = createTokenStore({ database, changes, ...(hot && { find: hot.findToken }) });
  return {
    accounts: createAccounts({ database, changes, nowMs }),
    tokens,
    revocations: createRevocations({ database, changes, ...(hot && { isRevoked: hot.isRevoked }) }),
    users: createUsers(database, nowMs),
    oauth: createOAuthStore(database),
    grants: createUpstreamGrants(database),
    intents: createIntentStore({ database, changes, tokens, ...(hot && { calls: hot.intents }) }),
    approvals: createApprovalStore(database),
    containments: createContainments({ database, changes }),
    answered: createAnsweredStore(database),
    revisions: createRevisions(database),
    definitions: createToolDefinitions(database),
    answers: changes.answers,
    belongsTo: (keysId) => belongsTo(database, keysId),
    assertionKeys: createKeys(database.query, 'assertion_keys'),
  };
}

async function belongsTo({ query }: StateDatabase, keysId: string): Promise<boolean> {
  await query
    .insertInto('store_facts')
    .values({ name: 'keys', value: keysId })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  const kept = await query.selectFrom('store_facts').select('value').where('name', '=', 'keys').executeTakeFirst();
  return kept?.value === keysId;
}
