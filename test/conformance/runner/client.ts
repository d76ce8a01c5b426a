import { join } from 'node:path';
import type { Row } from './compare.ts';
import { authScenarios, type ClientScenario, clientScenarios } from './mode.ts';
import { runSuite } from './suite.ts';

/** A run of the scenarios for clients. */
export interface ClientRun {
  /** Which scenarios; all of them when empty. */
  readonly scenarios: readonly string[];
  readonly viaGateway: boolean;
  readonly folder: string;
  readonly onScenario: (name: string) => void;
  readonly signal: AbortSignal;
}

/**
 * Runs the suite's own servers against a client, directly or with a gateway between them.
 *
 * A gateway asks a server more than its client does (for the lists, for changes), so the suite sees more requests. What
 * is compared is what it judges: each check once per scenario and status, without the notes it takes of traffic.
 */
export function runClientScenarios(run: ClientRun): Promise<readonly Row[]> {
  return runAll(clientScenarios, run);
}

/**
 * Runs the suite's servers that want OAuth against a gateway as `sallyport serve` runs it, which is their client. What the suite
 * only warns of fails here.
 */
export async function runAuthScenarios(run: Omit<ClientRun, 'viaGateway'>): Promise<readonly Row[]> {
  const rows = await runAll(authScenarios, { ...run, viaGateway: true });
  return rows.map((row) => (row.status === 'WARNING' ? { ...row, status: 'FAILURE' as const } : row));
}

/** So many scenarios run beside each other: each has servers of its own, and mostly waits. */
const atOnce = 4;

async function runAll(all: readonly ClientScenario[], run: ClientRun): Promise<readonly Row[]> {
  const chosen = all.filter(({ name }) => run.scenarios.length === 0 || run.scenarios.includes(name));
  const found: (readonly Row[])[] = [];
  const waiting = chosen.entries();
  const work = async (): Promise<void> => {
    for (const [at, scenario] of waiting) found[at] = await runOne(scenario, run);
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return found.flat();
}

async function runOne({ name, revision }: ClientScenario, run: ClientRun): Promise<readonly Row[]> {
  const { viaGateway, folder, onScenario, signal } = run;
  const checks = await runSuite({
    subject: { command: commandOf(viaGateway) },
    select: ['--scenario', name, '--spec-version', revision, '--force'],
    folder: join(folder, `${name}-${revision}`),
    onScenario,
    signal,
  });
  return judgements(checks).map((row) => ({ ...row, scenario: `${name} ${revision}` }));
}

function commandOf(viaGateway: boolean): string {
  const program = join(import.meta.dirname, '..', 'client-program.ts');
  const flags = ['--conditions=sallyport-source', '--disable-warning=ExperimentalWarning'];
  const words = [process.execPath, ...flags, program, ...(viaGateway ? ['--via-gateway'] : [])];
  // The suite cuts the command at blanks and gives the parts to a shell.
  if (words.some((word) => /[\s'"$\\]/.test(word)))
    throw new Error('the suite cannot start a client below this folder');
  return words.join(' ');
}

function judgements(rows: readonly Row[]): readonly Row[] {
  const distinct = new Map(
    rows.filter(({ status }) => status !== 'INFO').map((row) => [`${row.check} ${row.status}`, row] as const),
  );
  return [...distinct].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
}
