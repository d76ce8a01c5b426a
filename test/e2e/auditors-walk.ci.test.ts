import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { repository } from './support/program.ts';

test('an auditor verifies a day and a call with the public key alone, and finds whatever was done to them', async () => {
  const words = ['--conditions=sallyport-source', join(repository, 'examples/blog/audit-walk/walk.ts'), '--json'];
  const { stdout } = await promisify(execFile)(process.execPath, words).catch((failed) => failed);
  const { ok, verdicts } = JSON.parse(stdout) as { ok: boolean; verdicts: { step: string; ok: boolean }[] };
  expect(verdicts.filter((verdict) => verdict.ok).map(({ step }) => step)).toEqual([
    ...['the day', 'the call', 'a fork, without a witness', 'the day, with the witness'],
  ]);
  expect(verdicts.filter((verdict) => !verdict.ok).length).toBeGreaterThanOrEqual(14);
  expect(ok).toBe(true);
});
