/**
 * A million random cases of policies and requests, decided compiled and by Cedar itself: the same effect, the same determining
 * policies, the same errors, and nothing hidden from lists that may be called. A new seed each time, one for each worker.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { loadCedar } from '../../packages/gateway/src/policy/cedar.ts';
import {
  type DifferentialReport,
  runDifferential,
} from '../../packages/gateway/src/policy/engine/differential.fuzz.ts';

async function lead(wanted: number, workers: number): Promise<void> {
  const started = new Date();
  const first = started.getTime() % 2 ** 31;
  const share = Math.ceil(wanted / workers);
  const reports = await Promise.all(
    Array.from({ length: workers }, (_, place) => {
      return new Promise<DifferentialReport>((resolve, reject) => {
        const worker = new Worker(new URL(import.meta.url), { workerData: { seed: first + place, share } });
        worker.once('message', resolve);
        worker.once('error', reject);
      });
    }),
  );
  const sum = (what: 'cases' | 'permits' | 'withErrors' | 'policies' | 'judgedPolicies') =>
    reports.reduce((total, report) => total + report[what], 0);
  const differences = reports.flatMap(({ seed, difference }) => (difference ? [{ seed, ...difference }] : []));
  const result = {
    ...{ started: started.toISOString(), seconds: Math.round((Date.now() - started.getTime()) / 1000) },
    ...{ node: process.version, seeds: reports.map(({ seed }) => seed), cases: sum('cases'), permits: sum('permits') },
    ...{ withErrors: sum('withErrors'), policies: sum('policies'), judgedPolicies: sum('judgedPolicies'), differences },
  };
  const folder = new URL('../../out/long/', import.meta.url);
  mkdirSync(folder, { recursive: true });
  const day = started.toISOString().slice(0, 10);
  writeFileSync(new URL(`policy-differential-${day}.json`, folder), `${JSON.stringify(result, undefined, 2)}\n`);
  process.stdout.write(`${JSON.stringify(result)}\n`);
  process.exitCode = differences.length === 0 && result.cases >= wanted ? 0 : 1;
}

if (isMainThread) {
  await lead(Number(process.argv[2] ?? 1_000_000), Number(process.argv[3] ?? Math.max(1, availableParallelism() - 1)));
} else {
  const { seed, share } = workerData as { seed: number; share: number };
  parentPort?.postMessage(runDifferential(await loadCedar(), { seed, mayGoOn: (cases) => cases < share }));
}
