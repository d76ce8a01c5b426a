import { DatabaseSync } from 'node:sqlite';
import { noPostgres, type PostgresServer, startPostgres } from '@sallyport/testkit';
import { afterAll, beforeAll, describe } from 'vitest';
import { describeLog } from './contract.fuzz.ts';
import { placeIn } from './postgres.fuzz.ts';
import { logFolder } from './record.fuzz.ts';

describeLog('SQLite', async () => {
  const { path, remove } = logFolder();
  const change = async (sql: string): Promise<void> => {
    const db = new DatabaseSync(path);
    db.exec(sql);
    db.close();
  };
  return { path, change, remove };
});

describe.skipIf(noPostgres !== undefined)('with a server', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.close());
  describeLog('PostgreSQL', async () => placeIn(await server.createDatabase()));
});
