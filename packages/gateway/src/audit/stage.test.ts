import { setImmediate as tick } from 'node:timers/promises';
import type { AuditLog, AuditRecord, RefusalCount } from '@sallyport/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AuditLogUnavailable } from './log.ts';
import { answered, silent, stranger } from './record.fuzz.ts';
import { createRecord, type RecordOptions } from './stage.ts';
import type { ToldRecord } from './teller.ts';

type Written = AuditRecord | RefusalCount;

function keepingLog(fails: () => 'backlog' | 'down' | undefined = () => undefined) {
  const written: Written[] = [];
  const log: AuditLog = {
    append: async (record) => {
      const why = fails();
      if (why !== undefined) throw new AuditLogUnavailable(why, 'no');
      written.push(record);
    },
    close: async () => undefined,
  };
  const singles = () => written.filter((record) => record.kind !== 'refusals').length;
  const counts = () => written.filter((record) => record.kind === 'refusals');
  const counted = () => counts().reduce((sum, { count }) => sum + count, 0);
  return { log, written, singles, counts, counted };
}

function stageOn(log: AuditLog, options: Partial<RecordOptions> = {}) {
  return createRecord({ log, logger: silent, nowMs: () => 0, ...options });
}

describe('the record stage', () => {
  it('waits for the record of a known caller, and fails when it cannot be written', async () => {
    let written = (): void => undefined;
    const log: AuditLog = {
      append: () => new Promise((resolve) => (written = resolve)),
      close: async () => undefined,
    };
    let done = false;
    const recorded = stageOn(log)(answered()).then(() => (done = true));
    await tick();
    expect(done).toBe(false);
    written();
    await recorded;
    await expect(stageOn(keepingLog(() => 'backlog').log)(answered())).rejects.toThrow(AuditLogUnavailable);
    await expect(stageOn(keepingLog(() => 'down').log)(answered())).rejects.toThrow(AuditLogUnavailable);
  });

  it('records the first refusals of a peer singly and the others as one exact count per reason', async () => {
    const { log, singles, counts } = keepingLog();
    const record = stageOn(log);
    for (let time = 0; time < 100; time++) await record(stranger('192.0.2.1', 'credential_invalid', time));
    for (let time = 0; time < 30; time++) await record(stranger('192.0.2.1', 'credential_missing', time));
    await record(stranger('192.0.2.2', 'credential_invalid', 5));
    expect(singles()).toBe(41);
    await record.close();
    const shared = { schema: 1, kind: 'refusals', peer: '192.0.2.1' };
    expect(counts()).toEqual([
      { ...shared, reason: 'credential_invalid', count: 80, fromMs: 20, toMs: 99 },
      { ...shared, reason: 'credential_missing', count: 10, fromMs: 20, toMs: 29 },
    ]);
  });

  it('begins anew when the window is over', async () => {
    let now = 0;
    const { log, singles, counted } = keepingLog();
    const record = stageOn(log, { nowMs: () => now, singly: 2, windowMs: 1000 });
    for (let i = 0; i < 5; i++) await record(stranger());
    now = 1000;
    for (let i = 0; i < 5; i++) await record(stranger());
    expect(singles()).toBe(4);
    expect(counted()).toBe(3);
    await record.close();
    expect(counted()).toBe(6);
  });

  it('accounts for every refusal, for any peers, times, limits and moments without room', async () => {
    const event = fc.record({
      peer: fc.oneof(fc.ipV4(), fc.ipV6(), fc.constantFrom('192.0.2.1', '192.0.2.2', 'local', '*', 'a b')),
      reason: fc.constantFrom('credential_invalid', 'credential_missing', 'peer_limited'),
      afterMs: fc.integer({ min: -50, max: 500 }),
      full: fc.boolean(),
    });
    const limits = fc.record({
      singly: fc.integer({ min: 0, max: 3 }),
      maxSingles: fc.integer({ min: 0, max: 10 }),
      maxPeers: fc.integer({ min: 0, max: 5 }),
      windowMs: fc.integer({ min: 1, max: 2000 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(event, { maxLength: 80 }), limits, async (events, options) => {
        let now = 0;
        let full = false;
        const { log, singles, counted } = keepingLog(() => (full ? 'backlog' : undefined));
        const record = stageOn(log, { nowMs: () => now, ...options });
        for (const { peer, reason, afterMs, full: isFull } of events) {
          now += afterMs;
          full = isFull;
          await record(stranger(peer, reason as 'peer_limited', now));
        }
        full = false;
        await record.close();
        expect(singles() + counted()).toBe(events.length);
      }),
    );
  });

  it('lets a million refusals of many peers become a bounded number of records', async () => {
    const { log, written, singles, counted } = keepingLog();
    const record = stageOn(log);
    const all: Promise<void>[] = [];
    const { origin, ...rest } = stranger();
    for (let i = 0; i < 1_000_000; i++) {
      all.push(record({ ...rest, origin: { ...origin, peer: `10.${(i >> 16) & 15}.${(i >> 8) & 255}.${i & 255}` } }));
      if (all.length === 10_000) await Promise.all(all.splice(0));
    }
    await record.close();
    expect(singles()).toBe(2000);
    expect(written.length).toBeLessThanOrEqual(2000 + 10_000 + 1);
    expect(singles() + counted()).toBe(1_000_000);
  });

  it('tells the next window what it could not write, and refuses a stranger it could neither record nor count', async () => {
    let why: 'backlog' | 'down' | undefined = 'down';
    const { log, counted } = keepingLog(() => why);
    const record = stageOn(log, { singly: 1 });
    await expect(record(stranger())).rejects.toThrow(AuditLogUnavailable);
    await record(stranger());
    await record(stranger());
    await record.close();
    expect(counted()).toBe(0);
    why = undefined;
    await record.close();
    expect(counted()).toBe(2);
  });

  it('tells an embedder of each record, frozen and without arguments, and survives what the embedder throws', async () => {
    const { log } = keepingLog();
    const told: ToldRecord[] = [];
    const onRecord = (record: ToldRecord) => {
      told.push(record);
      if (told.length === 1) throw new Error('mine');
      return Promise.reject(new Error('mine too'));
    };
    const record = stageOn(log, { onRecord });
    const original = answered({ actor: { subject: 'agent', actor: { subject: 'other' } } });
    await record(original);
    expect(told).toHaveLength(0);
    await record(stranger());
    await tick();
    await tick();
    expect(told.map((each) => each.kind)).toEqual(['outcome', 'outcome']);
    expect(JSON.stringify(told)).not.toContain('Hello');
    const [first] = told as [AuditRecord];
    expect([first, first.origin, first.actor, first.actor?.actor, first.policies].every(Object.isFrozen)).toBe(true);
    expect(Object.isFrozen(original)).toBe(false);
  });
});
