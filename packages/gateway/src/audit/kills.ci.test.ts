import { expect, it } from 'vitest';
import { killRepeatedly } from './kill.fuzz.ts';

it('an audit log whose process is killed ten times has every record that was acknowledged, and verifies', async () => {
  const { kills, acknowledged, missing, verifications } = await killRepeatedly(10);
  expect(kills).toBe(10);
  expect(missing).toEqual([]);
  expect(verifications.map(({ findings }) => findings)).toEqual(verifications.map(() => []));
  expect(acknowledged).toBeGreaterThan(100);
});
