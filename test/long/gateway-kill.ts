/** Kills a gateway 200 times under load: no call whose answer was seen may be missing in the log, and the log must verify. */
import { killRounds } from '../e2e/support/kill-rounds.ts';
import { report } from '../e2e/support/long-result.ts';
import { endAll } from '../e2e/support/program.ts';

const rounds = Number(process.argv[2] ?? 200);
try {
  const found = await killRounds(rounds, (round) => {
    if (round % 10 === 0) process.stdout.write(`${round} of ${rounds} kills\n`);
  });
  report('gateway-kill', found, found.missing.length === 0 && found.verified);
} finally {
  await endAll();
}
