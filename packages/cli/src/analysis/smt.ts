/** Terms of SMT-LIB 2.6 as text: what is asked of a solver can be read, tested and kept without one. */
export type Term = string;

export const yes: Term = 'true';
export const no: Term = 'false';

/** All of them; `true` of none. */
export function and(...terms: readonly Term[]): Term {
  const rest = [...new Set(terms)].filter((term) => term !== yes);
  if (rest.includes(no)) return no;
  return rest.length === 0 ? yes : rest.length === 1 ? String(rest[0]) : `(and ${rest.join(' ')})`;
}

/** Any of them; `false` of none. */
export function or(...terms: readonly Term[]): Term {
  const rest = [...new Set(terms)].filter((term) => term !== no);
  if (rest.includes(yes)) return yes;
  return rest.length === 0 ? no : rest.length === 1 ? String(rest[0]) : `(or ${rest.join(' ')})`;
}

export function not(term: Term): Term {
  if (term === yes) return no;
  return term === no ? yes : `(not ${term})`;
}

export function implies(premise: Term, conclusion: Term): Term {
  return or(not(premise), conclusion);
}

export function choose(condition: Term, then: Term, otherwise: Term): Term {
  if (condition === yes || then === otherwise) return then;
  return condition === no ? otherwise : `(ite ${condition} ${then} ${otherwise})`;
}

export function equal(one: Term, other: Term): Term {
  if (one === other) return yes;
  return isLiteral(one) && isLiteral(other) ? no : `(= ${one} ${other})`;
}

/** A comparison or a sum: `<`, `<=`, `+`, `-`, `*` of integers. */
export function apply(operator: string, ...terms: readonly Term[]): Term {
  return `(${operator} ${terms.join(' ')})`;
}

export function integer(value: bigint): Term {
  return value < 0n ? `(- ${-value})` : String(value);
}

/** Every character that is not plain is written by its number, as the standard's theory of strings has it. */
export function text(value: string): Term {
  const characters = [...value].map((character) => {
    const code = character.codePointAt(0) ?? 0;
    if (character === '"') return '""';
    return code < 32 || code > 126 || character === '\\' ? `\\u{${code.toString(16)}}` : character;
  });
  return `"${characters.join('')}"`;
}

/** Reads a string back from a solver's model. */
export function readText(term: Term): string {
  return term
    .slice(1, -1)
    .replaceAll('""', '"')
    .replaceAll(/\\u\{([0-9a-f]+)\}/gi, (_, code: string) => String.fromCodePoint(Number.parseInt(code, 16)));
}

/** Reads an integer back. */
export function readInteger(term: Term): bigint {
  const negative = /^\(- (\d+)\)$/.exec(term)?.[1];
  return negative === undefined ? BigInt(term) : -BigInt(negative);
}

/** Literals of one sort that are written differently are different. */
function isLiteral(term: Term): boolean {
  return term === yes || term === no || /^(\d+|\(- \d+\)|".*")$/s.test(term);
}
