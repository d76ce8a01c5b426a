import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  auditKeys,
  dataPaths,
  loadConfig,
  loadMasterKey,
  openAuditLog,
  searchAudit,
  startGateway,
  verifyAudit,
} from '@sallyport/gateway';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { answered } from '../../packages/gateway/src/audit/record.fuzz.ts';

const dayMs = 86_400_000;
const log = pino({ level: 'silent' });

test('a gateway takes out of its log what its configuration no longer wants, and the log verifies', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sp-retention-'));
  try {
    const file = join(folder, 'sallyport.yaml');
    const audit = { retention: { sealed: '30d', records: '90d' } };
    writeFileSync(file, JSON.stringify({ version: 1, listen: { port: 0 }, admin: { port: 0 }, audit }));
    const { config } = await loadConfig(file);
    mkdirSync(config.data, { mode: 0o700 });
    const path = dataPaths(config.data).audit;
    const before = await openAuditLog({ path, keys: auditKeys(loadMasterKey(config.masterKeyFile)), log });
    for (const days of [100, 50, 10]) await before.append(answered({ timeMs: Date.now() - days * dayMs }));
    await before.close();
    const gateway = await startGateway({ config, log });
    await expect.poll(async () => (await verifyAudit(path)).expired, { timeout: 10_000 }).toBe(1);
    await gateway.close();
    await expect(verifyAudit(path)).resolves.toMatchObject({ ok: true, rows: 4, expired: 1 });
    expect((await searchAudit(path))[0]?.record).toMatchObject({ retention: { through: 1, keys: 2 } });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
