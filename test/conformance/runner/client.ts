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

async function runAll(all: readonly ClientScenario[], run: ClientRun): Promise<readonly Row[]> {
  const { scenarios, viaGateway, folder, onScenario, signal } = run;
  const rows: Row[] = [];
  for (const { name, revision } of all) {
    if (scenarios.length > 0 && !scenarios.includes(name)) continue;
    const checks = await runSuite({
      subject: { command: commandOf(viaGateway) },
      select: ['--scenario', name, '--spec-version', revision, '--force'],
      folder: join(folder, `${name}-${revision}`),
      onScenario,
      signal,
    });
    rows.push(...judgements(checks).map((row) => ({ ...row, scenario: `${name} ${revision}` })));
  }
  return rows;
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
