import { and, integer, type Term } from './smt.ts';

/** Sorts of the unknowns of a request. `decimal` is counted in ten-thousandths, times in milliseconds. */
export type Sort = 'bool' | 'long' | 'decimal' | 'datetime' | 'duration' | 'string';

/** One unknown: what a solver may choose. */
export interface Unknown {
  readonly name: Term;
  /** What it is in the words of the policy: `context.arguments.amount`, `principal in Group::"finance"`. */
  readonly path: string;
  readonly sort: Sort;
  /** Whether it says that the attribute of this path is there. */
  readonly isPresence: boolean;
}

/** The unknowns of one kind of request, made when a policy first looks at them. */
export interface Symbols {
  /** The unknown of this path, always the same. */
  of(path: string, sort: Sort, isPresence?: boolean): Term;
  /** States something that holds of every request. */
  assume(term: Term): void;
  all(): readonly Unknown[];
  /** Declarations and assumptions, to be put before a question. */
  preamble(): string;
}

/** Cedar's integers. */
export const longest = 2n ** 63n - 1n;
export const shortest = -(2n ** 63n);

export function createSymbols(): Symbols {
  const known = new Map<string, Unknown>();
  const assumptions: Term[] = [];
  return {
    of(path, sort, isPresence = false) {
      const key = `${sort} ${isPresence} ${path}`;
      const found = known.get(key);
      if (found !== undefined) return found.name;
      const name = `v${known.size}`;
      known.set(key, { name, path, sort, isPresence });
      if (sort !== 'bool' && sort !== 'string') assumptions.push(inRange(name));
      return name;
    },
    assume: (term) => void assumptions.push(term),
    all: () => [...known.values()],
    preamble: () =>
      [
        ...[...known.values()].map(({ name, sort }) => `(declare-const ${name} ${solverSort(sort)})`),
        ...assumptions.map((term) => `(assert ${term})`),
      ].join('\n'),
  };
}

/** Whether a term is one of Cedar's integers: beyond them its arithmetic is an error. */
export function inRange(term: Term): Term {
  return and(`(<= ${integer(shortest)} ${term})`, `(<= ${term} ${integer(longest)})`);
}

function solverSort(sort: Sort): string {
  if (sort === 'bool') return 'Bool';
  return sort === 'string' ? 'String' : 'Int';
}
