import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { noPostgres, type PostgresServer, startPostgres } from '../../../../test/postgres/server.ts';
import { postgresLimits } from '../store/postgres-dialect.ts';
import { readPostgresUrl } from '../store/postgres-url.ts';
import { openAuditLog } from './log.ts';
import { answered, silent, someKeys } from './record.fuzz.ts';
import { searchAudit } from './search.ts';

describe.skipIf(noPostgres !== undefined)('an audit log in PostgreSQL', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.close());
  it('keeps records', async () => {
    const access = { address: readPostgresUrl(await server.createDatabase()), limits: postgresLimits };
    const place = { kind: 'postgres', access, origin: 'sallyport/audit/one' } as const;
    const log = await openAuditLog({ path: place, keys: someKeys(), log: silent });
    await log.append(answered());
    await log.append(answered({ sideEffect: 'write' }));
    expect(await searchAudit(place)).toHaveLength(2);
    await log.close();
  });
});
