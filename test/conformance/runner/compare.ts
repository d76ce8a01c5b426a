/** One check of a run, in the order the suite made it: what is compared. Times, ports and messages are left out. */
export interface Row {
  readonly scenario: string;
  readonly check: string;
  readonly status: 'SUCCESS' | 'FAILURE' | 'WARNING' | 'SKIPPED' | 'INFO';
  /** What the suite says of a check that did not succeed; for people, not compared. */
  readonly message?: string;
}

/** A place where a run is not what the direct run is. An absent side is a check that only the other run has. */
export interface Difference {
  readonly scenario: string;
  readonly check: string;
  readonly direct?: Row['status'];
  readonly here?: Row['status'];
  readonly message?: string;
}

/** How many checks of a run ended how. */
export interface Totals {
  readonly checks: number;
  readonly passed: number;
  readonly failed: number;
  readonly warnings: number;
  readonly skipped: number;
  readonly info: number;
}

/** Counts the checks of a run by how they ended. */
export function totalsOf(rows: readonly Row[]): Totals {
  const count = (status: Row['status']) => rows.filter((row) => row.status === status).length;
  return {
    checks: rows.length,
    passed: count('SUCCESS'),
    failed: count('FAILURE'),
    warnings: count('WARNING'),
    skipped: count('SKIPPED'),
    info: count('INFO'),
  };
}

/**
 * Where a run differs from the direct one: empty exactly when both have the same checks in the same order with the same
 * status. Compared scenario by scenario, so that one check too many does not make all that follow differ.
 */
export function differencesOf(direct: readonly Row[], here: readonly Row[]): readonly Difference[] {
  const wanted = byScenario(direct);
  const found = byScenario(here);
  const differences = [...new Set([...wanted.keys(), ...found.keys()])].flatMap((scenario) =>
    align(wanted.get(scenario) ?? [], found.get(scenario) ?? []),
  );
  if (differences.length > 0 || [...wanted.keys()].join('\n') === [...found.keys()].join('\n')) return differences;
  return [{ scenario: '(order of scenarios)', check: [...found.keys()].join(' ') }];
}

function byScenario(rows: readonly Row[]): ReadonlyMap<string, readonly Row[]> {
  const grouped = new Map<string, Row[]>();
  for (const row of rows) {
    const group = grouped.get(row.scenario);
    if (group === undefined) grouped.set(row.scenario, [row]);
    else group.push(row);
  }
  return grouped;
}

/** The longest common run of checks stays; what is left over on either side differs. */
function align(wanted: readonly Row[], found: readonly Row[]): readonly Difference[] {
  const lengths = commonLengths(wanted, found);
  const differences: Difference[] = [];
  let [i, j] = [0, 0];
  while (i < wanted.length || j < found.length) {
    const [left, right] = [wanted[i], found[j]];
    if (left !== undefined && right !== undefined && left.check === right.check) {
      if (left.status !== right.status) differences.push(difference(left, right));
      i++;
      j++;
    } else if (right === undefined || (left !== undefined && at(lengths, i + 1, j) >= at(lengths, i, j + 1))) {
      differences.push(difference(left, undefined));
      i++;
    } else {
      differences.push(difference(undefined, right));
      j++;
    }
  }
  return differences;
}

/** How many checks the two lists have in common, in order, from each pair of places on. */
function commonLengths(wanted: readonly Row[], found: readonly Row[]): readonly (readonly number[])[] {
  const lengths = Array.from({ length: wanted.length + 1 }, () => new Array<number>(found.length + 1).fill(0));
  for (let i = wanted.length - 1; i >= 0; i--) {
    for (let j = found.length - 1; j >= 0; j--) {
      const isSame = wanted[i]?.check === found[j]?.check;
      const row = lengths[i];
      if (row) row[j] = isSame ? at(lengths, i + 1, j + 1) + 1 : Math.max(at(lengths, i + 1, j), at(lengths, i, j + 1));
    }
  }
  return lengths;
}

function at(lengths: readonly (readonly number[])[], i: number, j: number): number {
  return lengths[i]?.[j] ?? 0;
}

function difference(left: Row | undefined, right: Row | undefined): Difference {
  const row = right ?? left;
  if (row === undefined) throw new Error('a difference has a side');
  const message = right?.message;
  return {
    scenario: row.scenario,
    check: row.check,
    ...(left && { direct: left.status }),
    ...(right && { here: right.status }),
    ...(message !== undefined && { message }),
  };
}
