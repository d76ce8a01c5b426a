import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OpenAuditLog, openAuditLog } from './log.ts';
import { answered, collected, logFolder, silent, someKeys, stranger } from './record.fuzz.ts';
import { type AuditFilter, exportAudit, searchAudit, tailAudit } from './search.ts';

describe('reading a log', () => {
  const place = logFolder();
  let log: OpenAuditLog;
  beforeAll(async () => {
    log = await openAuditLog({ path: place.path, keys: someKeys(), log: silent });
    for (let i = 0; i < 30; i++) {
      const base = answered({
        subject: `user-${i % 3}`,
        tool: `posts.P.T${i % 5}`,
        timeMs: 1000 + i,
        traceId: `trace-${i % 10}`,
      });
      await log.append(i % 6 === 0 ? { ...base, outcome: 'refused', reason: 'rate_limited' } : base);
    }
    await log.append(stranger('192.0.2.1', 'credential_invalid', 2000));
  });
  afterAll(async () => {
    await log.close();
    place.remove();
  });
  const numbers = async (filter: AuditFilter) => (await searchAudit(place.path, filter)).map(({ seq }) => seq);

  it('finds by subject, tool, outcome, reason, trace and time, newest first', async () => {
    expect(await numbers({ subject: 'user-1' })).toEqual([29, 26, 23, 20, 17, 14, 11, 8, 5, 2]);
    expect(await numbers({ tool: 'posts.P.T4', subject: 'user-1' })).toEqual([20, 5]);
    expect(await numbers({ outcome: 'refused' })).toEqual([31, 25, 19, 13, 7, 1]);
    expect(await numbers({ reason: 'rate_limited', sinceMs: 1010, untilMs: 1024 })).toEqual([19, 13]);
    expect(await numbers({ traceId: 'trace-3' })).toEqual([24, 14, 4]);
    expect(await numbers({ subject: "x' OR 1=1 --" })).toEqual([]);
  });

  it('reads page by page', async () => {
    const first = await searchAudit(place.path, { subject: 'user-1' }, { limit: 4 });
    const second = await searchAudit(place.path, { subject: 'user-1' }, { limit: 4, before: first.at(-1)?.seq ?? 0 });
    expect([...first, ...second].map(({ seq }) => seq)).toEqual([29, 26, 23, 20, 17, 14, 11, 8]);
  });

  it('exports each row as a line of JSON, oldest first', async () => {
    const source = { host: 'gate', version: '1' };
    const exported = (more: object) => collected(exportAudit(place.path, { source, ...more }));
    const lines = (await exported({ filter: { subject: 'user-1' } })).map(({ line }) => JSON.parse(line));
    expect(lines.map(({ seq }) => seq)).toEqual([2, 5, 8, 11, 14, 17, 20, 23, 26, 29]);
    expect(Object.keys(lines[0])).toEqual(['seq', 'hash', 'record', 'sealed']);
    expect(await exported({})).toHaveLength(31);
    expect((await exported({ afterSeq: 29, format: 'cef' })).map(({ seq }) => seq)).toEqual([30, 31]);
  });

  it('follows what is written until it is told to stop', async () => {
    const stop = new AbortController();
    const seen: number[] = [];
    for await (const { seq } of tailAudit(place.path, { last: 2, everyMs: 5, signal: stop.signal })) {
      seen.push(seq);
      if (seq === 31 || seq === 32) await log.append(answered());
      if (seq === 33) stop.abort();
    }
    expect(seen).toEqual([30, 31, 32, 33]);
  });

  it('says so when there is no log', async () => {
    await expect(searchAudit(`${place.path}.none`)).rejects.toThrow('there is no audit log');
  });
});
