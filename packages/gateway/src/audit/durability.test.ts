import type { AuditRecord } from '@sallyport/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { asyncBound, type Durability, durabilityOf } from './durability.ts';
import { openAuditLog } from './log.ts';
import { answered, logFolder, silent, someKeys, stranger } from './record.fuzz.ts';
import { verifyAudit } from './verify.ts';

const rules = { reads: 'process', writes: 'disk' } as const;

describe('how durable a record has to be', () => {
  const cases: readonly (readonly [what: string, record: AuditRecord, durability: Durability])[] = [
    ['a call of a tool that reads', answered({ sideEffect: 'read' }), 'process'],
    ['a list', answered({ verb: 'list' }), 'process'],
    ['a call of a tool that writes', answered({ sideEffect: 'write' }), 'disk'],
    ['a call of a tool that destroys', answered({ sideEffect: 'destructive' }), 'disk'],
    ['a write that its service failed at', refused({ sideEffect: 'write', stage: 'dispatch' }), 'disk'],
    ['a write whose answer the filter refused', refused({ sideEffect: 'write', stage: 'filter' }), 'disk'],
    ['a write that never left', refused({ sideEffect: 'write', stage: 'authorize' }), 'process'],
    ['a read that has to be on record', answered({ sideEffect: 'read', auditRequired: true }), 'disk'],
    ['that a call is about to leave', answered({ kind: 'intent', outcome: 'intended', sideEffect: 'read' }), 'disk'],
    ['a stranger who was refused', stranger(), 'process'],
  ];
  it.each(cases)('%s', (_what, record, durability) => {
    expect(durabilityOf(record, rules)).toBe(durability);
  });

  it('is what the rules say, for reads and writes, and never less for what must be on record', () => {
    const loose = { reads: 'async', writes: 'async' } as const;
    expect(durabilityOf(answered({ sideEffect: 'write' }), loose)).toBe('async');
    expect(durabilityOf(answered({ sideEffect: 'write', auditRequired: true }), loose)).toBe('disk');
    expect(durabilityOf(answered({ kind: 'intent', outcome: 'intended' }), loose)).toBe('disk');
  });
});

describe('a log that', () => {
  let place = logFolder();
  beforeEach(() => {
    place = logFolder();
  });
  afterEach(() => place.remove());

  it('writes records of all durabilities at once keeps all of them, in one chain', async () => {
    const log = await openAuditLog({ path: place.path, keys: someKeys(), log: silent });
    const kinds = [{ sideEffect: 'read' }, { sideEffect: 'write' }, { subject: undefined }] as const;
    for (let round = 0; round < 30; round++) {
      await Promise.all(
        Array.from({ length: 30 }, (_, at) => log.append(answered(kinds[at % 3] as Partial<AuditRecord>))),
      );
    }
    await log.close();
    await expect(verifyAudit(place.path)).resolves.toMatchObject({ ok: true, rows: 900 });
  });

  it('lets nobody wait for records that may be lost, until too many could be', async () => {
    const log = await openAuditLog({
      path: place.path,
      keys: someKeys(),
      log: silent,
      durability: { reads: 'async', writes: 'async' },
    });
    let answers = 0;
    const all = Array.from({ length: asyncBound + 10 }, () => log.append(answered()).then(() => answers++));
    // Without a turn for the writer: whoever got an answer by now did not wait for it.
    await Promise.resolve();
    await Promise.resolve();
    expect(answers).toBe(asyncBound);
    await Promise.all(all);
    await log.close();
    await expect(verifyAudit(place.path)).resolves.toMatchObject({ ok: true, rows: asyncBound + 10 });
  });
});

function refused(changes: Partial<AuditRecord>): AuditRecord {
  return answered({ outcome: 'refused', code: 'unavailable', reason: 'upstream_unavailable', ...changes });
}
