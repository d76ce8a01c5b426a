import type { Client } from 'pg';
import { postgresSchema } from './log-reader.ts';

/**
 * The tables of audit logs in PostgreSQL, in a schema of their own: those of SQLite, with the number of the log in front of every
 * key. What is large and random is never compressed or moved out of its row.
 */
const tables = `
CREATE TABLE IF NOT EXISTS meta (
  log INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  format INTEGER NOT NULL,
  log_id TEXT NOT NULL UNIQUE,
  origin TEXT NOT NULL UNIQUE,
  verifier_key TEXT NOT NULL,
  newest TEXT
);
CREATE TABLE IF NOT EXISTS audit (
  log INTEGER NOT NULL REFERENCES meta,
  seq BIGINT NOT NULL,
  call_id TEXT,
  time_ms BIGINT NOT NULL,
  kind TEXT NOT NULL,
  outcome TEXT NOT NULL,
  reason TEXT,
  subject TEXT,
  tool TEXT,
  trace_id TEXT,
  record TEXT NOT NULL,
  sealed BYTEA,
  prev_hash BYTEA NOT NULL,
  hash BYTEA NOT NULL,
  PRIMARY KEY (log, seq)
);
CREATE INDEX IF NOT EXISTS audit_time ON audit (log, time_ms);
CREATE INDEX IF NOT EXISTS audit_retention ON audit (log, seq) WHERE tool = 'sallyport.retention';
CREATE TABLE IF NOT EXISTS nodes (
  log INTEGER NOT NULL REFERENCES meta,
  height INTEGER NOT NULL,
  position BIGINT NOT NULL,
  hash BYTEA NOT NULL,
  PRIMARY KEY (log, height, position)
);
CREATE TABLE IF NOT EXISTS checkpoints (
  log INTEGER NOT NULL REFERENCES meta,
  size BIGINT NOT NULL,
  note TEXT NOT NULL,
  PRIMARY KEY (log, size)
);
CREATE TABLE IF NOT EXISTS handovers (
  log INTEGER NOT NULL REFERENCES meta,
  seq BIGINT NOT NULL,
  note TEXT NOT NULL,
  PRIMARY KEY (log, seq)
);
CREATE TABLE IF NOT EXISTS segments (
  log INTEGER NOT NULL REFERENCES meta,
  segment INTEGER NOT NULL,
  version INTEGER NOT NULL,
  min_ms BIGINT NOT NULL,
  max_ms BIGINT NOT NULL,
  directory BYTEA NOT NULL,
  PRIMARY KEY (log, segment)
);
CREATE TABLE IF NOT EXISTS postings (
  log INTEGER NOT NULL REFERENCES meta,
  chunk BIGINT NOT NULL,
  postings BYTEA NOT NULL,
  PRIMARY KEY (log, chunk)
);
ALTER TABLE postings ALTER COLUMN postings SET STORAGE PLAIN;
CREATE TABLE IF NOT EXISTS data_keys (
  log INTEGER NOT NULL REFERENCES meta,
  id BYTEA NOT NULL,
  day TEXT NOT NULL,
  tenant TEXT NOT NULL,
  wrapped BYTEA,
  destroyed_ms BIGINT,
  PRIMARY KEY (log, id)
);
CREATE UNIQUE INDEX IF NOT EXISTS data_keys_owner ON data_keys (log, tenant, day) WHERE wrapped IS NOT NULL;
`;

/** Any number that others do not lock: processes that make the tables at the same time wait for each other on it. */
const schemaLock = 7_205_759_404;

/** Makes what is not there yet. Several processes may do so at once. @throws Error when the server refuses. */
export async function makeTables(client: Client): Promise<void> {
  await client.query('BEGIN');
  try {
    await client.query('SELECT pg_advisory_xact_lock($1)', [schemaLock]);
    const { rows } = await client.query('SELECT to_regclass($1) AS found', [`${postgresSchema}.data_keys`]);
    if (rows[0]?.found === null) {
      await client.query(`CREATE SCHEMA IF NOT EXISTS ${postgresSchema}`);
      await client.query(`SET LOCAL search_path TO ${postgresSchema}`);
      await client.query(tables);
    }
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}
