import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openPostgres } from '../../packages/gateway/src/store/database.ts';
import { postgresLimits } from '../../packages/gateway/src/store/postgres-access.ts';
import { readPostgresUrl } from '../../packages/gateway/src/store/postgres-url.ts';
import { openPki, type Pki } from '../identity/pki.ts';
import { noPostgres, type PostgresServer, startPostgres } from './server.ts';

/** Whether the connection that a URL leads to is encrypted; rejects when there is none. */
async function isEncrypted(url: string): Promise<boolean> {
  const database = await openPostgres({ address: readPostgresUrl(url), limits: postgresLimits });
  try {
    const asked = sql<{ readonly ssl: boolean }>`SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()`;
    return (await asked.execute(database.query)).rows[0]?.ssl === true;
  } catch (error) {
    throw error instanceof Error && error.cause instanceof Error ? error.cause : error;
  } finally {
    await database.close();
  }
}

describe.skipIf(noPostgres !== undefined)('TLS to a PostgreSQL server', () => {
  let pki: Pki;
  let server: PostgresServer;
  let other: PostgresServer;
  let url: string;
  let otherUrl: string;
  beforeAll(async () => {
    pki = openPki();
    server = await startPostgres({ tls: pki.issue('db', 'DNS:localhost') });
    url = server.overTcp(await server.createDatabase());
    other = await startPostgres({ tls: pki.issue('other', 'IP:127.0.0.1') });
    otherUrl = other.overTcp(await other.createDatabase());
  });
  afterAll(async () => {
    await server.close();
    await other.close();
    pki.close();
  });
  const named = () => url.replace('127.0.0.1', 'localhost');

  it('is spoken where the certificate is of an authority that is named, and of the server', async () => {
    expect(await isEncrypted(`${named()}?sslmode=verify-full&sslrootcert=${pki.caFile}`)).toBe(true);
    expect(await isEncrypted(`${otherUrl}?sslmode=verify-full&sslrootcert=${pki.caFile}`)).toBe(true);
    expect(await isEncrypted(`${url}?sslmode=verify-ca&sslrootcert=${pki.caFile}`)).toBe(true);
    expect(await isEncrypted(`${url}?sslmode=disable`)).toBe(false);
  });

  it('is refused with a certificate of another name, or of an authority that nobody named', async () => {
    await expect(isEncrypted(`${url}?sslmode=verify-full&sslrootcert=${pki.caFile}`)).rejects.toThrow('altnames');
    await expect(isEncrypted(`${named()}?sslmode=verify-full`)).rejects.toThrow('certificate');
    await expect(isEncrypted(`${named()}?sslmode=verify-ca`)).rejects.toThrow('certificate');
  });

  it('is asked for, and not done without, of a server that speaks none', async () => {
    const plain = await startPostgres();
    const plainUrl = plain.overTcp(await plain.createDatabase());
    await expect(isEncrypted(`${plainUrl}?sslmode=verify-ca&sslrootcert=${pki.caFile}`)).rejects.toThrow('SSL');
    await plain.close();
  });
});
