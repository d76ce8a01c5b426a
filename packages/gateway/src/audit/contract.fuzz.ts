import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AuditLogDamaged } from './damaged.ts';
import { exportEvidence, verifyEvidence } from './evidence.ts';
import { type AuditLogOptions, openAuditLog } from './log.ts';
import { proveCall, verifyProof } from './proof.ts';
import { auditVerifierKey, openSealed } from './reader.ts';
import { answered, collected, silent, someKeys, stranger } from './record.fuzz.ts';
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

/** What every log does, whichever database it is in. */
export function describeLog(kind: string, makePlace: () => Promise<LogPlace>): void {
  describe(`an audit log in ${kind}`, () => {
    const keys = someKeys();
    let place: LogPlace;
    beforeEach(async () => {
      place = await makePlace();
    });
    afterEach(() => place.remove());
    const open = (more: Partial<AuditLogOptions> = {}) =>
      openAuditLog({ path: place.path, keys, log: silent, ...more });
    const trusted = async () => ({ keys: [await auditVerifierKey(place.path, keys)] });
    const written = async (count: number, more: Partial<AuditLogOptions> = {}) => {
      const log = await open(more);
      const records = Array.from({ length: count }, (_, at) =>
        answered({ subject: `user-${at % 3}`, sideEffect: at % 2 === 0 ? 'read' : 'write', timeMs: dayMs + at }),
      );
      await Promise.all(records.map((record) => log.append(record)));
      await log.close();
      return records;
    };

    it('keeps what it acknowledged, of all durabilities and lanes, in one chain that verifies', async () => {
      const log = await open();
      const records = [answered(), answered({ sideEffect: 'write' }), stranger(), answered({ auditRequired: true })];
      for (let round = 0; round < 20; round++) await Promise.all(records.map((record) => log.append(record)));
      expect(log.stats()).toMatchObject({ state: 'up', seq: 80, rejected: 0 });
      await log.close();
      const verified = await verifyAudit(place.path, await trusted());
      expect(verified).toMatchObject({ ok: true, rows: 80, findings: [], isKeyTrusted: true });
      expect(verified.checkpoints).toBeGreaterThan(0);
    });

    it('goes on where it ended, and finds, follows and exports what it has', async () => {
      await written(30);
      await written(300);
      await expect(verifyAudit(place.path)).resolves.toMatchObject({ ok: true, rows: 330 });
      const of = (rows: readonly { seq: number }[]) => rows.map(({ seq }) => seq);
      const found = await searchAudit(place.path, { subject: 'user-1' }, { limit: 1000 });
      expect(found).toHaveLength(110);
      expect(of(found)).toEqual(of(found).toSorted((a, b) => b - a));
      const first = await findAudit(place.path, { subject: 'user-1' }, { limit: 60 });
      const second = await findAudit(place.path, { subject: 'user-1' }, { limit: 60, before: first.next ?? '' });
      expect([...of(first.rows), ...of(second.rows)]).toEqual(of(found));
      expect(second.next).toBeUndefined();
      const source = { host: 'gate', version: '1' };
      expect(await collected(exportAudit(place.path, { source, afterSeq: 300 }))).toHaveLength(30);
      const stop = new AbortController();
      for await (const { seq } of tailAudit(place.path, { last: 3, everyMs: 5, signal: stop.signal })) {
        if (seq === 330) stop.abort();
      }
    });

    it('gives evidence of a time and proofs of calls that hold with the public key alone', async () => {
      const records = await written(600);
      const { keys: trust } = await trusted();
      const lines = await collected(exportEvidence(place.path, { sinceMs: dayMs + 100, untilMs: dayMs + 500 }));
      const verified = await verifyEvidence(lines, { keys: trust });
      expect(verified.findings).toEqual([]);
      expect(verified.rows).toBeGreaterThanOrEqual(400);
      for (const at of [0, 256, 599]) {
        const proof = await proveCall(place.path, records[at]?.callId ?? '');
        expect(verifyProof(JSON.stringify(proof), trust)).toMatchObject({ ok: true });
      }
      expect(await proveCall(place.path, 'nothing')).toBeUndefined();
    });

    it('says which row was changed, dropped or cut off, and is not written to any more', async () => {
      await written(20);
      await place.change("UPDATE audit SET record = replace(record, 'user-', 'mallory-') WHERE seq = 5");
      expect((await verifyAudit(place.path)).findings).toMatchObject([{ seq: 5, kind: 'changed' }]);
      await expect(open()).rejects.toThrow(AuditLogDamaged);
      await place.change("UPDATE audit SET record = replace(record, 'mallory-', 'user-') WHERE seq = 5");
      await place.change('DELETE FROM audit WHERE seq > 17');
      expect((await verifyAudit(place.path)).findings).toMatchObject([{ seq: 18, kind: 'truncated' }]);
      await place.change('DELETE FROM audit WHERE seq = 9');
      expect((await verifyAudit(place.path)).findings[0]).toMatchObject({ seq: 9, kind: 'missing' });
      await expect(open()).rejects.toThrow(AuditLogDamaged);
    });

    it('has one writer', { timeout: 20_000 }, async () => {
      const log = await open();
      await expect(open()).rejects.toThrow('another process is writing this audit log');
      await log.append(answered());
      await log.close();
    });

    it('destroys keys of a tenant and day for good, and seals with others then', async () => {
      const log = await open();
      const record = () => answered({ tenant: 'acme', timeMs: 2 * dayMs });
      await log.append(record());
      await log.append(answered({ timeMs: 2 * dayMs }));
      await expect(log.erase({ tenant: 'acme', day: '1970-01-03' })).resolves.toBe(1);
      await log.append(record());
      await log.close();
      const rows = (await searchAudit(place.path)).reverse();
      const opened = rows.map((row) =>
        openSealed(row, { path: place.path, seal: keys.seal }).then(
          (sealed) => sealed?.argumentsText,
          (error: Error) => error.name,
        ),
      );
      const text = record().argumentsText;
      expect(await Promise.all(opened)).toEqual(['DataKeyDestroyed', text, text]);
      await expect(verifyAudit(place.path, await trusted())).resolves.toMatchObject({ ok: true });
    });

    it('takes out what was kept long enough, on record and signed for', { timeout: 20_000 }, async () => {
      await written(5);
      const log = await open({ retention: { recordsMs: 30 * dayMs, sealedMs: 30 * dayMs } });
      await expect.poll(async () => (await verifyAudit(place.path)).expired, { timeout: 10_000 }).toBe(5);
      await log.append(answered({ timeMs: Date.now() }));
      await log.close();
      await expect(verifyAudit(place.path, await trusted())).resolves.toMatchObject({ ok: true, rows: 7, expired: 5 });
      expect((await searchAudit(place.path)).map(({ seq }) => seq)).toEqual([7, 6]);
      expect(await searchAudit(place.path, { subject: 'user-1' })).toEqual([]);
      await place.change("UPDATE audit SET record = '', sealed = NULL, kind = 'expired' WHERE seq = 7");
      expect((await verifyAudit(place.path)).findings[0]).toMatchObject({ seq: 7, kind: 'changed' });
    });

    it('hands over to another signing key, on record, and whoever has the first one follows', async () => {
      const log = await open();
      await log.append(answered());
      const before = await trusted();
      const { signing } = someKeys();
      await log.handOver(signing);
      await log.append(answered());
      await log.close();
      await expect(verifyAudit(place.path, before)).resolves.toMatchObject({ ok: true, rows: 3, handovers: 1 });
      await expect(open()).rejects.toThrow('another signing key');
      await (await open({ keys: { ...keys, signing } })).close();
    });
  });
}
