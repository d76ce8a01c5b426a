// Checks the size of files and functions. `node scripts/budgets.ts` prints what is over a limit (failing) or a guide (not).
import { readSources, type Source } from './source.ts';

const budgets = {
  file: { guide: 250, limit: 400 },
  function: { guide: 40, limit: 60 },
} as const;

/** What is too big: `over` fails a check, `near` is for the author to think about. */
export interface Findings {
  readonly over: readonly string[];
  readonly near: readonly string[];
}

/** Measures lines of code: blank lines and comments are free. Tests and benchmarks may have long functions, not long files. */
export function checkBudgets(root: string): Findings {
  const found = readSources(root, ['packages', 'examples', 'scripts', 'bench', 'test']).flatMap(measure);
  return {
    over: found.filter(({ lines, budget }) => lines > budget.limit).map(describe),
    near: found.filter(({ lines, budget }) => lines > budget.guide && lines <= budget.limit).map(describe),
  };
}

interface Size {
  readonly what: string;
  readonly lines: number;
  readonly budget: { readonly guide: number; readonly limit: number };
}

function measure(source: Source): Size[] {
  const file = { what: source.path, lines: source.lines, budget: budgets.file };
  if (/\.test\.ts$|^test\/|^bench\//.test(source.path)) return [file];
  const functions = source.functions.map(({ name, line, lines }) => ({
    what: `${source.path}:${line}: ${name}`,
    lines,
    budget: budgets.function,
  }));
  return [file, ...functions];
}

function describe({ what, lines, budget }: Size): string {
  return `${what} has ${lines} lines of code; aim for ${budget.guide}, never more than ${budget.limit}. Split it by what it does.`;
}

if (process.argv[1] === import.meta.filename) {
  const { over, near } = checkBudgets(process.argv[2] ?? process.cwd());
  for (const finding of near) process.stdout.write(`note: ${finding}\n`);
  for (const finding of over) process.stdout.write(`${finding}\n`);
  process.exitCode = over.length === 0 ? 0 : 1;
}
