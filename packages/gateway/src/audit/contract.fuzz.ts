import type { AuditRecord } from '@sallyport/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AuditLogDamaged } from './damaged.ts';
import { exportEvidence, verifyEvidence } from './evidence.ts';
import { type AuditLogOptions, type OpenAuditLog, openAuditLog } from './log.ts';
import { proveCall, verifyProof } from './proof.ts';
import { auditVerifierKey, openSealed } from './reader.ts';
import { answered, collected, silent, someKeys, stranger } from './record.fuzz.ts';
import type { AuditKeys } from './seal.ts';
import { exportAudit, findAudit, searchAudit, tailAudit } from './search.ts';
import { verifyAudit } from './verify.ts';

/** A place for one log. */
export interface LogPlace {
  readonly path: AuditLogOptions['path'];
  /** Runs SQL on its tables, as somebody would who has got hold of the database. */
  change(sql: string): Promise<void>;
  remove(): void | Promise<void>;
}

const dayMs = 86_400_000;

/** A log of one test. */
interface Subject {
  readonly keys: AuditKeys;
  path(): AuditLogOptions['path'];
  change(sql: string): Promise<void>;
  open(more?: Partial<AuditLogOptions>): Promise<OpenAuditLog>;
  trusted(): Promise<{ readonly keys: readonly string[] }>;
  /** Writes so many records, and closes the log. */
  written(count: number): Promise<readonly AuditRecord[]>;
}

/** What every log does, whichever database it is in. */
export function describeLog(kind: string, makePlace: () => Promise<LogPlace>): void {
  describe(`an audit log in ${kind}`, () => {
    const subject = createSubject(makePlace);
    describeReading(subject);
    describeDamage(subject);
    describeEnds(subject);
  });
}

function createSubject(makePlace: () => Promise<LogPlace>): Subject {
  const keys = someKeys();
  let place: LogPlace;
  beforeEach(async () => {
    place = await makePlace();
  });
  afterEach(() => place.remove());
  const open = (more: Partial<AuditLogOptions> = {}) => openAuditLog({ path: place.path, keys, log: silent, ...more });
  return {
    ...{ keys, open, path: () => place.path, change: (sql) => place.change(sql) },
    trusted: async () => ({ keys: [await auditVerifierKey(place.path, keys)] }),
    written: async (count) => {
      const log = await open();
      const records = Array.from({ length: count }, (_, at) =>
        answered({ subject: `user-${at % 3}`, sideEffect: at % 2 === 0 ? 'read' : 'write', timeMs: dayMs + at }),
      );
      await Promise.all(records.map((record) => log.append(record)));
      await log.close();
      return records;
    },
  };
}

function describeReading({ path, open, trusted, written }: Subject): void {
  it('keeps what it acknowledged, of all durabilities and lanes, in one chain that verifies', async () => {
    const log = await open();
    const records = [answered(), answered({ sideEffect: 'write' }), stranger(), answered({ auditRequired: true })];
    for (let round = 0; round < 20; round++) await Promise.all(records.map((record) => log.append(record)));
    expect(log.stats()).toMatchObject({ state: 'up', seq: 80, rejected: 0 });
    await log.close();
    const verified = await verifyAudit(path(), await trusted());
    expect(verified).toMatchObject({ ok: true, rows: 80, findings: [], isKeyTrusted: true });
    expect(verified.checkpoints).toBeGreaterThan(0);
  });

  it('goes on where it ended, and finds, follows and exports what it has', async () => {
    await written(30);
    await written(300);
    await expect(verifyAudit(path())).resolves.toMatchObject({ ok: true, rows: 330 });
    const of = (rows: readonly { seq: number }[]) => rows.map(({ seq }) => seq);
    const found = await searchAudit(path(), { subject: 'user-1' }, { limit: 1000 });
    expect(found).toHaveLength(110);
    expect(of(found)).toEqual(of(found).toSorted((a, b) => b - a));
    const first = await findAudit(path(), { subject: 'user-1' }, { limit: 60 });
    const second = await findAudit(path(), { subject: 'user-1' }, { limit: 60, before: first.next ?? '' });
    expect([...of(first.rows), ...of(second.rows)]).toEqual(of(found));
    expect(second.next).toBeUndefined();
    const source = { host: 'gate', version: '1' };
    expect(await collected(exportAudit(path(), { source, afterSeq: 300 }))).toHaveLength(30);
    const stop = new AbortController();
    for await (const { seq } of tailAudit(path(), { last: 3, everyMs: 5, signal: stop.signal })) {
      if (seq === 330) stop.abort();
    }
  });

  it('gives evidence of a time and proofs of calls that hold with the public key alone', async () => {
    const records = await written(600);
    const { keys: trust } = await trusted();
    const lines = await collected(exportEvidence(path(), { sinceMs: dayMs + 100, untilMs: dayMs + 500 }));
    const verified = await verifyEvidence(lines, { keys: trust });
    expect(verified.findings).toEqual([]);
    expect(verified.rows).toBeGreaterThanOrEqual(400);
    for (const at of [0, 256, 599]) {
      const proof = await proveCall(path(), records[at]?.callId ?? '');
      expect(verifyProof(JSON.stringify(proof), trust)).toMatchObject({ ok: true });
    }
    expect(await proveCall(path(), 'nothing')).toBeUndefined();
  });
}

function describeDamage({ path, change, open, written }: Subject): void {
  it('says which row was changed, dropped or cut off, and is not written to any more', async () => {
    await written(20);
    await change("UPDATE audit SET record = replace(record, 'user-', 'mallory-') WHERE seq = 5");
    expect((await verifyAudit(path())).findings).toMatchObject([{ seq: 5, kind: 'changed' }]);
    await expect(open()).rejects.toThrow(AuditLogDamaged);
    await change("UPDATE audit SET record = replace(record, 'mallory-', 'user-') WHERE seq = 5");
    await change('DELETE FROM audit WHERE seq > 17');
    expect((await verifyAudit(path())).findings).toMatchObject([{ seq: 18, kind: 'truncated' }]);
    await change('DELETE FROM audit WHERE seq = 9');
    expect((await verifyAudit(path())).findings[0]).toMatchObject({ seq: 9, kind: 'missing' });
    await expect(open()).rejects.toThrow(AuditLogDamaged);
  });

  it('has one writer', { timeout: 20_000 }, async () => {
    const log = await open();
    await expect(open()).rejects.toThrow('another process is writing this audit log');
    await log.append(answered());
    await log.close();
  });
}

function describeEnds({ keys, path, change, open, trusted, written }: Subject): void {
  it('destroys keys of a tenant and day for good, and seals with others then', async () => {
    const log = await open();
    const record = () => answered({ tenant: 'acme', timeMs: 2 * dayMs });
    await log.append(record());
    await log.append(answered({ timeMs: 2 * dayMs }));
    await expect(log.erase({ tenant: 'acme', day: '1970-01-03' })).resolves.toBe(1);
    await log.append(record());
    await log.close();
    const rows = (await searchAudit(path())).reverse();
    const opened = rows.map((row) =>
      openSealed(row, { path: path(), seal: keys.seal }).then(
        (sealed) => sealed?.argumentsText,
        (error: Error) => error.name,
      ),
    );
    const text = record().argumentsText;
    expect(await Promise.all(opened)).toEqual(['DataKeyDestroyed', text, text]);
    await expect(verifyAudit(path(), await trusted())).resolves.toMatchObject({ ok: true });
  });

  it('takes out what was kept long enough, on record and signed for', { timeout: 20_000 }, async () => {
    await written(5);
    const log = await open({ retention: { recordsMs: 30 * dayMs, sealedMs: 30 * dayMs } });
    await expect.poll(async () => (await verifyAudit(path())).expired, { timeout: 10_000 }).toBe(5);
    await log.append(answered({ timeMs: Date.now() }));
    await log.close();
    await expect(verifyAudit(path(), await trusted())).resolves.toMatchObject({ ok: true, rows: 7, expired: 5 });
    expect((await searchAudit(path())).map(({ seq }) => seq)).toEqual([7, 6]);
    expect(await searchAudit(path(), { subject: 'user-1' })).toEqual([]);
    await change("UPDATE audit SET record = '', sealed = NULL, kind = 'expired' WHERE seq = 7");
    expect((await verifyAudit(path())).findings[0]).toMatchObject({ seq: 7, kind: 'changed' });
  });

  it('hands over to another signing key, on record, and whoever has the first one follows', async () => {
    const log = await open();
    await log.append(answered());
    const before = await trusted();
    const { signing } = someKeys();
    await log.handOver(signing);
    await log.append(answered());
    await log.close();
    await expect(verifyAudit(path(), before)).resolves.toMatchObject({ ok: true, rows: 3, handovers: 1 });
    await expect(open()).rejects.toThrow('another signing key');
    await (await open({ keys: { ...keys, signing } })).close();
  });
}
