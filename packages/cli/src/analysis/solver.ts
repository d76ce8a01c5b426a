import type { Term } from './smt.ts';
import type { Symbols, Unknown } from './symbols.ts';

/** What a solver found. `unknown`: it gave up, and nothing may be concluded. */
export type Found =
  | { readonly status: 'unsatisfiable' | 'unknown' }
  | { readonly status: 'satisfiable'; readonly values: ReadonlyMap<Unknown, Term> };

/** Says whether there is a request of which a condition is true, and shows one. */
export interface Solver {
  solve(symbols: Symbols, condition: Term): Promise<Found>;
  /** Ends its threads: the process would not end while they wait. */
  close(): void;
}

/** The solver is not installed. */
export class NoSolver extends Error {
  override readonly name = 'NoSolver';
}

/** One question has so long, in milliseconds. */
const timeoutMs = 5_000;

/**
 * Starts Z3, which is an optional package: 35 MB that only those who check policies need.
 *
 * @throws NoSolver where it is not installed.
 */
export async function openSolver(): Promise<Solver> {
  const { init } = await import('z3-solver').catch((cause: unknown) => {
    throw new NoSolver('the solver is not installed: npm install z3-solver', { cause });
  });
  const { Context, em } = await init();
  let count = 0;
  return {
    async solve(symbols, condition) {
      if (condition === 'false') return { status: 'unsatisfiable' };
      // Names are shared within a context: each question gets one of its own.
      const context = Context(`question${count++}`);
      const solver = new context.Solver();
      solver.set('timeout', timeoutMs);
      solver.fromString(`${symbols.preamble()}\n(assert ${condition})`);
      const status = await solver.check();
      if (status !== 'sat') return { status: status === 'unsat' ? 'unsatisfiable' : 'unknown' };
      const model = solver.model();
      const constant = ({ name, sort }: Unknown) => {
        if (sort === 'bool') return context.Bool.const(name);
        return sort === 'string' ? context.String.const(name) : context.Int.const(name);
      };
      const values = symbols.all().map((symbol) => [symbol, model.eval(constant(symbol), true).toString()] as const);
      return { status: 'satisfiable', values: new Map(values) };
    },
    close() {
      em.PThread?.terminateAllThreads?.();
    },
  };
}
