import type { ArgumentType } from './types.ts';

/** A Cedar string literal. */
export function quoted(text: string): string {
  return `"${escaped(text)}"`;
}

/** The right side of a Cedar `like`: `*` in the pattern stands for any run of characters, everything else for itself. */
export function likePattern(pattern: string): string {
  return quoted(pattern);
}

function escaped(text: string): string {
  return text.replace(/["\\\p{C}]/gu, (character) =>
    character === '"' || character === '\\' ? `\\${character}` : `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
}

/** All of these have to hold; nothing holds where there are none. */
export function all(parts: readonly string[]): string {
  return parts.length === 0 ? 'true' : joined(parts, ' && ');
}

/** One of these has to hold. */
export function any(parts: readonly string[]): string {
  return parts.length === 0 ? 'false' : joined(parts, ' || ');
}

/** A long chain is nested as deep as it is long: halves of halves are not. */
const longestChain = 32;

function joined(parts: readonly string[], operator: string): string {
  if (parts.length <= longestChain) return parts.map(inBrackets).join(operator);
  const half = Math.ceil(parts.length / 2);
  return `(${joined(parts.slice(0, half), operator)})${operator}(${joined(parts.slice(half), operator)})`;
}

/** The opposite. */
export function not(part: string): string {
  return `!(${part})`;
}

function inBrackets(part: string, _: number, parts: readonly string[]): string {
  return parts.length > 1 && / (?:&&|\|\|) /.test(part) ? `(${part})` : part;
}

const identifier = /^(?!(?:true|false|if|then|else|in|is|like|has|__cedar)$)[A-Za-z_]\w*$/;

/** `left.name`, or `left["na me"]` for what is no identifier. */
export function member(left: string, name: string): string {
  return identifier.test(name) ? `${left}.${name}` : `${left}[${quoted(name)}]`;
}

/** `left has name`. */
export function has(left: string, name: string): string {
  return `${left} has ${identifier.test(name) ? name : quoted(name)}`;
}

/** An argument of a tool as policies see it. */
export interface ArgumentAt {
  /** The Cedar expression for its value. */
  readonly value: string;
  /** What has to hold for it to be there; empty where the schema says that it always is. */
  readonly there: readonly string[];
  readonly type: ArgumentType;
}

/** Why there is no such argument: the name that is not there, and those that are. */
export interface NoArgument {
  readonly missing: string;
  readonly known: readonly string[];
}

/** Finds an argument by its names from the outside in. */
export function argumentAt(type: ArgumentType, path: readonly string[]): ArgumentAt | NoArgument {
  let value = 'context.arguments';
  let found = type;
  const there: string[] = [];
  for (const name of path) {
    const members = found.kind === 'record' ? found.members : {};
    const next = Object.hasOwn(members, name) ? members[name] : undefined;
    if (next === undefined) return { missing: name, known: Object.keys(members) };
    if (!next.required) there.push(has(value, name));
    value = member(value, name);
    found = next.type;
  }
  return { value, there, type: found };
}

/** A number as a Cedar decimal: exact, of at most four places; `undefined` for all others. */
export function decimalLiteral(value: number): string | undefined {
  const text = String(value);
  if (!/^-?\d{1,15}(\.\d{1,4})?$/.test(text) || Math.abs(value) > 922_337_203_685_477) return undefined;
  return `decimal("${text.includes('.') ? text : `${text}.0`}")`;
}

/** The two sides of a comparison of numbers. */
export type Comparison = '<' | '<=' | '>' | '>=';

const decimalMethods: Readonly<Record<Comparison, string>> = {
  '<': 'lessThan',
  '<=': 'lessThanOrEqual',
  '>': 'greaterThan',
  '>=': 'greaterThanOrEqual',
};

/**
 * Compares an argument with a number as its type takes it: whole numbers with the nearest bound that means the same. `undefined`
 * where Cedar cannot say it.
 */
export function compared(
  left: string,
  comparison: Comparison,
  [bound, kind]: readonly [number, string],
): string | undefined {
  if (kind === 'decimal') {
    const literal = decimalLiteral(bound);
    return literal === undefined ? undefined : `${left}.${decimalMethods[comparison]}(${literal})`;
  }
  // For whole numbers `<= 2.5` is `<= 2`, and `< 2.5` is `< 3`.
  const whole = comparison === '<=' || comparison === '>' ? Math.floor(bound) : Math.ceil(bound);
  return kind === 'long' && Number.isSafeInteger(whole) ? `${left} ${comparison} ${longLiteral(whole)}` : undefined;
}

/** One value that an argument may have, as its type takes it; `undefined` where none of that type is it. */
export function valueLiteral(value: string | number | boolean, kind: string): string | undefined {
  if (typeof value === 'string') return kind === 'string' ? quoted(value) : undefined;
  if (typeof value === 'boolean') return kind === 'boolean' ? String(value) : undefined;
  if (kind === 'decimal') return decimalLiteral(value);
  return kind === 'long' && Number.isSafeInteger(value) ? longLiteral(value) : undefined;
}

function longLiteral(value: number): string {
  return String(Object.is(value, -0) ? 0 : value);
}
