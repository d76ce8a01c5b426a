import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Approvals, Containments, Revisions } from '@sallyport/core';
import { type Accounts, createAccounts } from './accounts.ts';
import { createApprovalStore } from './approvals.ts';
import { type AssertionKeys, createAssertionKeys } from './assertion-keys.ts';
import { createContainments } from './containments.ts';
import { createIntentStore, endUncertainIntents, type IntentStore } from './intents.ts';
import { migrate } from './migrations.ts';
import { createOAuthStore, type OAuthStore } from './oauth.ts';
import { createRevisions } from './revisions.ts';
import { createRevocations, type RevocationStore } from './revocations.ts';
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
  close(): void;
}

/** Where the state is, and the clock for what is created in it. */
export interface StateOptions {
  /** Path of `state.db`. */
  readonly path: string;
  /** Milliseconds since the epoch. */
  readonly nowMs: () => number;
}

/**
 * Opens the state database, making or migrating it if need be: 0600, in a folder that is made with 0700.
 *
 * @throws Error when it cannot be opened or was written by a newer version.
 */
export function openState({ path, nowMs }: StateOptions): State {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  closeSync(openSync(path, 'a', 0o600));
  // An older umask or a restored backup may have opened it up. The files SQLite puts beside it take their mode from it.
  chmodSync(path, 0o600);
  const database = new DatabaseSync(path, { enableForeignKeyConstraints: true, timeout: 5000 });
  const counter = new DatabaseSync(path, { open: false, timeout: 5000 });
  const close = (): void => {
    if (counter.isOpen) counter.close();
    database.close();
  };
  try {
    database.exec('PRAGMA journal_mode = WAL');
    // A revocation that was acknowledged must survive a power cut; writes are rare here, so that costs nothing.
    database.exec('PRAGMA synchronous = FULL');
    database.exec('PRAGMA trusted_schema = OFF');
    migrate(database, path);
    endUncertainIntents(database, nowMs());
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
    close();
    throw error;
  }
}
