import { isNumberStart, numberEnd, readString, stringEnd } from './json-text.ts';

/** One key, string or number of a JSON text, with what is known of the object it stands in. */
export interface LocatedToken {
  readonly kind: 'key' | 'string' | 'number';
  readonly offset: number;
  /** A string without quotes and escapes; a number as it was written. */
  readonly decoded: string;
  /** The keys that the same object had before this one. */
  readonly seen: ReadonlySet<string>;
}

interface Frame {
  readonly isObject: boolean;
  readonly seen: Set<string>;
  expectsKey: boolean;
  key: string;
  index: number;
}

const noKeys: ReadonlySet<string> = new Set();
const maxPointerLength = 200;

/**
 * Finds the first token of a valid JSON text that is a fault, and tells its place as a JSON pointer (RFC 6901), cut to 200
 * characters. The slow companion of the strict parser: it runs when something is wrong, or might be.
 */
export function locateFault(text: string, isFault: (token: LocatedToken) => boolean): string | undefined {
  const frames: Frame[] = [];
  let at = 0;
  while (at < text.length) {
    const char = text.charCodeAt(at);
    if (char !== 0x22 && !isNumberStart(char)) {
      follow(frames, text.charAt(at));
      at++;
      continue;
    }
    const frame = frames.at(-1);
    const { token, end } = tokenAt(text, at, frame);
    const isFound = isFault(token);
    if (token.kind === 'key' && frame !== undefined) enterMember(frame, token.decoded);
    if (isFound) return pointer(frames);
    at = end;
  }
  return undefined;
}

function tokenAt(text: string, offset: number, frame: Frame | undefined): { token: LocatedToken; end: number } {
  const seen = frame?.seen ?? noKeys;
  if (text.charCodeAt(offset) !== 0x22) {
    const end = numberEnd(text, offset);
    return { token: { kind: 'number', offset, decoded: text.slice(offset, end), seen }, end };
  }
  const end = stringEnd(text, offset);
  const kind = frame?.expectsKey === true ? 'key' : 'string';
  return { token: { kind, offset, decoded: readString(text, offset, end), seen }, end };
}

function enterMember(frame: Frame, key: string): void {
  frame.key = key;
  frame.seen.add(key);
  frame.expectsKey = false;
}

/** Follows the nesting. */
function follow(frames: Frame[], char: string): void {
  const frame = frames.at(-1);
  if (char === '{' || char === '[') {
    const isObject = char === '{';
    frames.push({ isObject, expectsKey: isObject, seen: new Set(), key: '', index: 0 });
  } else if (char === '}' || char === ']') {
    frames.pop();
  } else if (char === ',' && frame !== undefined) {
    frame.index++;
    frame.expectsKey = frame.isObject;
  }
}

function pointer(frames: readonly Frame[]): string {
  const parts = frames.map(({ isObject, key, index }) =>
    isObject ? key.replaceAll('~', '~0').replaceAll('/', '~1') : String(index),
  );
  return parts
    .map((part) => `/${part}`)
    .join('')
    .slice(0, maxPointerLength)
    .toWellFormed();
}
