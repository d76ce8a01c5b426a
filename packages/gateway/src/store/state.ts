import { DatabaseSync } from 'node:sqlite';
import type { Approvals, Containments, Revisions } from '@sallyport/core';
import { type Accounts, createAccounts } from './accounts.ts';
import { createApprovalStore } from './approvals.ts';
import { type AssertionKeys, createAssertionKeys } from './assertion-keys.ts';
import { createContainments } from './containments.ts';
import { openSqlite } from './database.ts';
import { createIntentStore, endUncertainIntents, type IntentStore } from './intents.ts';
import { migrate } from './migrate.ts';
import { steps } from './migrations.ts';
import { createOAuthStore, type OAuthStore } from './oauth.ts';
import { createRevisions } from './revisions.ts';
import { createRevocations, type RevocationStore } from './revocations.ts';
import type { StateSchema } from './schema.ts';
import { createTokenStore, createVersion, type TokenStore } from './tokens.ts';
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
  /** Policies as they were and are. */
  readonly revisions: Revisions;
  /** What statements for services are signed with. */
  readonly assertionKeys: AssertionKeys;
  close(): Promise<void>;
}

/** Where the state is, and the clock for what is created in it. */
export interface StateOptions {
  /** Path of `state.db`. */
  readonly path: string;
  /** Milliseconds since the epoch. */
  readonly nowMs: () => number;
}

/** The tables that remember the steps of this schema. */
const plan = { steps, prefix: 'sallyport' };

/**
 * Opens the state database, making or migrating it if need be: 0600, in a folder that is made with 0700.
 *
 * @throws Error when it cannot be opened or was written by a newer version.
 */
export async function openState({ path, nowMs }: StateOptions): Promise<State> {
  const opened = openSqlite<StateSchema>(path);
  const { connection: database } = opened;
  const counter = new DatabaseSync(path, { open: false, timeout: 5000 });
  const close = async (): Promise<void> => {
    if (counter.isOpen) counter.close();
    await opened.close();
  };
  try {
    await migrate(opened, plan);
    await endUncertainIntents(opened.query, nowMs());
    counter.open();
    // The log is not lost when this process ends, only when the machine does.
    counter.exec('PRAGMA synchronous = NORMAL');
    counter.exec('PRAGMA trusted_schema = OFF');
    const accounts = createAccounts(database, nowMs);
    const tokens = createTokenStore(database);
    return {
      accounts,
      tokens,
      revocations: createRevocations(database, createVersion(database)),
      users: createUsers(database, nowMs),
      oauth: createOAuthStore(database),
      grants: createUpstreamGrants(database),
      intents: createIntentStore({ database, counter, tokens }),
      approvals: createApprovalStore(database),
      containments: createContainments(database),
      revisions: createRevisions(database),
      assertionKeys: createAssertionKeys(database),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
