import { isNumberStart, numberEnd, readString, skipSpace, stringEnd } from './json-text.ts';

/** Where a member of an object stands in the text: `text.slice(start, end)` is its value, without white space round it. */
export interface Member {
  readonly key: string;
  /** Where the quote before its name stands. */
  readonly keyStart: number;
  readonly start: number;
  readonly end: number;
}

/** Which members a message is made of. A key that differs from one of them in case only is refused: other readers fold case. */
export interface Envelope {
  readonly members: readonly string[];
  /** The member whose own members are located too. */
  readonly inside: string;
  readonly inner: readonly string[];
}

/** What one pass over the characters found. */
export interface Scanned extends Readonly<Found> {
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

/**
 * One pass over the characters of a text that is, or is about to be proved, valid JSON; it ends at the first level beyond
 * `maxDepth`. Strings are skipped by searching for their end, which the engine
 * does fast.
 */
export function scan(text: string, envelope: Envelope, maxDepth: number): Scanned {
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
