import { describe, expect, test } from 'vitest';
import { differencesOf, type Row, totalsOf } from './compare.ts';

const row = (scenario: string, check: string, status: Row['status'] = 'SUCCESS'): Row => ({ scenario, check, status });

describe('comparing a run with the direct one', () => {
  test('equal sequences have no differences, whatever their messages say', () => {
    const direct = [row('a', 'x'), { ...row('a', 'y', 'WARNING'), message: 'port 1' }, row('b', 'x', 'SKIPPED')];
    const here = [row('a', 'x'), { ...row('a', 'y', 'WARNING'), message: 'port 2' }, row('b', 'x', 'SKIPPED')];
    expect(differencesOf(direct, here)).toEqual([]);
  });

  test('another status differs, also between two that both count as good', () => {
    expect(differencesOf([row('a', 'x', 'INFO')], [row('a', 'x', 'SUCCESS')])).toEqual([
      { scenario: 'a', check: 'x', direct: 'INFO', here: 'SUCCESS' },
    ]);
  });

  test('one check too many is one difference and not all that follow', () => {
    const direct = [row('a', 'x'), row('a', 'y'), row('a', 'z')];
    const here = [row('a', 'x'), row('a', 'x'), row('a', 'y'), row('a', 'z')];
    expect(differencesOf(direct, here)).toEqual([{ scenario: 'a', check: 'x', here: 'SUCCESS' }]);
  });

  test('checks in another order differ', () => {
    expect(differencesOf([row('a', 'x'), row('a', 'y')], [row('a', 'y'), row('a', 'x')])).not.toEqual([]);
  });

  test('scenarios in another order differ', () => {
    expect(differencesOf([row('a', 'x'), row('b', 'x')], [row('b', 'x'), row('a', 'x')])).not.toEqual([]);
  });

  test('a scenario that did not run is told check by check', () => {
    expect(differencesOf([row('a', 'x'), row('b', 'x')], [row('a', 'x')])).toEqual([
      { scenario: 'b', check: 'x', direct: 'SUCCESS' },
    ]);
  });

  test('totals count every status', () => {
    const rows = [row('a', 'x'), row('a', 'y', 'FAILURE'), row('a', 'z', 'INFO'), row('b', 'x', 'SKIPPED')];
    expect(totalsOf(rows)).toEqual({ checks: 4, passed: 1, failed: 1, warnings: 0, skipped: 1, info: 1 });
  });
});
