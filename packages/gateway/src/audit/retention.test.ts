import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openChain } from './chain.ts';
import { type Cell, pack } from './entry.ts';
import { exportEvidence, verifyEvidence } from './evidence.ts';
import { openAuditLog } from './log.ts';
import { proveCall, verifyProof } from './proof.ts';
import { auditVerifierKey, openSealed } from './reader.ts';
import { answered, collected, logFolder, silent, someKeys } from './record.fuzz.ts';
import { searchAudit } from './search.ts';
import { verifyAudit } from './verify.ts';

const dayMs = 86_400_000;
const keys = someKeys();
const retention = { sealedMs: 90 * dayMs, recordsMs: 400 * dayMs };
let place = logFolder();

beforeEach(() => {
  place = logFolder();
});
afterEach(() => place.remove());

const open = (options: { retention?: typeof retention } = {}) =>
  openAuditLog({ path: place.path, keys, log: silent, witness: join(place.folder, 'witness'), ...options });
const daysAgo = (days: number, subject: string) => answered({ timeMs: Date.now() - days * dayMs, subject });
const old = [daysAgo(500, 'very-old'), daysAgo(401.5, 'very-old'), daysAgo(450, 'very-old')];
const records = [...old, daysAgo(399, 'old'), daysAgo(100, 'old'), daysAgo(420, 'late'), daysAgo(1, 'new')];

/** A log with all of these, which is then kept as long as the rules say. */
async function kept() {
  const first = await open();
  for (const record of records) await first.append(record);
  await first.close();
  const proof = JSON.stringify(await proveCall(place.path, records[0]!.callId));
  const log = await open({ retention });
  await expect.poll(async () => (await verifyAudit(place.path)).expired, { timeout: 10_000 }).toBe(old.length);
  await log.close();
  return proof;
}

const change = (sql: string) => {
  const db = new DatabaseSync(place.path);
  db.exec(sql);
  db.close();
};
const verify = () => verifyAudit(place.path, { witnesses: [join(place.folder, 'witness')] });
const emptying = (where: string) =>
  change(`UPDATE audit SET call_id = NULL, time_ms = -1, kind = 'expired', outcome = 'expired', reason = NULL,
    subject = NULL, tool = NULL, trace_id = NULL, record = '', sealed = NULL WHERE ${where}`);

describe('retention', () => {
  it('leaves hashes of what was kept long enough, and a log that verifies', async () => {
    await kept();
    const found = await verify();
    expect(found).toMatchObject({ ok: true, rows: 8, expired: 3, findings: [] });
    expect(found.witnessed).toBeGreaterThan(1);
    const rows = (await searchAudit(place.path)).reverse();
    expect(rows.map(({ seq }) => seq)).toEqual([4, 5, 6, 7, 8]);
    expect(rows.at(-1)?.record).toMatchObject({ tool: 'sallyport.retention', retention: { through: 3, keys: 6 } });
    expect(await searchAudit(place.path, { intent: 'none' })).toEqual([]);
    const holding = readdirSync(place.folder).filter((name) =>
      readFileSync(join(place.folder, name)).includes('very-old'),
    );
    expect(holding).toEqual([]);
  });

  it('destroys the keys of what was sealed long enough ago, and of nothing else', async () => {
    await kept();
    const opens = [
      ...(await searchAudit(place.path, { subject: 'old' })),
      ...(await searchAudit(place.path, { subject: 'new' })),
    ];
    const names = await Promise.all(
      opens.map((row) =>
        openSealed(row, { ...keys, path: place.path }).then(
          (sealed) => sealed?.argumentsText,
          (error: Error) => error.name,
        ),
      ),
    );
    expect(names).toEqual(['DataKeyDestroyed', 'DataKeyDestroyed', '{"title":"Hello"}']);
  });

  it('goes on: the log is opened again, and nothing more is put on record', async () => {
    await kept();
    const log = await open({ retention });
    await log.append(answered());
    await log.close();
    await expect(verify()).resolves.toMatchObject({ ok: true, rows: 9, expired: 3 });
  });

  it('keeps proofs good, old and new ones, and lets what is left be exported', async () => {
    const proof = await kept();
    const key = await auditVerifierKey(place.path, keys);
    expect(verifyProof(proof, [key])).toMatchObject({ ok: true });
    expect(await proveCall(place.path, records[0]!.callId)).toBeUndefined();
    expect(verifyProof(JSON.stringify(await proveCall(place.path, records[4]!.callId)), [key])).toMatchObject({
      ok: true,
    });
    const evidence = await collected(exportEvidence(place.path));
    await expect(verifyEvidence(evidence, { keys: [key] })).resolves.toMatchObject({ ok: true, rows: 5 });
  });

  it('is told from tampering: another row that is empty, an empty row that was changed, a limit that was moved', async () => {
    await kept();
    change('UPDATE audit SET hash = zeroblob(32) WHERE seq = 2');
    await expect(verify()).resolves.toMatchObject({ ok: false });
    place.remove();
    place = logFolder();
    await kept();
    emptying('seq = 4');
    await expect(verify()).resolves.toMatchObject({ ok: false, findings: [{ seq: 4, kind: 'changed' }] });
    change(`UPDATE audit SET record = replace(record, '"through":3', '"through":4') WHERE seq = 8`);
    const { ok, findings } = await verify();
    expect([ok, findings[0]?.seq]).toEqual([false, 8]);
  });

  it('is not believed where nobody signed for it, and not done before', async () => {
    const chain = openChain({ path: place.path, keys, retention: { recordsMs: dayMs } });
    const cells: Cell[] = [];
    const ended = records.slice(0, 6);
    for (const record of ended) pack(record, cells, () => '');
    chain.commit([cells]);
    for (const signed of [0, ended.length]) expect(chain.retain(Date.now(), signed)).toBe(true);
    expect(await searchAudit(place.path)).toHaveLength(ended.length + 1);
    expect(chain.retain(Date.now(), ended.length + 1)).toBe(false);
    expect(await searchAudit(place.path)).toHaveLength(1);
    chain.close();
    const { ok, findings } = await verifyAudit(place.path);
    expect([ok, findings[0]]).toEqual([false, expect.objectContaining({ seq: 1, kind: 'changed' })]);
  });
});
