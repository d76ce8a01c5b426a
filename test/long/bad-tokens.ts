/** A million bad tokens: the log grows by a few rows a minute, and valid calls are recorded and answered as before. */
import { floodWithBadTokens } from '../e2e/support/bad-tokens.ts';
import { report } from '../e2e/support/long-result.ts';
import { endAll } from '../e2e/support/program.ts';

const requests = Number(process.argv[2] ?? 1_000_000);
try {
  const found = await floodWithBadTokens(requests, 5_000);
  // For each reason (bad token, too many from this address) 20 rows and a count, in each window of a minute.
  const maxRows = 2 * 21 * (Math.ceil(found.seconds / 60) + 1);
  const slowdown = found.medianInFloodMs / found.medianBesideProbesMs;
  const isAnswered = Object.keys(found.valid).join() === 'answered';
  const isGood = found.told === requests && found.rows <= maxRows && slowdown < 2 && isAnswered && found.verified;
  report('bad-tokens', { ...found, maxRows, slowdown }, isGood);
} finally {
  await endAll();
}
