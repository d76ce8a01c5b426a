import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import type { JsonText } from '@sallyport/core';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AuditLogDamaged } from './chain.ts';
import { readCheckpoint } from './checkpoint.ts';
import { checkpointPath } from './checkpoint-file.ts';
import { type AuditLogOptions, openAuditLog } from './log.ts';
import { openSealed } from './reader.ts';
import { answered, anyRecord, logFolder, silent, someKeys, stranger } from './record.fuzz.ts';
import { searchAudit } from './search.ts';
import { verifyAudit } from './verify.ts';

describe('the audit log', () => {
  const keys = someKeys();
  let place = logFolder();
  let opened: Awaited<ReturnType<typeof openAuditLog>>[] = [];

  const open = async (options: Partial<AuditLogOptions> = {}) => {
    const log = await openAuditLog({ path: place.path, keys, log: silent, ...options });
    opened.push(log);
    return log;
  };
  beforeEach(() => {
    place = logFolder();
    opened = [];
  });
  afterEach(async () => {
    await Promise.all(opened.map((log) => log.close()));
    place.remove();
  });

  it('holds a record as soon as append resolves, for readers of other connections too', async () => {
    const log = await open();
    const record = answered();
    await log.append(record);
    const [row] = await searchAudit(place.path, { callId: record.callId });
    expect(row?.record).toMatchObject({ callId: record.callId, subject: 'ada', tool: record.tool });
    expect(await openSealed(row!, { ...keys, path: place.path })).toEqual({
      request: record.request,
      argumentsText: record.argumentsText,
    });
    expect(log.stats()).toMatchObject({ state: 'up', seq: 1, queuedRecords: 0, queuedBytes: 0 });
  });

  it('keeps any record so that it verifies and opens again', async () => {
    const log = await open();
    const records = fc.sample(anyRecord, 300);
    await Promise.all(records.map((record) => log.append(record)));
    await expect(verifyAudit(place.path)).resolves.toMatchObject({ ok: true, rows: 300 });
    const rows = (await searchAudit(place.path, {}, { limit: 1000 })).reverse();
    const opened = await Promise.all(rows.map((row) => openSealed(row, { ...keys, path: place.path })));
    expect(opened.map((sealed) => sealed?.argumentsText)).toEqual(records.map((each) => each.argumentsText));
  });

  it('commits what comes in one tick together, in the order it came', async () => {
    const log = await open();
    const records = Array.from({ length: 500 }, () => answered());
    await Promise.all(records.map((record) => log.append(record)));
    const rows = (await searchAudit(place.path, {}, { limit: 1000 })).reverse();
    expect(rows.map(({ record }) => record.kind !== 'refusals' && record.callId)).toEqual(records.map((r) => r.callId));
    expect(log.stats().commits).toBe(1);
  });

  it('goes on where it stopped when it is opened again', async () => {
    for (let times = 0; times < 3; times++) {
      const log = await open();
      await log.append(answered());
      await log.close();
      await expect(log.append(answered())).rejects.toMatchObject({ why: 'closed' });
    }
    await expect(verifyAudit(place.path)).resolves.toMatchObject({ ok: true, rows: 3, findings: [] });
  });

  it('writes on close what was still waiting, strangers included', async () => {
    const log = await open();
    const all = Array.from({ length: 300 }, (_, i) => log.append(i % 2 === 0 ? stranger() : answered()));
    await log.close();
    await Promise.all(all);
    await expect(verifyAudit(place.path)).resolves.toMatchObject({ ok: true, rows: 300, findings: [] });
  });

  it('shows nothing of arguments and requests to whoever has the files', async () => {
    const log = await open();
    const secret = 'planted-4f1b7c';
    const { request, ...rest } = answered({ argumentsText: `{"title":"${secret}"}` as JsonText });
    const attributes = { clearance: secret };
    const subject = { ...request!.subject, attributes };
    await log.append({ ...rest, request: { ...request!, subject, context: { ...request!.context } } });
    const context = { ...request!.context, arguments: { title: secret } };
    await log.append({ ...answered(), request: { ...request!, context } });
    await log.append({ ...stranger(), argumentsText: `{"title":"${secret}"}` as JsonText });
    const look = () => {
      for (const file of readdirSync(place.folder)) {
        expect(readFileSync(join(place.folder, file)).includes(secret), file).toBe(false);
        expect(statSync(join(place.folder, file)).mode & 0o077, file).toBe(0);
      }
    };
    look();
    await log.close();
    look();
  });

  it('refuses records beyond its bounds, takes them again later, and loses none it took', async () => {
    const log = await open({ maxQueuedRecords: 10 });
    const results = await Promise.allSettled(Array.from({ length: 15 }, () => log.append(answered())));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(10);
    expect(results.at(-1)).toMatchObject({ reason: { why: 'backlog' } });
    await log.append(answered());
    await expect(verifyAudit(place.path)).resolves.toMatchObject({ ok: true, rows: 11 });

    const small = logFolder();
    const narrow = await openAuditLog({ path: small.path, keys, log: silent, maxQueuedBytes: 5000 });
    const big = answered({ argumentsText: `{"title":"${'x'.repeat(6000)}"}` as JsonText });
    const both = await Promise.allSettled([narrow.append(big), narrow.append(answered())]);
    expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    await narrow.close();
    small.remove();
  });

  it('lets a flood of strangers delay a known caller by a portion at most', async () => {
    const log = await open();
    const order: string[] = [];
    const flood = Array.from({ length: 1000 }, () => log.append(stranger()).then(() => order.push('stranger')));
    await log.append(answered()).then(() => order.push('known'));
    expect(order.filter((who) => who === 'stranger').length).toBeLessThanOrEqual(64);
    await Promise.all(flood);
  });

  it('refuses a second writer while the first one lives', async () => {
    const log = await open();
    await expect(open()).rejects.toThrow('another process');
    await log.close();
    await open();
  });

  it('refuses to go on with a log that is not as it was left', async () => {
    const log = await open();
    await Promise.all([log.append(answered()), log.append(answered())]);
    await log.close();
    const db = new DatabaseSync(place.path);
    db.exec('DELETE FROM audit WHERE seq = 2');
    db.close();
    await expect(open()).rejects.toMatchObject({
      name: AuditLogDamaged.name,
      findings: [{ seq: 2, kind: 'truncated' }],
    });
  });

  it('refuses a log whose checkpoint was signed with another key', async () => {
    await (await open()).close();
    await expect(open({ keys: someKeys() })).rejects.toThrow('none of the given keys signed it');
  });

  it('fails what is asked of it while its writer cannot write, and goes on when it can again', async () => {
    const log = await open();
    await log.append(answered());
    const other = new DatabaseSync(place.path);
    other.exec('BEGIN IMMEDIATE');
    await expect(log.append(answered())).rejects.toMatchObject({ why: 'failed' });
    other.exec('ROLLBACK');
    other.close();
    await log.append(answered());
    await expect(verifyAudit(place.path)).resolves.toMatchObject({ ok: true, rows: 2 });
  });

  it('signs for every record soon, without waiting for the next one', async () => {
    const log = await open();
    // As many times as it takes for one to come just while a checkpoint is written.
    for (let round = 1; round <= 12; round++) {
      await log.append(answered());
      await delay(150 + round * 5);
      await log.append(answered());
    }
    const signed = () => readCheckpoint(readFileSync(checkpointPath(place.path), 'utf8')).size;
    await expect.poll(signed, { timeout: 10_000 }).toBe(24);
  });

  it('survives power loss too when asked to', async () => {
    const log = await open({ durability: { reads: 'disk' } });
    await log.append(answered());
    await log.close();
    await expect(verifyAudit(place.path)).resolves.toMatchObject({ ok: true, rows: 1, findings: [] });
  });
});
