import type { Expr } from '@cedar-policy/cedar-wasm/nodejs';
import { extensionConstructors, extensionFunctions } from './extensions.ts';
import { CedarRecord, CedarSet, Entity, type Known } from './values.ts';

const ofEntity = 'attribute of an entity';

/** A variable of Cedar. */
export type Root = 'principal' | 'action' | 'resource' | 'context';

/** Attributes read one from the other, from a variable on: `context.arguments.amount`. */
export interface Path {
  readonly root: Root;
  readonly names: readonly string[];
  /** Only whether it is there is asked, so that what it is need not have an encoding. */
  readonly isPresence?: true;
}

const principalNames = [
  ...['kind', 'subject', 'client', 'app', 'tenant', 'session', 'actor', 'actors', 'scopes', 'intent', 'attributes'],
];
const resourceNames = [
  ...['name', 'service', 'classification', 'classificationLevel', 'risk', 'sideEffect', 'owner', 'internal'],
];

/** All that entities of a request have: for an expression of which nobody knows whose attribute it reads. */
const attributes: readonly Path[] = [
  ...principalNames.map((name): Path => ({ root: 'principal', names: [name] })),
  ...resourceNames.map((name): Path => ({ root: 'resource', names: [name] })),
];

const binaryOperators = [
  ...['==', '!=', '<', '<=', '>', '>=', '+', '-', '*', 'in', 'contains', 'containsAll', 'containsAny'],
] as const;

/** Operators of two values that evaluate both. */
export type BinaryOperator =
  | ('==' | '!=' | '<' | '<=' | '>' | '>=' | '+' | '-' | '*')
  | ('in' | 'contains' | 'containsAll' | 'containsAny');

/**
 * An expression as it is compiled. `path` is one that is read whole; `has`: whether `names` are there, one in the other, in
 * what the path before them comes to. `fails`: every evaluation errs. `foreign`: what only Cedar itself evaluates.
 */
export type Term =
  | { readonly kind: 'value'; readonly value: Known }
  | { readonly kind: 'variable'; readonly root: 'principal' | 'action' | 'resource' }
  | { readonly kind: 'path'; readonly path: Path }
  | { readonly kind: 'has'; readonly path: Path; readonly container: number }
  | { readonly kind: 'not' | 'neg' | 'isEmpty'; readonly of: Term }
  | { readonly kind: 'and' | 'or'; readonly left: Term; readonly right: Term }
  | { readonly kind: 'if'; readonly test: Term; readonly yes: Term; readonly no: Term }
  | { readonly kind: 'binary'; readonly operator: BinaryOperator; readonly left: Term; readonly right: Term }
  | { readonly kind: 'like'; readonly of: Term; readonly pieces: readonly string[] }
  | { readonly kind: 'is'; readonly of: Term; readonly type: string }
  | { readonly kind: 'set'; readonly items: readonly Term[] }
  | { readonly kind: 'record'; readonly members: readonly (readonly [string, Term])[] }
  | { readonly kind: 'member'; readonly of: Term; readonly name: string }
  | { readonly kind: 'hasMember'; readonly of: Term; readonly name: string }
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly Term[] }
  | { readonly kind: 'fails' }
  | { readonly kind: 'foreign'; readonly construct: string; readonly parts: readonly Term[] };

/** Reads an expression of Cedar's JSON form. What is not known to the letter becomes `foreign`. */
export function readTerm(expression: Expr): Term {
  const [[operator, body] = ['', undefined]] = Object.entries(expression) as [string, unknown][];
  if (operator === 'Value') return readValue(body);
  if (operator === 'Var') return readVariable(body as Root);
  if (operator === 'Set') return { kind: 'set', items: (body as Expr[]).map(readTerm) };
  if (operator === 'Record') {
    const members = Object.entries(body as Record<string, Expr>);
    return { kind: 'record', members: members.map(([name, member]) => [name, readTerm(member)]) };
  }
  if (Array.isArray(body)) return readCall(operator, (body as Expr[]).map(readTerm));
  return readOperator(operator, body as Operands);
}

/** What operators have besides their name. */
interface Operands {
  readonly arg?: Expr;
  readonly left?: Expr;
  readonly right?: Expr;
  readonly attr?: string | readonly string[];
  readonly pattern?: readonly ('Wildcard' | { readonly Literal: string })[];
  readonly entity_type?: string;
  readonly in?: Expr;
  readonly if?: Expr;
  readonly then?: Expr;
  readonly else?: Expr;
}

function readOperator(operator: string, operands: Operands): Term {
  const [first, second, third] = [
    operands.arg ?? operands.left ?? operands.if,
    operands.right ?? operands.then,
    operands.else,
  ].map((one) => (one === undefined ? undefined : readTerm(one)));
  const foreign: Term = {
    kind: 'foreign',
    construct: operator,
    parts: [first, second, third].filter((part) => part !== undefined),
  };
  if (first === undefined) return foreign;
  switch (operator) {
    case '!':
      return { kind: 'not', of: first };
    case 'neg':
    case 'isEmpty':
      return { kind: operator, of: first };
    case 'is':
      return readIs(first, operands);
    case 'like':
      return { kind: 'like', of: first, pieces: piecesOf(operands.pattern ?? []) };
    case '.':
      return typeof operands.attr === 'string' ? readMember(first, operands.attr) : foreign;
    case 'has':
      return readHas(first, [operands.attr ?? []].flat());
    default:
      return second === undefined ? foreign : readPair(operator, [first, second, third], foreign);
  }
}

function readPair(
  operator: string,
  [first, second, third]: readonly [Term, Term, Term | undefined],
  foreign: Term,
): Term {
  if (operator === '&&') return { kind: 'and', left: first, right: second };
  if (operator === '||') return { kind: 'or', left: first, right: second };
  if (operator === 'if-then-else' && third !== undefined) return { kind: 'if', test: first, yes: second, no: third };
  const known = binaryOperators.find((one) => one === operator);
  return known === undefined ? foreign : { kind: 'binary', operator: known, left: first, right: second };
}

function readValue(value: unknown): Term {
  const known = knownOf(value);
  return known === undefined ? { kind: 'foreign', construct: 'literal', parts: [] } : { kind: 'value', value: known };
}

/** Undefined: a literal whose JSON form is not exact, such as an integer beyond ±2^53, or one that is not known here. */
function knownOf(value: unknown): Known | undefined {
  if (typeof value === 'boolean' || typeof value === 'string') return value;
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : undefined;
  if (Array.isArray(value)) {
    const items = value.map(knownOf);
    return items.every((item) => item !== undefined) ? new CedarSet(items) : undefined;
  }
  const { __entity: entity, __extn: extension } = value as { __entity?: Entity; __extn?: unknown };
  if (entity !== undefined) return new Entity(entity.type, entity.id);
  return extension === undefined && Object.keys(value as object).length === 0 ? new CedarRecord(new Map()) : undefined;
}

function readVariable(root: Root): Term {
  return root === 'context' ? { kind: 'path', path: { root, names: [] } } : { kind: 'variable', root };
}

function pathOf(term: Term): Path | undefined {
  if (term.kind === 'path') return term.path;
  return term.kind === 'variable' ? { root: term.root, names: [] } : undefined;
}

function readMember(of: Term, name: string): Term {
  const path = pathOf(of);
  if (path !== undefined) return { kind: 'path', path: { root: path.root, names: [...path.names, name] } };
  return mayBeEntity(of) ? { kind: 'foreign', construct: ofEntity, parts: [of] } : { kind: 'member', of, name };
}

function readHas(of: Term, names: readonly string[]): Term {
  const path = pathOf(of);
  if (path !== undefined) {
    const inner: Path = { root: path.root, names: [...path.names, ...names], isPresence: true };
    return { kind: 'has', path: inner, container: path.names.length };
  }
  const [name, ...rest] = names;
  if (name === undefined || mayBeEntity(of)) return { kind: 'foreign', construct: ofEntity, parts: [of] };
  const has: Term = { kind: 'hasMember', of, name };
  return rest.length === 0 ? has : { kind: 'and', left: has, right: readHas(readMember(of, name), rest) };
}

/** `e is T in g` is `e is T && e in g`. */
function readIs(of: Term, { entity_type: type = '', in: group }: Operands): Term {
  const is: Term = { kind: 'is', of, type };
  if (group === undefined) return is;
  return { kind: 'and', left: is, right: { kind: 'binary', operator: 'in', left: of, right: readTerm(group) } };
}

/** Texts between wildcards: one more than there are wildcards. */
function piecesOf(pattern: readonly ('Wildcard' | { readonly Literal: string })[]): readonly string[] {
  const pieces = [''];
  for (const element of pattern) {
    if (element === 'Wildcard') pieces.push('');
    else pieces[pieces.length - 1] += element.Literal;
  }
  return pieces;
}

function readCall(name: string, args: readonly Term[]): Term {
  const [only] = args;
  const construct = extensionConstructors.get(name);
  if (construct !== undefined && args.length === 1 && only?.kind === 'value') {
    const value = typeof only.value === 'string' ? construct(only.value) : undefined;
    return value === undefined ? { kind: 'fails' } : { kind: 'value', value };
  }
  const isKnown = extensionFunctions.get(name)?.takes.length === args.length;
  return isKnown ? { kind: 'call', name, args } : { kind: 'foreign', construct: name, parts: args };
}

/**
 * Whether an expression may come to an entity, whose attributes are then read: entities of requests have no attribute that
 * is one, so only what names one can.
 */
function mayBeEntity(term: Term): boolean {
  switch (term.kind) {
    case 'variable':
    case 'foreign':
      return true;
    case 'member':
      return partsOf(term.of).some((part) =>
        [...allTerms(part)].some((one) => one.kind !== 'member' && mayBeEntity(one)),
      );
    case 'value':
      return term.value instanceof Entity;
    case 'if':
      return mayBeEntity(term.yes) || mayBeEntity(term.no);
    default:
      return false;
  }
}

/** The terms right below one. */
export function partsOf(term: Term): readonly Term[] {
  switch (term.kind) {
    case 'and':
    case 'or':
    case 'binary':
      return [term.left, term.right];
    case 'if':
      return [term.test, term.yes, term.no];
    case 'set':
      return term.items;
    case 'record':
      return term.members.map(([, member]) => member);
    case 'call':
      return term.args;
    case 'foreign':
      return term.parts;
    case 'not':
    case 'neg':
    case 'isEmpty':
    case 'like':
    case 'is':
    case 'member':
    case 'hasMember':
      return [term.of];
    default:
      return [];
  }
}

/** Every term of one, itself first. */
export function* allTerms(term: Term): Generator<Term> {
  yield term;
  for (const part of partsOf(term)) yield* allTerms(part);
}

/** All that an expression looks at, each once. */
export function pathsOf(term: Term): readonly Path[] {
  const paths = new Map<string, Path>();
  for (const one of allTerms(term)) {
    const found = one.kind === 'path' || one.kind === 'has' ? [one.path] : [];
    const isOfEntity = one.kind === 'foreign' && one.construct === ofEntity;
    for (const path of isOfEntity ? attributes : found) paths.set(pathKey(path), path);
  }
  return [...paths.values()];
}

/** The same for equal paths, and for no others. */
export function pathKey({ root, names, isPresence }: Path): string {
  return JSON.stringify([root, ...names, isPresence === true]);
}
