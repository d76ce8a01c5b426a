-- A state database of the schema before its steps had names, as that program wrote it.
PRAGMA foreign_keys = OFF;
CREATE TABLE accounts (
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
CREATE TABLE users (
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
CREATE TABLE oauth_keys (
     kid TEXT PRIMARY KEY,
     sealed TEXT NOT NULL,
     created_at_ms INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;
CREATE TABLE intents (
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
CREATE TABLE revocations (
     epoch INTEGER PRIMARY KEY AUTOINCREMENT,
     issuer TEXT NOT NULL,
     kind TEXT NOT NULL CHECK (kind IN ('token', 'subject', 'client', 'session', 'all')),
     value TEXT NOT NULL,
     at_ms INTEGER NOT NULL,
     UNIQUE (issuer, kind, value)
   ) STRICT;
CREATE TABLE assertion_keys (
     kid TEXT PRIMARY KEY,
     sealed TEXT NOT NULL,
     created_at_ms INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;
CREATE TABLE upstream_grants (
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
   ) STRICT, WITHOUT ROWID;
CREATE TABLE credential_changes (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), count INTEGER NOT NULL) STRICT;
INSERT INTO accounts ("id", "name", "kind", "tenant", "created_at_ms", "disabled_at_ms") VALUES ('dffa60d2-e7e0-4bd5-8c7b-53559fba3fd5', 'Alice', 'person', 'acme', 1700000000000, NULL);
INSERT INTO accounts ("id", "name", "kind", "tenant", "created_at_ms", "disabled_at_ms") VALUES ('a6c0c42e-dbc0-4b01-afd7-dd0d1a826cc2', 'bob', 'agent', NULL, 1700000000000, 1700000000600);
INSERT INTO tokens ("id", "account_id", "label", "scopes", "secret_hash", "created_at_ms", "expires_at_ms", "revoked_at_ms") VALUES ('tok1', 'dffa60d2-e7e0-4bd5-8c7b-53559fba3fd5', 'laptop', '["posts:*"]', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 1700000000000, 4000000000000, NULL);
INSERT INTO tokens ("id", "account_id", "label", "scopes", "secret_hash", "created_at_ms", "expires_at_ms", "revoked_at_ms") VALUES ('tok2', 'a6c0c42e-dbc0-4b01-afd7-dd0d1a826cc2', 'x', '[]', 'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb', 1700000000000, 4000000000000, 1700000000500);
INSERT INTO users ("account_id", "password_hash", "scopes", "totp", "totp_step", "changed_at_ms") VALUES ('dffa60d2-e7e0-4bd5-8c7b-53559fba3fd5', 'scrypt$hash', '["posts:*"]', 'sealed-totp', 42, 1700000000000);
INSERT INTO oauth_records ("model", "id", "grant_id", "uid", "payload", "consumed_at_ms", "expires_at_ms") VALUES ('Client', 'c1', NULL, NULL, 'sealed-client', NULL, NULL);
INSERT INTO oauth_records ("model", "id", "grant_id", "uid", "payload", "consumed_at_ms", "expires_at_ms") VALUES ('RefreshToken', 'r1', 'g1', 'u1', 'sealed', 1700000000700, 4000000000000);
INSERT INTO oauth_keys ("kid", "sealed", "created_at_ms") VALUES ('k1', 'sealed-key', 1700000000000);
INSERT INTO intents ("id", "lineage", "stored", "sealed_message", "calls_left", "asked", "created_at_ms", "expires_at_ms", "revoked_at_ms") VALUES ('int1', '["int1"]', '{"intent":{"id":"int1","messageDigest":"d","expiresAtMs":1700000900000,"allows":[{"intent":"int1","tools":["posts.*"],"bounds":[],"calls":3}]},"holder":{"subject":"Alice","client":"token:laptop","kind":"person","scopes":["posts:*"],"attributes":{}},"secretHash":"cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc","createdAtMs":1700000000000,"createdBy":"call1","credentialId":"tok1","vouchers":[],"tokenIds":["tok1"]}', 'sealed-message', 2, 1, 1700000000000, 1700000900000, NULL);
INSERT INTO revocations ("epoch", "issuer", "kind", "value", "at_ms") VALUES (1, 'company', 'subject', 'company:eve', 1700000000800);
INSERT INTO revocations ("epoch", "issuer", "kind", "value", "at_ms") VALUES (2, 'company', 'all', '', 1);
INSERT INTO assertion_keys ("kid", "sealed", "created_at_ms") VALUES ('ak1', 'sealed-assertion', 1700000000000);
INSERT INTO upstream_grants ("user", "upstream", "issuer", "sealed", "scope", "created_at_ms", "changed_at_ms") VALUES ('[null,"Alice"]', 'tickets', 'https://login.example', 'sealed-grant', 'a b', 1, 2);
INSERT INTO upstream_clients ("upstream", "issuer", "redirect_uri", "sealed", "created_at_ms") VALUES ('tickets', 'https://login.example', 'https://gate.example/cb', 'sealed-upstream-client', 1);
INSERT INTO credential_changes ("only_row", "count") VALUES (1, 8);
CREATE INDEX tokens_by_account ON tokens (account_id);
CREATE INDEX oauth_records_by_grant ON oauth_records (grant_id) WHERE grant_id IS NOT NULL;
CREATE INDEX oauth_records_by_uid ON oauth_records (model, uid) WHERE uid IS NOT NULL;
CREATE INDEX oauth_records_by_end ON oauth_records (expires_at_ms) WHERE expires_at_ms IS NOT NULL;
CREATE INDEX intents_by_end ON intents (expires_at_ms);
CREATE TRIGGER count_insert_on_tokens AFTER INSERT ON tokens BEGIN UPDATE credential_changes SET count = count + 1; END;
CREATE TRIGGER count_update_on_tokens AFTER UPDATE ON tokens BEGIN UPDATE credential_changes SET count = count + 1; END;
CREATE TRIGGER count_delete_on_tokens AFTER DELETE ON tokens BEGIN UPDATE credential_changes SET count = count + 1; END;
CREATE TRIGGER count_insert_on_accounts AFTER INSERT ON accounts BEGIN UPDATE credential_changes SET count = count + 1; END;
CREATE TRIGGER count_update_on_accounts AFTER UPDATE ON accounts BEGIN UPDATE credential_changes SET count = count + 1; END;
CREATE TRIGGER count_delete_on_accounts AFTER DELETE ON accounts BEGIN UPDATE credential_changes SET count = count + 1; END;
CREATE TRIGGER count_insert_on_revocations AFTER INSERT ON revocations BEGIN UPDATE credential_changes SET count = count + 1; END;
CREATE TRIGGER count_update_of_revoked_at_ms_on_intents AFTER UPDATE OF revoked_at_ms ON intents BEGIN UPDATE credential_changes SET count = count + 1; END;
CREATE TRIGGER count_delete_on_intents AFTER DELETE ON intents BEGIN UPDATE credential_changes SET count = count + 1; END;
UPDATE sqlite_sequence SET seq = 2 WHERE name = 'revocations';
PRAGMA user_version = 7;
