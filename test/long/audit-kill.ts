/** Kills a process that writes the audit log 200 times: nothing it acknowledged may be missing, and the log must verify. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { killRepeatedly } from '../../packages/gateway/src/audit/kill.fuzz.ts';

const started = new Date();
const { verifications, missing, ...numbers } = await killRepeatedly(Number(process.argv[2] ?? 200));
const failed = verifications.filter(({ ok }) => !ok);
const result = {
  started: started.toISOString(),
  seconds: Math.round((Date.now() - started.getTime()) / 1000),
  node: process.version,
  ...numbers,
  missing,
  failedVerifications: failed,
};
const folder = new URL('../../out/long/', import.meta.url);
mkdirSync(folder, { recursive: true });
const day = started.toISOString().slice(0, 10);
writeFileSync(new URL(`audit-kill-${day}.json`, folder), `${JSON.stringify(result, undefined, 2)}\n`);
process.stdout.write(`${JSON.stringify(result)}\n`);
process.exitCode = missing.length === 0 && failed.length === 0 ? 0 : 1;
