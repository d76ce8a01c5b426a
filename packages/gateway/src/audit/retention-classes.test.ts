import type { AuditRecord } from '@sallyport/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DataKeyDestroyed } from './data-keys.ts';
import { type OpenAuditLog, openAuditLog } from './log.ts';
import { openSealed } from './reader.ts';
import { answered, logFolder, silent, someKeys } from './record.fuzz.ts';
import type { RetentionRules } from './retention-rules.ts';
import { searchAudit } from './search.ts';
import { verifyAudit } from './verify.ts';

const dayMs = 86_400_000;
const keys = someKeys();
let place = logFolder();
let opened: OpenAuditLog[] = [];

beforeEach(() => {
  place = logFolder();
  opened = [];
});
afterEach(async () => {
  await Promise.all(opened.map((log) => log.close()));
  place.remove();
});

const open = async (retention?: RetentionRules) => {
  const log = await openAuditLog({ path: place.path, keys, log: silent, ...(retention && { retention }) });
  opened.push(log);
  return log;
};
const call = (days: number, classification: AuditRecord['classification'], tenant?: string) =>
  answered({
    timeMs: Date.now() - days * dayMs,
    subject: `${days} ${classification}`,
    ...(classification && { classification }),
    ...(tenant !== undefined && { tenant }),
  });

/** What became of the sealed part of each call: `open` or `destroyed`. */
async function sealed(): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const row of await searchAudit(place.path)) {
    if (row.record.kind === 'refusals' || row.sealed === undefined) continue;
    const what = openSealed(row, { path: place.path, seal: keys.seal }).then(
      () => 'open',
      (error: unknown) => (error instanceof DataKeyDestroyed ? 'destroyed' : String(error)),
    );
    found[String(row.record.subject)] = await what;
  }
  return found;
}

describe('retention by classification', () => {
  const rules: RetentionRules = {
    sealedMs: 90 * dayMs,
    classes: { restricted: { sealedMs: 400 * dayMs }, public: { sealedMs: 10 * dayMs } },
  };

  it('destroys what was sealed of each class in its own time, on record, and the log verifies', async () => {
    const log = await open(rules);
    const at = [500, 100, 50, 5].flatMap((days) =>
      (['public', 'internal', 'restricted', undefined] as const).map((name) => call(days, name)),
    );
    for (const record of at) await log.append(record);
    await log.close();
    await open(rules);
    await expect.poll(async () => (await searchAudit(place.path, { tool: 'sallyport.retention' })).length).toBe(1);
    await expect.poll(sealed).toEqual({
      ...{
        '500 public': 'destroyed',
        '500 internal': 'destroyed',
        '500 restricted': 'destroyed',
        '500 undefined': 'destroyed',
      },
      ...{
        '100 public': 'destroyed',
        '100 internal': 'destroyed',
        '100 restricted': 'open',
        '100 undefined': 'destroyed',
      },
      ...{ '50 public': 'destroyed', '50 internal': 'open', '50 restricted': 'open', '50 undefined': 'open' },
      ...{ '5 public': 'open', '5 internal': 'open', '5 restricted': 'open', '5 undefined': 'open' },
    });
    const [row] = await searchAudit(place.path, { tool: 'sallyport.retention' });
    const day = (days: number) => new Date(Date.now() - days * dayMs).toISOString().slice(0, 10);
    expect(row?.record).toMatchObject({
      retention: { keys: 6, sealedBefore: day(90), classes: { restricted: day(400), public: day(10) } },
    });
    await expect(verifyAudit(place.path)).resolves.toMatchObject({ ok: true });
  });

  it('goes on as for all where a class is not kept apart any more', async () => {
    const log = await open(rules);
    await log.append(call(100, 'restricted'));
    await log.close();
    await open({ sealedMs: 90 * dayMs });
    await expect.poll(sealed).toEqual({ '100 restricted': 'destroyed' });
  });

  it('keeps all records after one that is to be kept', async () => {
    const log = await open();
    for (const record of [call(500, 'internal'), call(499, 'restricted'), call(498, 'internal')])
      await log.append(record);
    await log.close();
    await open({ recordsMs: 400 * dayMs, classes: { restricted: { recordsMs: 800 * dayMs } } });
    await expect.poll(async () => (await verifyAudit(place.path)).expired, { timeout: 5_000 }).toBe(1);
    await expect(verifyAudit(place.path)).resolves.toMatchObject({ ok: true, rows: 4 });
  });

  it('does not keep what is erased for a tenant', async () => {
    const log = await open(rules);
    await log.append(call(1, 'restricted', 'acme'));
    await log.append(call(2, 'internal', 'acme'));
    await log.append(call(3, 'restricted', 'other'));
    const before = new Date(Date.now() + dayMs).toISOString().slice(0, 10);
    await expect(log.erase({ tenant: 'acme', before })).resolves.toBe(2);
    expect(await sealed()).toEqual({ '1 restricted': 'destroyed', '2 internal': 'destroyed', '3 restricted': 'open' });
  });
});
