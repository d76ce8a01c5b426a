/**
 * Throws changed texts at every parser of what strangers send, a minute each, with a new seed each time. What breaks a law is
 * added to the parser's corpus, where `npm test` finds it from then on. `npm run verify:long fuzz`
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { type FuzzReport, fuzz } from '@sallyport/testkit';
import { fuzzTargets as sealedTargets } from '../../packages/gateway/src/secrets/fuzz-targets.fuzz.ts';
import { fuzzTargets as wireTargets } from '../../packages/protocol/src/fuzz-targets.fuzz.ts';

const started = new Date();
const secondsEach = Number(process.argv[2] ?? 60);
const seed = started.getTime() % 2 ** 32;

const reports = [...wireTargets, ...sealedTargets].map((target): FuzzReport => {
  const end = Date.now() + secondsEach * 1000;
  const report = fuzz(target, { seed, mayGoOn: () => Date.now() < end });
  if (report.failure) writeFileSync(new URL(`found-${seed}.txt`, target.corpus), report.failure.text);
  process.stdout.write(`${JSON.stringify(report)}\n`);
  return report;
});

const folder = new URL('../../out/long/', import.meta.url);
mkdirSync(folder, { recursive: true });
const day = started.toISOString().slice(0, 10);
const result = { started: started.toISOString(), node: process.version, secondsEach, reports };
writeFileSync(new URL(`fuzz-${day}.json`, folder), `${JSON.stringify(result, undefined, 2)}\n`);
process.exitCode = reports.every(({ failure }) => failure === undefined) ? 0 : 1;
