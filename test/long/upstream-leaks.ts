/**
 * A thousand sessions of clients and of the server, subscriptions and cancelled calls, and half as many calls that are parked and forgotten, come and go
 * three times: nothing of them stays. `… upstream-leaks -- 1000 parked`
 */
import { report } from '../e2e/support/long-result.ts';
import { endAll } from '../e2e/support/program.ts';
import { findLeaks, goings, type LeakReport } from '../e2e/support/upstream-leaks.ts';

const times = Number(process.argv[2] ?? 1_000);
const wanted = process.argv[3] ?? '';
const reports: LeakReport[] = [];
for (const going of goings.filter(({ what }) => what.includes(wanted))) {
  try {
    const each = going.what.includes('parked') ? times / 2 : times;
    reports.push(await findLeaks(going, { times: each, rounds: 3 }));
    process.stdout.write(`${JSON.stringify(reports.at(-1))}\n`);
  } finally {
    await endAll();
  }
}
report(
  'upstream-leaks',
  { times, reports },
  reports.every(({ isGood }) => isGood),
);
