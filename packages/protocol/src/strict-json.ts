import type { JsonObject, JsonValue } from './json.ts';
import { isNumberStart, numberEnd, readString, skipSpace, stringEnd } from './json-text.ts';
import { suspiciousKeys } from './similar.ts';
import { locateFault } from './strict-json-locate.ts';

/** Where a member of an object stands in the text: `text.slice(start, end)` is its value, without white space round it. */
export interface Member {
  readonly key: string;
  /** Where the quote before its name stands. */
  readonly keyStart: number;
  readonly start: number;
  readonly end: number;
}

/** JSON that reads the same for every reader, and where its parts stand in the text. */
export interface StrictJson {
  readonly text: string;
  readonly value: JsonValue;
  /** Members of the top-level object; none if it is something else. */
  readonly members: readonly Member[];
  /** Members of the object inside the envelope's `inside` member; none if there is none. */
  readonly inner: readonly Member[];
}

/** Which members a message is made of. A key that differs from one of them in case only is refused: other readers fold case. */
export interface Envelope {
  readonly members: readonly string[];
  /** The member whose own members are located too. */
  readonly inside: string;
  readonly inner: readonly string[];
}

/** The envelope of a JSON-RPC message that carries MCP. */
export const jsonRpcEnvelope: Envelope = {
  members: ['jsonrpc', 'id', 'method', 'params', 'result', 'error'],
  inside: 'params',
  inner: ['name', 'arguments', '_meta', 'cursor', 'uri', 'protocolVersion'],
};

/** Why a text was refused. `syntax`: not JSON at all. */
export type StrictJsonProblem =
  | 'syntax'
  | 'depth'
  | 'number'
  | 'duplicate_member'
  | 'similar_member'
  | 'forbidden_member'
  | 'lone_surrogate';

const descriptions: Readonly<Record<StrictJsonProblem, string>> = {
  syntax: 'not valid JSON',
  depth: 'nested too deeply',
  number: 'a number that does not survive as a double',
  duplicate_member: 'a member that is there twice',
  similar_member: 'a member that differs from an expected one in case only',
  forbidden_member: 'a member that may not be used as a name',
  lone_surrogate: 'half of a surrogate pair',
};

/** A text that not every reader would read the same. `pointer` (RFC 6901) tells where, as far as it can be told. */
export class StrictJsonError extends Error {
  override readonly name = 'StrictJsonError';
  readonly problem: StrictJsonProblem;
  readonly pointer: string;

  constructor(problem: StrictJsonProblem, pointer = '') {
    super(`${pointer === '' ? '' : `${pointer}: `}${descriptions[problem]}`);
    this.problem = problem;
    this.pointer = pointer;
  }
}

/** How strict, and for which kind of message. */
export interface StrictOptions {
  /** Nesting of arrays and objects; 64 if absent. */
  readonly maxDepth?: number;
  /** `jsonRpcEnvelope` if absent. */
  readonly envelope?: Envelope;
}

const defaultMaxDepth = 64;

/**
 * Parses JSON that every reader agrees on: no duplicate members, no numbers that change when read as doubles, no lone
 * surrogates, no `__proto__` and no NUL in a name, bounded depth. What policy sees and what a service parses from the same text is then the same.
 *
 * @throws StrictJsonError
 */
export function parseStrict(text: string, options: StrictOptions = {}): StrictJson {
  const envelope = options.envelope ?? jsonRpcEnvelope;
  // Before the parse, so that a depth bomb is never built in memory. On text that is not JSON it finds nonsense, which the
  // parse then throws away.
  const scanned = scan(text, envelope, options.maxDepth ?? defaultMaxDepth);
  if (scanned.tooDeep) throw new StrictJsonError('depth');
  const value = parse(text);
  if (scanned.badNumber >= 0) throw new StrictJsonError('number', numberPointer(text, scanned.badNumber));
  refuseHostileStrings(text);
  // The engine keeps the last of duplicate members, so fewer members in the value than in the text means duplicates,
  // whichever way their names were escaped.
  if (countMembers(value) !== scanned.count) throw new StrictJsonError('duplicate_member', duplicatePointer(text));
  refuseSimilar(scanned.members, envelope.members, '');
  refuseSimilar(scanned.inner, envelope.inner, `/${envelope.inside}`);
  return { text, value, members: scanned.members, inner: scanned.inner };
}

/** The text of a member, or `undefined` if there is none of that name. Of several it is the last, the one that the engine keeps. */
export function memberText(text: string, members: readonly Member[], key: string): string | undefined {
  const member = members.findLast((each) => each.key === key);
  return member && text.slice(member.start, member.end);
}

/** Whether a value is an object and not an array. */
export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Locates the members of a JSON object in its text. Only for text that is known to be valid JSON; anything but an object has
 * no members.
 */
export function membersOf(text: string): readonly Member[] {
  return scan(text, { members: [], inside: '', inner: [] }, Number.POSITIVE_INFINITY).members;
}

function parse(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    throw new StrictJsonError('syntax');
  }
}

interface Scanned extends Readonly<Found> {
  readonly tooDeep: boolean;
}

const quote = 0x22;
const comma = 0x2c;
const colon = 0x3a;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const zero = 0x30;

/** One pass over the characters. Strings are skipped by searching for their end, which the engine does fast. */
function scan(text: string, envelope: Envelope, maxDepth: number): Scanned {
  const tracker = createTracker(text, envelope);
  let depth = 0;
  let at = 0;
  while (at < text.length && depth <= maxDepth) {
    const char = text.charCodeAt(at);
    if (char === quote) {
      at = tracker.takeString(at, depth);
    } else if (isNumberStart(char)) {
      at = tracker.takeNumber(at);
    } else if (char <= 0x20) {
      at++;
    } else if (char === comma) {
      tracker.endMember(depth);
      at++;
    } else {
      if (isOpening(char)) depth++;
      else if (isClosing(char)) tracker.endMember(depth--);
      at = tracker.takeScalar(at + 1);
    }
  }
  return { ...tracker.found, tooDeep: depth > maxDepth };
}

function isOpening(char: number): boolean {
  return char === openBrace || char === openBracket;
}

function isClosing(char: number): boolean {
  return char === closeBrace || char === closeBracket;
}

interface Tracker {
  readonly found: Found;
  /** Takes the string at an offset, and the colon after it if it is a key; returns where to go on. */
  takeString(at: number, depth: number): number;
  takeNumber(at: number): number;
  /** Takes anything else that a value can end with; returns where to go on. */
  takeScalar(end: number): number;
  endMember(depth: number): void;
}

interface Found {
  readonly members: Member[];
  readonly inner: Member[];
  /** Members of all objects in the text. */
  count: number;
  /** Offset of the first number that does not survive, or −1. */
  badNumber: number;
}

type Opened = Omit<Member, 'end'>;

function closed({ key, keyStart, start }: Opened, end: number): Member {
  return { key, keyStart, start, end };
}

/** Follows which member is being read at depth 1, and at depth 2 inside the one that matters. */
function createTracker(text: string, envelope: Envelope): Tracker {
  const found: Found = { members: [], inner: [], count: 0, badNumber: -1 };
  let outer: Opened | undefined;
  let inner: Opened | undefined;
  let isInside = false;
  let lastEnd = 0;

  const startMember = (opened: Opened, depth: number): void => {
    if (depth === 1) {
      outer = opened;
      isInside = opened.key === envelope.inside && text.charCodeAt(opened.start) === openBrace;
    } else {
      inner = opened;
    }
  };

  return {
    found,
    takeString: (at, depth) => {
      const end = stringEnd(text, at);
      const after = skipSpace(text, end);
      if (text.charCodeAt(after) !== colon) {
        lastEnd = end;
        return after;
      }
      found.count++;
      const start = skipSpace(text, after + 1);
      if (depth === 1 || (depth === 2 && isInside)) {
        startMember({ key: readString(text, at, end), keyStart: at, start }, depth);
      }
      return start;
    },
    takeNumber: (at) => {
      lastEnd = numberEnd(text, at);
      if (found.badNumber < 0 && !survives(text, at, lastEnd)) found.badNumber = at;
      return lastEnd;
    },
    takeScalar: (end) => {
      lastEnd = end;
      return end;
    },
    endMember: (depth) => {
      if (depth === 1 && outer !== undefined) {
        found.members.push(closed(outer, lastEnd));
        outer = undefined;
        isInside = false;
      } else if (depth === 2 && inner !== undefined) {
        found.inner.push(closed(inner, lastEnd));
        inner = undefined;
      }
    },
  };
}

/**
 * Whether a number means the same to a reader with doubles and to one with big integers or decimals: integers within
 * ±(2⁵³ − 1), others with no more digits than a double can tell apart (17), and nothing that becomes infinite or zero.
 */
function survives(text: string, start: number, end: number): boolean {
  // Fifteen digits always fit, and without an exponent there is no under- or overflow.
  if (end - start <= 15 && !hasExponent(text, start, end)) return true;
  const literal = text.slice(start, end);
  const value = Number(literal);
  if (!Number.isFinite(value)) return false;
  if (/^-?\d+$/.test(literal)) return Number.isSafeInteger(value);
  const digits = significantDigits(literal);
  if (digits === '') return true;
  if (value === 0) return false;
  if (digits.length <= 15) return true;
  if (digits.length <= 17 && Math.abs(value) < Number.MAX_SAFE_INTEGER) return true;
  return digits === significantDigits(value.toExponential());
}

function hasExponent(text: string, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if ((text.charCodeAt(at) | 0x20) === 0x65) return true;
  return false;
}

function significantDigits(literal: string): string {
  const mantissa = literal.split(/[eE]/, 1)[0] ?? '';
  const digits = mantissa.replace(/[-.]/g, '');
  // Not with a pattern that ends in `0+$`: on zeros before another digit that takes quadratic time, and anybody may send them.
  let end = digits.length;
  while (digits.charCodeAt(end - 1) === zero) end--;
  return digits.slice(0, end).replace(/^0+/, '');
}

/** Strings that read differently elsewhere come from raw surrogates or from escapes; few texts have such escapes at all. */
function refuseHostileStrings(text: string): void {
  if (!text.isWellFormed()) throw new StrictJsonError('lone_surrogate');
  if (/\\u[dD]/.test(text)) {
    const pointer = locateFault(text, ({ kind, decoded }) => kind !== 'number' && !decoded.isWellFormed());
    if (pointer !== undefined) throw new StrictJsonError('lone_surrogate', pointer);
  }
  // Either as it is, or with some of its letters escaped.
  if (text.includes('__proto__') || /\\u00[5-7]/.test(text)) {
    const pointer = locateFault(text, ({ kind, decoded }) => kind === 'key' && decoded === '__proto__');
    if (pointer !== undefined) throw new StrictJsonError('forbidden_member', pointer);
  }
  // A reader in C ends a name there.
  if (text.includes('\\u0000')) {
    const pointer = locateFault(text, ({ kind, decoded }) => kind === 'key' && decoded.includes('\0'));
    if (pointer !== undefined) throw new StrictJsonError('forbidden_member', pointer);
  }
}

function countMembers(value: JsonValue): number {
  if (typeof value !== 'object' || value === null) return 0;
  let count = 0;
  if (Array.isArray(value)) {
    for (const item of value) if (typeof item === 'object' && item !== null) count += countMembers(item);
    return count;
  }
  const members = Object.values(value as JsonObject);
  for (const item of members) if (typeof item === 'object' && item !== null) count += countMembers(item);
  return count + members.length;
}

function duplicatePointer(text: string): string {
  return locateFault(text, ({ kind, decoded, seen }) => kind === 'key' && seen.has(decoded)) ?? '';
}

function numberPointer(text: string, offset: number): string {
  return locateFault(text, (token) => token.offset === offset) ?? '';
}

function refuseSimilar(members: readonly Member[], expected: readonly string[], parent: string): void {
  const [key] = suspiciousKeys(members, expected);
  if (key !== undefined) throw new StrictJsonError('similar_member', `${parent}/${key}`);
}
