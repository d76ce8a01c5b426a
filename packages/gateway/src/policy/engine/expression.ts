import { extensionFunctions } from './extensions.ts';
import { type Frame, Missing, refused } from './frame.ts';
import { isLong, isOrder, type Order, operation, orders } from './operations.ts';
import type { BinaryOperator, Path, Term } from './terms.ts';
import {
  anything,
  CedarRecord,
  CedarSet,
  Entity,
  Extension,
  type Known,
  type Long,
  mayBe,
  oneOf,
  outcomesOf,
  subtract,
  truthOf,
  Unknown,
  type Value,
} from './values.ts';

/** A compiled expression. Undefined: Cedar would call it an error. */
export type Code = (frame: Frame) => Value | undefined;

/** Thrown where a term has a construct that is not known here to the letter: the policy is Cedar's own to evaluate. */
export class NotCompiled extends Error {
  readonly construct: string;

  constructor(construct: string) {
    super(`not compiled: ${construct}`);
    this.construct = construct;
  }
}

/** Numbers paths: equal paths have equal numbers. */
export type NumberOf = (path: Path) => number;

/**
 * Compiles a term to plain functions, which evaluate as Cedar does: lazily where it is lazy, in 64 bits, errors included. What
 * is unknown goes through as what it may be.
 *
 * @throws NotCompiled
 */
export function compileTerm(term: Term, numberOf: NumberOf): Code {
  const code = (one: Term): Code => compileTerm(one, numberOf);
  switch (term.kind) {
    case 'value':
      return () => term.value;
    case 'variable':
      return ({ subject }) => subject[term.root].entity;
    case 'path':
      return readPath(numberOf(term.path));
    case 'has':
      return hasPath(numberOf(term.path), term.container);
    case 'not':
      return not(code(term.of));
    case 'neg':
      return onLong(code(term.of), (value) => subtract(0, value));
    case 'isEmpty':
      return onSet(code(term.of), (set) => set.items.length === 0);
    case 'and':
      return and(code(term.left), code(term.right));
    case 'or':
      return or(code(term.left), code(term.right));
    case 'if':
      return choice(code(term.test), code(term.yes), code(term.no));
    case 'binary':
      return binary(term, numberOf);
    case 'like':
      return like(code(term.of), term.pieces);
    case 'is':
      return onEntity(code(term.of), (entity) => entity.type === term.type);
    case 'set':
      return literal(term.items.map(code), (items) => new CedarSet(items));
    case 'record': {
      const names = term.members.map(([name]) => name);
      const members = term.members.map(([, member]) => code(member));
      return literal(
        members,
        (values) => new CedarRecord(new Map(values.map((value, at) => [names[at] ?? '', value]))),
      );
    }
    case 'member':
      return onRecord(code(term.of), ({ members }) => members.get(term.name));
    case 'hasMember':
      return onRecord(code(term.of), ({ members }) => members.has(term.name));
    case 'call':
      return call(term.name, term.args.map(code));
    case 'fails':
      return () => undefined;
    case 'foreign':
      throw new NotCompiled(term.construct);
    default:
      return term satisfies never;
  }
}

function readPath(path: number): Code {
  return (frame) => {
    const found = frame.found(path);
    return found === refused || found instanceof Missing ? undefined : found;
  };
}

/** Nothing but the names after the container may be absent; what is no record has no names, which is an error. */
function hasPath(path: number, container: number): Code {
  return (frame) => {
    const found = frame.found(path);
    if (found === refused) return undefined;
    if (found instanceof Missing) return found.isAbsent && found.at >= container ? false : undefined;
    return found === anything ? oneOf(mayBe.true | mayBe.false | mayBe.error) : true;
  };
}

function not(of: Code): Code {
  return (frame) => {
    const value = of(frame);
    if (typeof value === 'boolean') return !value;
    const truth = truthOf(value);
    const swapped = ((truth & mayBe.true) << 1) | ((truth & mayBe.false) >> 1);
    return oneOf(swapped | (truth & mayBe.error));
  };
}

function and(left: Code, right: Code): Code {
  return (frame) => {
    const first = left(frame);
    if (first === false) return false;
    const second = first === undefined ? undefined : right(frame);
    if (first === true && typeof second === 'boolean') return second;
    const truth = truthOf(first);
    return oneOf((truth & ~mayBe.true) | ((truth & mayBe.true) === 0 ? 0 : truthOf(second)));
  };
}

function or(left: Code, right: Code): Code {
  return (frame) => {
    const first = left(frame);
    if (first === true) return true;
    const second = first === undefined ? undefined : right(frame);
    if (first === false && typeof second === 'boolean') return second;
    const truth = truthOf(first);
    return oneOf((truth & ~mayBe.false) | ((truth & mayBe.false) === 0 ? 0 : truthOf(second)));
  };
}

function choice(test: Code, yes: Code, no: Code): Code {
  return (frame) => {
    const tested = test(frame);
    if (tested === true) return yes(frame);
    if (tested === false) return no(frame);
    const truth = truthOf(tested);
    const whenTrue = (truth & mayBe.true) === 0 ? 0 : outcomesOf(yes(frame));
    const whenFalse = (truth & mayBe.false) === 0 ? 0 : outcomesOf(no(frame));
    return oneOf(whenTrue | whenFalse | (truth & mayBe.error));
  };
}

const anyTruth = oneOf(mayBe.true | mayBe.false | mayBe.error);

/** Evaluates both, and needs both. What is unknown leaves the answer open, but never hides an error of the other. */
function both(left: Code, right: Code, apply: (first: Known, second: Known, frame: Frame) => Value | undefined): Code {
  return (frame) => {
    const first = left(frame);
    if (first === undefined) return undefined;
    const second = right(frame);
    if (second === undefined) return undefined;
    if (first instanceof Unknown || second instanceof Unknown) return anything;
    return apply(first, second, frame);
  };
}

function binary({ operator, left, right }: Extract<Term, { kind: 'binary' }>, numberOf: NumberOf): Code {
  if (right.kind === 'value' && typeof right.value === 'number' && isOrder(operator)) {
    return beside(compileTerm(left, numberOf), operator, right.value);
  }
  if (right.kind === 'value' && typeof right.value === 'string' && (operator === '==' || operator === '!=')) {
    return isText(compileTerm(left, numberOf), right.value, operator === '==');
  }
  return truth(operator, both(compileTerm(left, numberOf), compileTerm(right, numberOf), operation(operator)));
}

/** What is unknown of a question is unknown between yes and no; of arithmetic it is anything. */
function truth(operator: BinaryOperator, code: Code): Code {
  if (operator === '+' || operator === '-' || operator === '*') return code;
  return (frame) => {
    const value = code(frame);
    return value === anything ? anyTruth : value;
  };
}

/** Equality with a text, the commonest of all questions. */
function isText(of: Code, text: string, wanted: boolean): Code {
  return (frame) => {
    const value = of(frame);
    if (value === undefined) return undefined;
    return value instanceof Unknown ? anyTruth : (value === text) === wanted;
  };
}

/** The order beside a number that is written there. */
function beside(of: Code, operator: Order, bound: number): Code {
  const stands = orders[operator];
  return (frame) => {
    const value = of(frame);
    if (typeof value === 'number' || typeof value === 'bigint') return stands(value, bound);
    return value instanceof Unknown ? anyTruth : undefined;
  };
}

function onLong(of: Code, apply: (value: Long) => Long | undefined): Code {
  return (frame) => {
    const value = of(frame);
    if (value instanceof Unknown) return anything;
    return value !== undefined && isLong(value) ? apply(value) : undefined;
  };
}

function onSet(of: Code, apply: (set: CedarSet) => boolean): Code {
  return (frame) => {
    const value = of(frame);
    if (value instanceof Unknown) return anyTruth;
    return value instanceof CedarSet ? apply(value) : undefined;
  };
}

function onEntity(of: Code, apply: (entity: Entity) => boolean): Code {
  return (frame) => {
    const value = of(frame);
    if (value instanceof Unknown) return anyTruth;
    return value instanceof Entity ? apply(value) : undefined;
  };
}

function onRecord(of: Code, apply: (record: CedarRecord) => Known | undefined): Code {
  return (frame) => {
    const value = of(frame);
    if (value instanceof Unknown) return anything;
    return value instanceof CedarRecord ? apply(value) : undefined;
  };
}

/** A literal needs all its parts. */
function literal(parts: readonly Code[], make: (values: readonly Known[]) => Known): Code {
  return (frame) => {
    const values: Known[] = [];
    let isOpen = false;
    for (const part of parts) {
      const value = part(frame);
      if (value === undefined) return undefined;
      if (value instanceof Unknown) isOpen = true;
      else values.push(value);
    }
    return isOpen ? anything : make(values);
  };
}

/** `pieces`: the texts between wildcards. Each is looked for once, from left to right. */
function like(of: Code, pieces: readonly string[]): Code {
  const [first = '', ...rest] = pieces;
  const last = rest.pop();
  return (frame) => {
    const text = of(frame);
    if (text instanceof Unknown) return anyTruth;
    if (typeof text !== 'string') return undefined;
    if (last === undefined) return text === first;
    const end = text.length - last.length;
    if (end < first.length || !text.startsWith(first) || !text.endsWith(last)) return false;
    let from = first.length;
    for (const piece of rest) {
      const at = text.indexOf(piece, from);
      if (at === -1 || at + piece.length > end) return false;
      from = at + piece.length;
    }
    return true;
  };
}

function call(name: string, args: readonly Code[]): Code {
  const called = extensionFunctions.get(name);
  const [first, second] = args;
  if (called === undefined || first === undefined) throw new NotCompiled(name);
  const { takes, apply } = called;
  const unitsOf = (value: Value, place: number): Long | undefined =>
    value instanceof Extension && value.name === takes[place] ? value.units : undefined;
  return (frame) => {
    const one = first(frame);
    const other = second === undefined ? one : second(frame);
    if (one === undefined || other === undefined) return undefined;
    if (one instanceof Unknown || other instanceof Unknown) return anything;
    const left = unitsOf(one, 0);
    const right = second === undefined ? left : unitsOf(other, 1);
    return left === undefined || right === undefined ? undefined : apply(left, right);
  };
}
