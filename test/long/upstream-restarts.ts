/** A minute of SIGKILL every second for each kind of server, under load; `… upstream-restarts -- 60`. Kit services also with two instances. */
import { report } from '../e2e/support/long-result.ts';
import { endAll } from '../e2e/support/program.ts';
import { type StormReport, storm } from '../e2e/support/upstream-storm.ts';
import { upstreamKinds } from '../e2e/support/upstream-world.ts';

const seconds = Number(process.argv[2] ?? 60);
const reports: StormReport[] = [];
for (const [kind, instances] of [...upstreamKinds.map((each) => [each, 1] as const), ['kit', 2] as const]) {
  try {
    reports.push(await storm({ kind, seconds, instances }));
    process.stdout.write(`${JSON.stringify(reports.at(-1))}\n`);
  } finally {
    await endAll();
  }
}
const isGood = ({ faults, verified, ends }: StormReport): boolean =>
  verified && Object.hasOwn(ends, 'answered') && Object.values(faults).every((found) => found.length === 0);
report('upstream-restarts', { seconds, reports }, reports.every(isGood));
