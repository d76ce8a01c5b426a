import type { SchemaWords } from './schema-words.ts';

/** One step of the schema: statements in the words of either database. */
export interface SchemaStep {
  /** What of the schema it is; with its place in front, what it is remembered by. */
  readonly name: string;
  readonly statements: (words: SchemaWords) => string;
}

/**
 * The schema of the state database. A step that was released is never changed, only followed by another at the end. SQLite
 * databases from before steps had names have their number in `PRAGMA user_version`.
 */
export const steps: readonly SchemaStep[] = [
  {
    name: 'accounts',
    statements: (w) => `CREATE TABLE accounts (
     id TEXT PRIMARY KEY,
     name TEXT NOT NULL ${w.unlikeInAnyCase},
     kind TEXT NOT NULL CHECK (kind IN ('person', 'agent', 'service', 'owner')),
     tenant TEXT,
     created_at_ms ${w.integer} NOT NULL,
     disabled_at_ms ${w.integer}
   ) ${w.strict};
   ${w.indexInAnyCase('accounts', 'name')}
   CREATE TABLE tokens (
     id TEXT PRIMARY KEY,
     account_id TEXT NOT NULL REFERENCES accounts (id),
     label TEXT NOT NULL,
     scopes TEXT NOT NULL ${w.json('scopes', 'array')},
     secret_hash TEXT NOT NULL CHECK (length(secret_hash) = 64),
     created_at_ms ${w.integer} NOT NULL,
     expires_at_ms ${w.integer} NOT NULL,
     revoked_at_ms ${w.integer}
   ) ${w.keyed};
   CREATE INDEX tokens_by_account ON tokens (account_id);`,
  },
  {
    name: 'users',
    statements: (w) => `CREATE TABLE users (
     account_id TEXT PRIMARY KEY REFERENCES accounts (id),
     password_hash TEXT NOT NULL,
     scopes TEXT NOT NULL ${w.json('scopes', 'array')},
     totp TEXT,
     totp_step ${w.integer} NOT NULL DEFAULT 0,
     changed_at_ms ${w.integer} NOT NULL
   ) ${w.keyed};
   CREATE TABLE oauth_records (
     model TEXT NOT NULL,
     id TEXT NOT NULL,
     grant_id TEXT,
     uid TEXT,
     payload TEXT NOT NULL,
     consumed_at_ms ${w.integer},
     expires_at_ms ${w.integer},
     PRIMARY KEY (model, id)
   ) ${w.keyed};
   CREATE INDEX oauth_records_by_grant ON oauth_records (grant_id) WHERE grant_id IS NOT NULL;
   CREATE INDEX oauth_records_by_uid ON oauth_records (model, uid) WHERE uid IS NOT NULL;
   CREATE INDEX oauth_records_by_end ON oauth_records (expires_at_ms) WHERE expires_at_ms IS NOT NULL;
   CREATE TABLE oauth_keys (
     kid TEXT PRIMARY KEY,
     sealed TEXT NOT NULL,
     created_at_ms ${w.integer} NOT NULL
   ) ${w.keyed};`,
  },
  {
    name: 'intents',
    statements: (w) => `CREATE TABLE intents (
     id TEXT PRIMARY KEY,
     lineage TEXT NOT NULL ${w.json('lineage', 'array')},
     stored TEXT NOT NULL ${w.json('stored', 'object')},
     sealed_message TEXT,
     calls_left ${w.integer} NOT NULL CHECK (calls_left >= 0),
     asked ${w.integer} NOT NULL DEFAULT 0 CHECK (asked >= 0),
     created_at_ms ${w.integer} NOT NULL,
     expires_at_ms ${w.integer} NOT NULL,
     revoked_at_ms ${w.integer}
   ) ${w.keyed};
   CREATE INDEX intents_by_end ON intents (expires_at_ms);`,
  },
  {
    name: 'revocations',
    statements: (w) => `CREATE TABLE revocations (
     epoch ${w.serial},
     issuer TEXT NOT NULL,
     kind TEXT NOT NULL CHECK (kind IN ('token', 'subject', 'client', 'session', 'all')),
     value TEXT NOT NULL,
     at_ms ${w.integer} NOT NULL,
     UNIQUE (issuer, kind, value)
   ) ${w.strict};`,
  },
  {
    name: 'assertion_keys',
    statements: (w) => `CREATE TABLE assertion_keys (
     kid TEXT PRIMARY KEY,
     sealed TEXT NOT NULL,
     created_at_ms ${w.integer} NOT NULL
   ) ${w.keyed};`,
  },
  {
    name: 'upstream_grants',
    statements: (w) => `CREATE TABLE upstream_grants (
     "user" TEXT NOT NULL,
     upstream TEXT NOT NULL,
     issuer TEXT NOT NULL,
     sealed TEXT NOT NULL,
     scope TEXT NOT NULL,
     created_at_ms ${w.integer} NOT NULL,
     changed_at_ms ${w.integer} NOT NULL,
     PRIMARY KEY ("user", upstream, issuer)
   ) ${w.keyed};
   CREATE TABLE upstream_clients (
     upstream TEXT NOT NULL,
     issuer TEXT NOT NULL,
     redirect_uri TEXT NOT NULL,
     sealed TEXT NOT NULL,
     created_at_ms ${w.integer} NOT NULL,
     PRIMARY KEY (upstream, issuer, redirect_uri)
   ) ${w.keyed};`,
  },
  {
    name: 'credential_changes',
    statements: (
      w,
    ) => `CREATE TABLE credential_changes (only_row ${w.integer} PRIMARY KEY CHECK (only_row = 1), count ${w.integer} NOT NULL) ${w.strict};
   INSERT INTO credential_changes VALUES (1, 0);
   ${['tokens', 'accounts']
     .flatMap((table) => ['INSERT', 'UPDATE', 'DELETE'].map((change) => w.counted(`${change} ON ${table}`)))
     .join('\n')}
   ${w.counted('INSERT ON revocations')}
   ${w.counted('UPDATE OF revoked_at_ms ON intents')}
   ${w.counted('DELETE ON intents')}`,
  },
  {
    name: 'containments',
    statements: (w) => `CREATE TABLE containments (
     id TEXT PRIMARY KEY,
     kind TEXT NOT NULL,
     value TEXT NOT NULL,
     reason TEXT,
     ordered_by TEXT NOT NULL,
     at_ms ${w.integer} NOT NULL,
     expires_at_ms ${w.integer},
     lifted_by TEXT,
     lifted_at_ms ${w.integer}
   ) ${w.keyed};
   CREATE INDEX containments_by_time ON containments (at_ms);
   CREATE TABLE answered (
     account TEXT NOT NULL,
     tool TEXT NOT NULL,
     at_ms ${w.integer} NOT NULL,
     PRIMARY KEY (account, tool)
   ) ${w.keyed};
   CREATE INDEX answered_by_time ON answered (at_ms);
   ${w.counted('INSERT ON containments')}
   ${w.counted('UPDATE ON containments')}`,
  },
  {
    name: 'approvals',
    statements: (w) => `CREATE TABLE approvals (
     id TEXT PRIMARY KEY,
     call_key TEXT NOT NULL,
     binding_key TEXT NOT NULL,
     state TEXT NOT NULL CHECK (
       state IN ('pending', 'granted', 'reserved', 'asked', 'spent', 'rejected', 'withdrawn', 'expired')),
     reserved_from TEXT,
     told ${w.integer} NOT NULL,
     account TEXT NOT NULL,
     tool TEXT NOT NULL,
     tenant TEXT,
     binding TEXT NOT NULL ${w.json('binding', 'object')},
     policies TEXT NOT NULL ${w.json('policies', 'array')},
     call_id TEXT NOT NULL,
     votes TEXT NOT NULL ${w.json('votes', 'array')},
     sealed TEXT NOT NULL,
     created_at_ms ${w.integer} NOT NULL,
     expires_at_ms ${w.integer} NOT NULL,
     changed_at_ms ${w.integer} NOT NULL
   ) ${w.keyed};
   CREATE INDEX approvals_by_call ON approvals (call_key);
   CREATE INDEX approvals_by_time ON approvals (created_at_ms);
   CREATE INDEX approvals_by_end ON approvals (expires_at_ms) WHERE state IN ('pending', 'granted', 'asked');
   CREATE INDEX approvals_pending ON approvals (account) WHERE state = 'pending';`,
  },
  {
    name: 'revisions',
    statements: (w) => `CREATE TABLE policy_revisions (
     id TEXT PRIMARY KEY,
     files TEXT NOT NULL ${w.json('files', 'array')},
     settings TEXT NOT NULL,
     retired ${w.integer} NOT NULL DEFAULT 0
   ) ${w.keyed};
   CREATE TABLE policy_changes (
     seq ${w.serial},
     revision TEXT NOT NULL REFERENCES policy_revisions (id),
     before TEXT,
     kind TEXT NOT NULL CHECK (kind IN ('load', 'rollback')),
     changed_by TEXT NOT NULL,
     at_ms ${w.integer} NOT NULL,
     reason TEXT
   ) ${w.strict};`,
  },
  {
    name: 'tool-definitions',
    statements: (w) => `CREATE TABLE tool_definitions (
     tool TEXT NOT NULL,
     definition_hash TEXT NOT NULL,
     input_schema TEXT NOT NULL ${w.json('input_schema', 'object')},
     seen_at_ms ${w.integer} NOT NULL,
     PRIMARY KEY (tool, definition_hash)
   ) ${w.keyed};`,
  },
  {
    name: 'store_facts',
    statements: (w) => `CREATE TABLE store_facts (
     name TEXT PRIMARY KEY,
     value TEXT NOT NULL
   ) ${w.keyed};`,
  },
];

/** The newest schema this program knows. */
export const schemaVersion: number = steps.length;
