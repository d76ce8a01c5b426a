import type { DatabaseSync } from 'node:sqlite';

/**
 * The schema of the state database, one step per version; `PRAGMA user_version` says how many were taken. A step that was
 * released is never changed, only followed by another.
 */
const steps: readonly string[] = [
  `CREATE TABLE accounts (
     id TEXT PRIMARY KEY,
     name TEXT NOT NULL UNIQUE COLLATE NOCASE,
     kind TEXT NOT NULL CHECK (kind IN ('person', 'agent', 'service', 'owner')),
     tenant TEXT,
     created_at_ms INTEGER NOT NULL,
     disabled_at_ms INTEGER
   ) STRICT;
   CREATE TABLE tokens (
     id TEXT PRIMARY KEY,
     account_id TEXT NOT NULL REFERENCES accounts (id),
     label TEXT NOT NULL,
     scopes TEXT NOT NULL CHECK (json_type(scopes) = 'array'),
     secret_hash TEXT NOT NULL CHECK (length(secret_hash) = 64),
     created_at_ms INTEGER NOT NULL,
     expires_at_ms INTEGER NOT NULL,
     revoked_at_ms INTEGER
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX tokens_by_account ON tokens (account_id);`,
  `CREATE TABLE users (
     account_id TEXT PRIMARY KEY REFERENCES accounts (id),
     password_hash TEXT NOT NULL,
     scopes TEXT NOT NULL CHECK (json_type(scopes) = 'array'),
     totp TEXT,
     totp_step INTEGER NOT NULL DEFAULT 0,
     changed_at_ms INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE oauth_records (
     model TEXT NOT NULL,
     id TEXT NOT NULL,
     grant_id TEXT,
     uid TEXT,
     payload TEXT NOT NULL,
     consumed_at_ms INTEGER,
     expires_at_ms INTEGER,
     PRIMARY KEY (model, id)
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX oauth_records_by_grant ON oauth_records (grant_id) WHERE grant_id IS NOT NULL;
   CREATE INDEX oauth_records_by_uid ON oauth_records (model, uid) WHERE uid IS NOT NULL;
   CREATE INDEX oauth_records_by_end ON oauth_records (expires_at_ms) WHERE expires_at_ms IS NOT NULL;
   CREATE TABLE oauth_keys (
     kid TEXT PRIMARY KEY,
     sealed TEXT NOT NULL,
     created_at_ms INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;`,
  `CREATE TABLE intents (
     id TEXT PRIMARY KEY,
     lineage TEXT NOT NULL CHECK (json_type(lineage) = 'array'),
     stored TEXT NOT NULL CHECK (json_type(stored) = 'object'),
     sealed_message TEXT,
     calls_left INTEGER NOT NULL CHECK (calls_left >= 0),
     asked INTEGER NOT NULL DEFAULT 0 CHECK (asked >= 0),
     created_at_ms INTEGER NOT NULL,
     expires_at_ms INTEGER NOT NULL,
     revoked_at_ms INTEGER
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX intents_by_end ON intents (expires_at_ms);`,
  `CREATE TABLE revocations (
     epoch INTEGER PRIMARY KEY AUTOINCREMENT,
     issuer TEXT NOT NULL,
     kind TEXT NOT NULL CHECK (kind IN ('token', 'subject', 'client', 'session', 'all')),
     value TEXT NOT NULL,
     at_ms INTEGER NOT NULL,
     UNIQUE (issuer, kind, value)
   ) STRICT;`,
  `CREATE TABLE assertion_keys (
     kid TEXT PRIMARY KEY,
     sealed TEXT NOT NULL,
     created_at_ms INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;`,
  `CREATE TABLE upstream_grants (
     user TEXT NOT NULL,
     upstream TEXT NOT NULL,
     issuer TEXT NOT NULL,
     sealed TEXT NOT NULL,
     scope TEXT NOT NULL,
     created_at_ms INTEGER NOT NULL,
     changed_at_ms INTEGER NOT NULL,
     PRIMARY KEY (user, upstream, issuer)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE upstream_clients (
     upstream TEXT NOT NULL,
     issuer TEXT NOT NULL,
     redirect_uri TEXT NOT NULL,
     sealed TEXT NOT NULL,
     created_at_ms INTEGER NOT NULL,
     PRIMARY KEY (upstream, issuer, redirect_uri)
   ) STRICT, WITHOUT ROWID;`,
  `CREATE TABLE credential_changes (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), count INTEGER NOT NULL) STRICT;
   INSERT INTO credential_changes VALUES (1, 0);
   ${['tokens', 'accounts']
     .flatMap((table) => ['INSERT', 'UPDATE', 'DELETE'].map((change) => counted(`${change} ON ${table}`)))
     .join('\n')}
   ${counted('INSERT ON revocations')}
   ${counted('UPDATE OF revoked_at_ms ON intents')}
   ${counted('DELETE ON intents')}`,
  `CREATE TABLE containments (
     id TEXT PRIMARY KEY,
     kind TEXT NOT NULL,
     value TEXT NOT NULL,
     reason TEXT,
     ordered_by TEXT NOT NULL,
     at_ms INTEGER NOT NULL,
     expires_at_ms INTEGER,
     lifted_by TEXT,
     lifted_at_ms INTEGER
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX containments_by_time ON containments (at_ms);
   CREATE TABLE answered (
     account TEXT NOT NULL,
     tool TEXT NOT NULL,
     at_ms INTEGER NOT NULL,
     PRIMARY KEY (account, tool)
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX answered_by_time ON answered (at_ms);
   ${counted('INSERT ON containments')}
   ${counted('UPDATE ON containments')}`,
  `CREATE TABLE approvals (
     id TEXT PRIMARY KEY,
     call_key TEXT NOT NULL,
     binding_key TEXT NOT NULL,
     state TEXT NOT NULL CHECK (
       state IN ('pending', 'granted', 'reserved', 'asked', 'spent', 'rejected', 'withdrawn', 'expired')),
     reserved_from TEXT,
     told INTEGER NOT NULL,
     account TEXT NOT NULL,
     tool TEXT NOT NULL,
     tenant TEXT,
     binding TEXT NOT NULL CHECK (json_type(binding) = 'object'),
     policies TEXT NOT NULL CHECK (json_type(policies) = 'array'),
     call_id TEXT NOT NULL,
     votes TEXT NOT NULL CHECK (json_type(votes) = 'array'),
     sealed TEXT NOT NULL,
     created_at_ms INTEGER NOT NULL,
     expires_at_ms INTEGER NOT NULL,
     changed_at_ms INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX approvals_by_call ON approvals (call_key);
   CREATE INDEX approvals_by_time ON approvals (created_at_ms);
   CREATE INDEX approvals_by_end ON approvals (expires_at_ms) WHERE state IN ('pending', 'granted', 'asked');
   CREATE INDEX approvals_pending ON approvals (account) WHERE state = 'pending';`,
  `CREATE TABLE policy_revisions (
     id TEXT PRIMARY KEY,
     files TEXT NOT NULL CHECK (json_type(files) = 'array'),
     settings TEXT NOT NULL,
     retired INTEGER NOT NULL DEFAULT 0
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE policy_changes (
     seq INTEGER PRIMARY KEY AUTOINCREMENT,
     revision TEXT NOT NULL REFERENCES policy_revisions (id),
     before TEXT,
     kind TEXT NOT NULL CHECK (kind IN ('load', 'rollback')),
     changed_by TEXT NOT NULL,
     at_ms INTEGER NOT NULL,
     reason TEXT
   ) STRICT;`,
];

/** Counts a kind of change after which a credential that was good may be none, whoever makes it. */
function counted(change: string): string {
  const name = `count_${change.toLowerCase().replaceAll(' ', '_')}`;
  return `CREATE TRIGGER ${name} AFTER ${change} BEGIN UPDATE credential_changes SET count = count + 1; END;`;
}

/** The newest schema this program knows. */
export const schemaVersion: number = steps.length;

/**
 * Brings a database to the newest schema. Safe when several processes open it at once: one of them does it.
 *
 * @throws Error when the database was written by a newer program; nothing is touched then.
 */
export function migrate(database: DatabaseSync, path: string): void {
  if (versionOf(database, path) === schemaVersion) return;
  database.exec('BEGIN IMMEDIATE');
  try {
    // Asked again under the lock: another process may have migrated while this one waited.
    for (const step of steps.slice(versionOf(database, path))) database.exec(step);
    database.exec(`PRAGMA user_version = ${schemaVersion}`);
    database.exec('COMMIT');
  } catch (error) {
    database.exec('ROLLBACK');
    throw error;
  }
}

function versionOf(database: DatabaseSync, path: string): number {
  const version = Number(database.prepare('PRAGMA user_version').get()?.user_version);
  if (version > schemaVersion) {
    throw new Error(
      `${path} was written by a newer version of Sallyport (schema ${version}; this one knows ${schemaVersion}). ` +
        'Upgrade Sallyport, or use another data folder.',
    );
  }
  return version;
}
