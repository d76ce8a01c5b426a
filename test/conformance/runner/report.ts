import { type Difference, differencesOf, type Row, type Totals, totalsOf } from './compare.ts';

/** One run: a leg in a mode, compared with the direct run of that mode. */
export interface Run {
  readonly leg: string;
  readonly mode: string;
  readonly totals: Totals;
  /** Where it is not what the direct run is; for the direct run itself, what failed. */
  readonly differences: readonly Difference[];
  /** Why there are no checks: the leg could not be opened, or the suite did not run. */
  readonly broken?: string;
  readonly checks: readonly Row[];
}

/** Judges a run. The direct run has to have no failure, every other one has to be equal to it. */
export function judge(run: Pick<Run, 'leg' | 'mode'>, checks: readonly Row[], direct: readonly Row[] | undefined): Run {
  const failures = checks.filter(({ status }) => status === 'FAILURE');
  const differences =
    direct === undefined
      ? failures.map(({ status, ...row }) => ({ ...row, here: status }))
      : differencesOf(direct, checks);
  return { ...run, totals: totalsOf(checks), differences, checks };
}

/** A run that did not come to be. */
export function brokenRun(run: Pick<Run, 'leg' | 'mode'>, error: unknown): Run {
  const broken = error instanceof Error ? error.message : String(error);
  return { ...run, totals: totalsOf([]), differences: [], broken, checks: [] };
}

/** How many checks of all runs are as they have to be, and how many are not; a broken run is one that is not. */
export function countOf(runs: readonly Run[]): { readonly passed: number; readonly failed: number } {
  const failed = runs.reduce((sum, run) => sum + run.differences.length + (run.broken === undefined ? 0 : 1), 0);
  const good = runs.reduce((sum, { totals, differences }) => {
    const wrongHere = differences.filter(({ here }) => here !== undefined).length;
    return sum + Math.max(0, totals.checks - wrongHere);
  }, 0);
  return { passed: good, failed };
}

const columns = ['leg', 'mode', 'checks', 'passed', 'failed', 'warnings', 'skipped', 'info', 'differences'] as const;
const shownDifferences = 12;

/** A table of all runs, and under it the first differences of each. */
export function tableOf(runs: readonly Run[]): string {
  const rows = runs.map(({ leg, mode, totals, differences, broken }) => {
    const { checks, passed, failed, warnings, skipped, info } = totals;
    const verdict = broken === undefined ? differences.length : 'did not run';
    return [leg, mode, checks, passed, failed, warnings, skipped, info, verdict].map(String);
  });
  const widths = columns.map((name, index) => Math.max(name.length, ...rows.map((row) => row[index]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, index) => cell.padEnd(widths[index] ?? 0))
      .join('  ')
      .trimEnd();
  const table = [line(columns), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)];
  return [...table, ...runs.flatMap(detailsOf)].join('\n');
}

function detailsOf({ leg, mode, differences, broken }: Run): readonly string[] {
  if (broken !== undefined) return ['', `${leg} ${mode} did not run: ${broken}`];
  if (differences.length === 0) return [];
  const shown = differences
    .slice(0, shownDifferences)
    .flatMap(({ scenario, check, direct, here, message }) => [
      `  ${scenario}  ${check}: ${here ?? 'absent'}, directly ${direct ?? 'absent'}`,
      ...(message === undefined ? [] : [`      ${message.replaceAll('\n', ' ').slice(0, 300)}`]),
    ]);
  const more = differences.length - shownDifferences;
  return ['', `${leg} ${mode}:`, ...shown, ...(more > 0 ? [`  and ${more} more`] : [])];
}
