import { noPostgres, type PostgresServer, startPostgres } from '@sallyport/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type KillReport, killRepeatedly } from './kill.fuzz.ts';

function expectWhole({ missing, verifications, acknowledged, kills }: KillReport, killed: number): void {
  expect(kills).toBe(killed);
  expect(missing).toEqual([]);
  expect(verifications.map(({ findings }) => findings)).toEqual(verifications.map(() => []));
  expect(acknowledged).toBeGreaterThan(10 * killed);
}

it('an audit log whose process is killed ten times has every record that was acknowledged, and verifies', async () => {
  expectWhole(await killRepeatedly(10), 10);
});

describe.skipIf(noPostgres !== undefined)('in PostgreSQL', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.close());

  it('the same holds for twenty kills', async () => {
    expectWhole(await killRepeatedly(20, await server.createDatabase()), 20);
  });
});
