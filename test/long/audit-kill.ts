/** Kills a process that writes the audit log 200 times: nothing it acknowledged may be missing, and the log must verify. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { type KillReport, killRepeatedly } from '../../packages/gateway/src/audit/kill.fuzz.ts';

const started = new Date();
const wanted = Number(process.argv[2] ?? 200);
// A new log now and then: each is verified whole after every kill.
const killsPerLog = 50;
const reports: KillReport[] = [];
for (let left = wanted; left > 0; left -= killsPerLog) {
  reports.push(await killRepeatedly(Math.min(left, killsPerLog)));
}
const sum = (what: 'kills' | 'deadBefore' | 'acknowledged' | 'rows') =>
  reports.reduce((total, report) => total + report[what], 0);
const missing = reports.flatMap((report) => report.missing);
const failed = reports.flatMap(({ verifications }) => verifications.filter(({ ok }) => !ok));
const result = {
  started: started.toISOString(),
  seconds: Math.round((Date.now() - started.getTime()) / 1000),
  node: process.version,
  kills: sum('kills'),
  deadBefore: sum('deadBefore'),
  acknowledged: sum('acknowledged'),
  rows: sum('rows'),
  missing,
  failedVerifications: failed,
};
const folder = new URL('../../out/long/', import.meta.url);
mkdirSync(folder, { recursive: true });
const day = started.toISOString().slice(0, 10);
writeFileSync(new URL(`audit-kill-${day}.json`, folder), `${JSON.stringify(result, undefined, 2)}\n`);
process.stdout.write(`${JSON.stringify(result)}\n`);
process.exitCode = result.kills === wanted && missing.length === 0 && failed.length === 0 ? 0 : 1;
