import pg from 'pg';
import { postgresLimits } from '../store/postgres-access.ts';
import { readPostgresUrl } from '../store/postgres-url.ts';
import type { LogPlace } from './contract.fuzz.ts';
import { type PostgresAuditSource, postgresSchema } from './log-reader.ts';

/** A log in a PostgreSQL database, by the URL of the database and the name of the log. */
export function placeIn(url: string, name = 'one'): LogPlace & { readonly path: Required<PostgresAuditSource> } {
  const access = { address: readPostgresUrl(url), limits: postgresLimits };
  const change = async (sql: string): Promise<void> => {
    const client = new pg.Client(url);
    await client.connect();
    await client.query(`SET search_path TO ${postgresSchema}; ${sql}`).finally(() => client.end());
  };
  return { path: { kind: 'postgres', access, origin: `sallyport/audit/${name}` }, change, remove: () => undefined };
}
