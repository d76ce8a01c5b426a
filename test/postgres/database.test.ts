import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Database, openDatabase, ping } from '../../packages/gateway/src/store/database.ts';
import { openState } from '../../packages/gateway/src/store/index.ts';
import { postgresLimits } from '../../packages/gateway/src/store/postgres-access.ts';
import { readPostgresUrl } from '../../packages/gateway/src/store/postgres-url.ts';
import { noPostgres, type PostgresServer, startPostgres } from './server.ts';

interface Things {
  readonly things: { readonly name: string; readonly count: number };
}

const limits = { ...postgresLimits, connectMs: 1_000, statementMs: 500 };
const folder = mkdtempSync(join(tmpdir(), 'sallyport-database-'));
let server: PostgresServer;
beforeAll(async () => {
  if (noPostgres === undefined) server = await startPostgres();
});
afterAll(async () => {
  if (noPostgres === undefined) await server.close();
  rmSync(folder, { recursive: true, force: true });
});

let files = 0;
async function open(kind: 'sqlite' | 'postgres', url?: string): Promise<Database<Things>> {
  if (kind === 'sqlite') return openDatabase({ kind, path: join(folder, `${files++}.db`) });
  return openDatabase({ kind, address: readPostgresUrl(url ?? (await server.createDatabase())), limits });
}

const kinds = ['sqlite', ...(noPostgres === undefined ? (['postgres'] as const) : [])] as const;

describe.each(kinds)('a database of kind %s', (kind) => {
  it('answers, counts what was changed, and gives numbers back as numbers', async () => {
    const database = await open(kind);
    await ping(database);
    await sql`CREATE TABLE things (name TEXT PRIMARY KEY, count BIGINT NOT NULL)`.execute(database.query);
    await database.query.insertInto('things').values({ name: 'a', count: 1_700_000_000_000 }).execute();
    const updated = await database.query.updateTable('things').set({ name: 'b' }).where('name', '=', 'a').execute();
    expect(updated[0]?.numUpdatedRows).toBe(1n);
    expect(await database.query.selectFrom('things').selectAll().execute()).toEqual([
      { name: 'b', count: 1_700_000_000_000 },
    ]);
    const again = database.query.insertInto('things').values({ name: 'b', count: 2 }).returning('name').execute();
    await expect(again).rejects.toThrow();
    await database.close();
  });

  it('takes a transaction back as a whole', async () => {
    const database = await open(kind);
    await sql`CREATE TABLE things (name TEXT PRIMARY KEY, count BIGINT NOT NULL)`.execute(database.query);
    const failing = database.transact(async (query) => {
      await query.insertInto('things').values({ name: 'a', count: 1 }).execute();
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    expect(await database.query.selectFrom('things').selectAll().execute()).toEqual([]);
    await database.close();
  });
});

describe.skipIf(noPostgres !== undefined)('a PostgreSQL server', () => {
  it('that ends makes queries refuse, and is used again when it is back', async () => {
    const own = await startPostgres();
    const database = await open('postgres', await own.createDatabase());
    await ping(database);
    await own.stop();
    await expect(ping(database)).rejects.toMatchObject({ reason: 'store_unavailable' });
    await own.start();
    await ping(database);
    own.freeze();
    await expect(ping(database)).rejects.toMatchObject({ reason: 'store_unavailable' });
    own.thaw();
    await ping(database);
    await database.close();
    await own.close();
  });

  it('is asked over TCP too, and an error of it never holds the password or what was written', async () => {
    const url = await server.createDatabase();
    const tcp = await open('postgres', server.overTcp(url));
    await sql`CREATE TABLE things (name TEXT PRIMARY KEY)`.execute(tcp.query);
    const insert = () => sql`INSERT INTO things VALUES ('planted-value')`.execute(tcp.query);
    await insert();
    const taken: unknown = await insert().catch((error: unknown) => error);
    expect(taken).toMatchObject({ fault: 'exists', code: '23505' });
    await tcp.close();
    const wrong = await open('postgres', url.replace(server.password, 'planted-password'));
    const refused: unknown = await ping(wrong).catch((error: unknown) => error);
    expect(refused).toMatchObject({ reason: 'store_unavailable' });
    await wrong.close();
    for (const error of [taken, refused]) expect(said(error)).not.toMatch(/planted/);
  });
});

function said(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return [error.stack, JSON.stringify(error), said(error.cause ?? '')].join(' ');
}

describe('the URL of a PostgreSQL database', () => {
  it('asks for TLS with the whole certificate, unless the server is here', () => {
    expect(readPostgresUrl('postgres://a@db.example/b')).toEqual({
      ...{ host: 'db.example', port: 5432, user: 'a', database: 'b', tls: { checkName: true } },
    });
    expect(readPostgresUrl('postgresql://a:p%40@127.0.0.1:1/b')).toEqual({
      ...{ host: '127.0.0.1', port: 1, user: 'a', password: 'p@', database: 'b' },
    });
    expect(readPostgresUrl('postgres:///b?host=/run/pg&user=a')).toMatchObject({ host: '/run/pg', user: 'a' });
    expect(readPostgresUrl('postgres://a@db/b?sslmode=verify-ca&sslrootcert=/ca.pem').tls).toEqual({
      ...{ checkName: false, rootCertificate: '/ca.pem' },
    });
  });

  it.each([
    ['x', 'not of the form'],
    ['http://a@b/c', 'not of the form'],
    ['postgres:///b', 'names no host'],
    ['postgres://db/b', 'names no user'],
    ['postgres://a:secret@db/b?sslmode=require', 'sslmode=require'],
    ['postgres://a:secret@db/b?pool=3', '"pool"'],
    ['postgres://a:secret@db/b?sslcert=/x', 'sslcert and sslkey'],
  ])('%s is refused without saying the password', (url, words) => {
    expect(() => readPostgresUrl(url)).toThrow(words);
    expect(() => readPostgresUrl(url)).not.toThrow('secret');
  });
});

describe.skipIf(noPostgres !== undefined)('the state in PostgreSQL', () => {
  it('of a newer version is refused, and left as it is', async () => {
    const url = await server.createDatabase();
    const postgres = { url };
    await (await openState({ postgres, nowMs: Date.now })).close();
    const database = await open('postgres', url);
    await sql`INSERT INTO sallyport_migrations VALUES ('9999_later', '2100-01-01T00:00:00.000Z')`.execute(
      database.query,
    );
    await expect(openState({ postgres, nowMs: Date.now })).rejects.toThrow('written by a newer version of Sallyport');
    await database.close();
  });

  it('is in the schema that the connection says, beside those of others', async () => {
    const url = await server.createDatabase();
    const database = await open('postgres', url);
    await sql`CREATE SCHEMA one; CREATE SCHEMA two`.execute(database.query);
    await database.close();
    const [one, two] = await Promise.all(
      ['one', 'two'].map((schema) =>
        openState({ postgres: { url: `${url}&options=-c%20search_path%3D${schema}` }, nowMs: Date.now }),
      ),
    );
    await one?.accounts.create({ name: 'ada', kind: 'person' });
    expect(await two?.accounts.find('ada')).toBeUndefined();
    await Promise.all([one?.close(), two?.close()]);
  });

  it('follows a password that is changed', async () => {
    const url = await server.createDatabase();
    const database = await open('postgres', url);
    await sql`CREATE ROLE changing LOGIN PASSWORD 'first'`.execute(database.query);
    await sql`GRANT ALL ON SCHEMA public TO changing`.execute(database.query);
    const address = { ...readPostgresUrl(url), user: 'changing' };
    let password = 'first';
    const asked = await openDatabase({ kind: 'postgres', address, limits, password: () => password });
    await ping(asked);
    await sql`ALTER ROLE changing PASSWORD 'second'`.execute(database.query);
    await sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'changing'`.execute(
      database.query,
    );
    await expect.poll(() => ping(asked).then(String, String)).toContain('GatewayError');
    password = 'second';
    await expect.poll(() => ping(asked).then(String, String)).toBe('undefined');
    await asked.close();
    await database.close();
  });
});
