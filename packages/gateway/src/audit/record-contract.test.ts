import { hash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { answered, anyRecord, stranger } from './record.fuzz.ts';
import { canonical, createContractWriter, type Protected } from './record-contract.ts';
import { recordText, type StoredRecord } from './row.ts';

const rowOf = (record: Parameters<typeof recordText>[0], seq: number) => ({
  ...{ seq, hash: 'ab'.repeat(32) },
  record: JSON.parse(recordText(record)) as StoredRecord,
});

type Written = Record<string, Protected> & { readonly extensions: Record<string, Record<string, Protected>> };

/** §2.6, on an exported set. */
function verify(lines: readonly string[]): boolean {
  let previous: string | null = null;
  return lines.every((line) => {
    const { event_hash: eventHash, ...body } = JSON.parse(line) as Written;
    const isRight = hash('sha256', canonical(body), 'hex') === eventHash && body.previous_hash === previous;
    previous = String(eventHash);
    return isRight;
  });
}

function valuesIn(value: Protected): readonly Protected[] {
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(valuesIn) : [value];
}

describe('the audit record contract', () => {
  it('has the canonical form whose known answer its text gives', () => {
    const body = {
      tool_name: 'export',
      event_id: '99999999-9999-9999-9999-999999999999',
      event_type: 'tool_call',
      occurred_at: '2026-06-06T12:00:00.000Z',
      outcome: 'deferred',
      previous_hash: null,
      principal_id: 'aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa',
      extensions: {
        'runtime-security': {
          drift_status: 'confirmed',
          evidence_hash: 'sha256:b2c547e2c8f17eafc72ef5c2d4d7b6b4d0f7437ab52bae573a9af14ff5e2d9be',
          policy_id: 'example.org/runtime-drift@3',
          quarantine_decision: 'quarantine',
          severity: 'high',
        },
        'caller-governance': {
          flagged: false,
          invoked_by_principal_id: null,
          purpose_declared: 'reconcile June invoices',
          session_id: '55555555-5555-5555-5555-555555555555',
        },
      },
    };
    expect(hash('sha256', canonical(body), 'hex')).toBe(
      'f733fed9cc757165f810b778e4baba1f51a45504988e937707aaab4361b2f064',
    );
  });

  it('holds for every record: the core, strings that are protected, a chain that verifies', () => {
    fc.assert(
      fc.property(fc.array(anyRecord, { minLength: 1, maxLength: 5 }), (records) => {
        const write = createContractWriter();
        const lines = records.map((record, at) => write(rowOf(record, at + 1), 'log'));
        expect(verify(lines)).toBe(true);
        for (const line of lines) {
          const written = JSON.parse(line) as Written;
          expect(Object.keys(written).toSorted()).toEqual(
            'event_hash event_id event_type extensions occurred_at outcome previous_hash principal_id tool_name'.split(
              ' ',
            ),
          );
          expect(written.occurred_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
          expect(['allowed', 'denied', 'deferred', 'error']).toContain(written.outcome);
          expect(written.extensions['caller-governance']).toHaveProperty('purpose_declared');
          for (const value of valuesIn(written)) {
            if (typeof value !== 'string') continue;
            expect(value.isWellFormed() && value === value.normalize('NFC') && !/\p{Cc}|^ | $/u.test(value)).toBe(true);
            expect(value.length).toBeLessThanOrEqual(8192);
          }
        }
      }),
    );
  });

  it('shows when a record was changed or taken out', () => {
    const write = createContractWriter();
    const lines = [answered(), stranger(), answered()].map((record, at) => write(rowOf(record, at + 1), 'log'));
    expect(verify(lines)).toBe(true);
    expect(verify(lines.toSpliced(1, 1))).toBe(false);
    expect(verify(lines.map((line) => line.replace('"none declared"', '"another"')))).toBe(false);
  });

  it('tells what was refused from what failed and what waits', () => {
    const outcomeOf = (changes: Parameters<typeof answered>[0]) =>
      (JSON.parse(createContractWriter()(rowOf(answered(changes), 1), 'log')) as Written).outcome;
    expect(outcomeOf({})).toBe('allowed');
    expect(outcomeOf({ toolError: true })).toBe('allowed');
    expect(outcomeOf({ resultType: 'task' })).toBe('deferred');
    expect(outcomeOf({ outcome: 'suspended' })).toBe('deferred');
    expect(outcomeOf({ outcome: 'refused', code: 'permission_denied', reason: 'policy_denied' })).toBe('denied');
    expect(outcomeOf({ outcome: 'refused', code: 'internal', reason: 'internal' })).toBe('error');
  });
});
