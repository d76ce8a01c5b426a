import { DatabaseSync } from 'node:sqlite';
import type { AuditRecord, CallId } from '@sallyport/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openChain } from './chain.ts';
import { writeCheckpointFile } from './checkpoint-file.ts';
import { type Cell, pack } from './entry.ts';
import { type AuditFilter, matches } from './filter.ts';
import { openAuditLog } from './log.ts';
import { answered, logFolder, silent, someKeys, stranger } from './record.fuzz.ts';
import { findAudit, searchAudit } from './search.ts';
import { rowsPerSegment } from './segment.ts';
import { verifyAudit } from './verify.ts';

/** Rows of two whole segments, and of one that is not complete. */
const rows = 2 * rowsPerSegment + 500;

function recordAt(at: number): AuditRecord {
  const { request: _, argumentsText: __, ...plain } = answered();
  const base: AuditRecord = {
    ...plain,
    callId: `call-${at}` as CallId,
    traceId: `trace-${Math.floor(at / 3)}`,
    timeMs: 1_000_000 + at * 10,
    subject: `user-${at % 7}`,
    tool: at % 100 === 0 ? 'posts.Seldom' : 'posts.Often',
    policies: at % 2 === 0 ? ['even', 'scopes'] : ['scopes'],
  };
  if (at % 1000 === 7) return { ...base, outcome: 'refused', reason: 'rate_limited', code: 'resource_exhausted' };
  if (at % 5000 === 11) return { ...base, approval: 'apr_1', obligations: ['approve'] };
  if (at % 6000 === 13) return { ...base, shadow: { effect: 'deny', policies: ['trial'] } };
  if (at % 3000 === 15) return { ...base, risk: { score: 45 + (at % 2), factors: {} } };
  if (at % 9000 === 17) return { ...base, intent: { id: 'int_1', messageDigest: '00' } };
  return at % 4000 === 19 ? stranger('192.0.2.1', 'credential_invalid', 1_000_000 + at * 10) : base;
}

const filters: readonly AuditFilter[] = [
  {},
  { callId: 'call-3' },
  { callId: 'call-nobody' },
  { traceId: 'trace-5461' },
  { tool: 'posts.Seldom' },
  { tool: 'posts.Seldom', subject: 'user-3' },
  { tool: 'posts.Often', subject: 'user-3', reason: 'rate_limited' },
  { outcome: 'refused' },
  { reason: 'credential_invalid' },
  { policy: 'even', outcome: 'refused' },
  { policy: 'trial' },
  { shadow: 'deny' },
  { shadow: 'permit' },
  { approval: 'apr_1' },
  { obligation: 'approve', subject: 'user-1' },
  { intent: 'int_1' },
  { minRisk: 46 },
  { minRisk: 40, subject: 'user-1' },
  { minRisk: 51 },
  { sinceMs: 1_100_000, untilMs: 1_100_500 },
  { subject: 'user-5', sinceMs: 1_163_000, untilMs: 1_164_500 },
  { outcome: 'refused', untilMs: 1_010_000 },
];

describe('a log that is indexed', { timeout: 60_000 }, () => {
  const place = logFolder();
  const keys = someKeys();
  const records = Array.from({ length: rows }, (_, at) => recordAt(at));
  beforeAll(async () => {
    const chain = await openChain({ path: place.path, keys });
    for (let at = 0; at < rows; at += 1000) {
      const cells: Cell[] = [];
      for (const record of records.slice(at, at + 1000)) pack(record, cells, () => '');
      chain.commit([cells]);
    }
    await writeCheckpointFile(place.path, chain.checkpoint(1, false));
    chain.close();
  });
  afterAll(() => place.remove());

  const known = new Map<AuditFilter, readonly number[]>();
  const expected = (filter: AuditFilter): readonly number[] => {
    const rows =
      known.get(filter) ?? records.flatMap((record, at) => (matches(record as never, filter) ? [at + 1] : []));
    known.set(filter, rows);
    return rows.toReversed();
  };
  const found = async (filter: AuditFilter, limit = rows) =>
    (await searchAudit(place.path, filter, { limit })).map(({ seq }) => seq);
  const segments = () => {
    const db = new DatabaseSync(place.path, { readOnly: true });
    const count = db.prepare('SELECT count(*) AS count FROM segments').get()?.count;
    db.close();
    return count;
  };

  it('finds the same rows before it is indexed, when it is in part, and after that', async () => {
    expect(segments()).toBe(0);
    const seldom = filters.slice(1).filter((filter) => expected(filter).length < 1000);
    for (const filter of seldom) expect(await found(filter), JSON.stringify(filter)).toEqual(expected(filter));
    for (const wanted of [1, 2]) {
      const chain = await openChain({ path: place.path, keys });
      while (segments() !== wanted) chain.index();
      chain.close();
      for (const filter of seldom) expect(await found(filter), JSON.stringify(filter)).toEqual(expected(filter));
    }
  });

  it('finds the newest first, page by page, each once', async () => {
    for (const filter of filters) {
      const all = expected(filter).slice(0, 300);
      const pages: number[] = [];
      let before: string | undefined;
      do {
        const page = await findAudit(place.path, filter, { limit: 50, ...(before !== undefined && { before }) });
        pages.push(...page.rows.map(({ seq }) => seq));
        before = page.next;
      } while (before !== undefined && pages.length < 300);
      expect(pages, JSON.stringify(filter)).toEqual(all);
    }
  });

  it('says what a page is taken from when it is no page', async () => {
    await expect(findAudit(place.path, {}, { before: 'yesterday' })).rejects.toThrow('"yesterday" is not where a page');
  });

  it('that was begun before there was an index is read as it is, and indexed by whoever opens it', async () => {
    const old = new DatabaseSync(place.path);
    old.exec('DROP TABLE segments; DROP TABLE postings; DROP TABLE handovers');
    old.exec('DROP INDEX audit_time; CREATE INDEX audit_time ON audit (time_ms, call_id, trace_id)');
    old.exec('DROP INDEX audit_tool; CREATE INDEX audit_tool ON audit (tool, seq)');
    old.close();
    const filter = { tool: 'posts.Seldom', subject: 'user-3' };
    expect(await found(filter)).toEqual(expected(filter));
    const log = await openAuditLog({ path: place.path, keys, log: silent });
    await expect.poll(segments, { timeout: 10_000 }).toBe(2);
    await log.close();
    expect(await found(filter)).toEqual(expected(filter));
    expect((await verifyAudit(place.path)).findings).toEqual([]);
  });

  it('is found out when it leaves something out', async () => {
    expect((await verifyAudit(place.path)).findings).toEqual([]);
    const db = new DatabaseSync(place.path);
    const chunk = db.prepare('SELECT chunk, postings FROM postings WHERE chunk = ?').get(2 ** 20 + 5);
    const postings = Buffer.from(chunk?.postings as Uint8Array);
    postings.copyWithin(0, 8);
    const change = db.prepare('UPDATE postings SET postings = ? WHERE chunk = ?');
    change.run(postings, chunk?.chunk as number);
    const { findings } = await verifyAudit(place.path);
    expect(findings).toMatchObject([{ seq: rowsPerSegment + 1, kind: 'index_mismatch' }]);
    change.run(chunk?.postings as Uint8Array, chunk?.chunk as number);
    db.close();
  });

  it('does not find what retention has emptied, and knows nothing of it in its index', async () => {
    const daysMs = 86_400_000;
    const chain = await openChain({ path: place.path, keys, retention: { recordsMs: daysMs } });
    while (chain.retain(20 * daysMs, rows + 1000));
    chain.close();
    expect(segments()).toBe(0);
    expect(await found({ callId: 'call-3' })).toEqual([]);
    expect(await found({ tool: 'posts.Seldom' })).toEqual([]);
  });
});
