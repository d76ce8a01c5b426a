/** A million bad tokens: the log grows by a few rows in each window of ten seconds, and valid calls are recorded and answered as before. */
import { floodWithBadTokens, mostRows } from '../e2e/support/bad-tokens.ts';
import { report } from '../e2e/support/long-result.ts';
import { endAll } from '../e2e/support/program.ts';

const requests = Number(process.argv[2] ?? 1_000_000);
try {
  const found = await floodWithBadTokens(requests, 5_000);
  const maxRows = mostRows(found.seconds);
  const slowdown = found.medianInFloodMs / found.medianBesideProbesMs;
  const isAnswered = Object.keys(found.valid).join() === 'answered';
  const isGood = found.told === requests && found.rows <= maxRows && slowdown < 2 && isAnswered && found.verified;
  report('bad-tokens', { ...found, maxRows, slowdown }, isGood);
} finally {
  await endAll();
}
