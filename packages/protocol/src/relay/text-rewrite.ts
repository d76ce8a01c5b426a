import { skipSpace, stringEnd } from '../json-text.ts';
import { type Member, membersOf } from '../strict-json.ts';

/** Turns the text of a JSON value into another. Gives back the very same string when there is nothing to change. */
export type Rewrite = (text: string) => string;

/** Changes members of an object, each by its own rewrite; every other byte stays. What is no object stays as it is. */
export function inMembers(rewrites: Readonly<Record<string, Rewrite>>): Rewrite {
  return (text) => {
    const spans = isObjectText(text) ? membersOf(text).filter(({ key }) => Object.hasOwn(rewrites, key)) : [];
    return rewriteSpans(text, spans, (value, { key }) => rewrites[key]?.(value) ?? value);
  };
}

/** Changes every member of an object, whatever its name. */
export function eachMember(rewrite: Rewrite): Rewrite {
  return (text) => (isObjectText(text) ? rewriteSpans(text, membersOf(text), rewrite) : text);
}

/** Changes every item of an array. What is no array stays as it is. */
export function eachItem(rewrite: Rewrite): Rewrite {
  return (text) => rewriteSpans(text, itemsOf(text), rewrite);
}

/** Changes the items of an array, or the one value that stands in its place. */
export function oneOrEach(rewrite: Rewrite): Rewrite {
  const each = eachItem(rewrite);
  return (text) => (text.charCodeAt(skipSpace(text, 0)) === openBracket ? each(text) : rewrite(text));
}

/** Changes a string. What is no string stays as it is. */
export function inString(change: (value: string) => string): Rewrite {
  return (text) => {
    if (text.charCodeAt(0) !== quote) return text;
    const value = JSON.parse(text) as string;
    const changed = change(value);
    return changed === value ? text : JSON.stringify(changed);
  };
}

/** Where a value stands in the text: `text.slice(start, end)`, without white space round it. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** Locates the items of a JSON array in its text. Only for text that is known to be valid JSON; none if it is no array. */
export function itemsOf(text: string): readonly Span[] {
  const open = skipSpace(text, 0);
  if (text.charCodeAt(open) !== openBracket) return [];
  const items: Span[] = [];
  let at = skipSpace(text, open + 1);
  while (at < text.length && text.charCodeAt(at) !== closeBracket) {
    const end = valueEnd(text, at);
    items.push({ start: at, end });
    at = skipSpace(text, end);
    if (text.charCodeAt(at) === comma) at = skipSpace(text, at + 1);
  }
  return items;
}

/** The value of a string member; `undefined` when there is none, or it is something else. */
export function stringMember(text: string, members: readonly Member[], key: string): string | undefined {
  const member = members.findLast((each) => each.key === key);
  if (member === undefined || text.charCodeAt(member.start) !== quote) return undefined;
  return JSON.parse(text.slice(member.start, member.end)) as string;
}

/** Whether the text of a JSON value is that of an object. */
export function isObjectText(text: string): boolean {
  return text.charCodeAt(skipSpace(text, 0)) === openBrace;
}

const quote = 0x22;
const comma = 0x2c;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

function rewriteSpans<S extends Span>(
  text: string,
  spans: readonly S[],
  rewrite: (value: string, span: S) => string,
): string {
  let rewritten = '';
  let copied = 0;
  for (const span of spans) {
    const value = text.slice(span.start, span.end);
    const next = rewrite(value, span);
    if (next === value) continue;
    rewritten += text.slice(copied, span.start) + next;
    copied = span.end;
  }
  return copied === 0 ? text : rewritten + text.slice(copied);
}

/** The offset after the value that starts at `at`; always after `at`. */
function valueEnd(text: string, at: number): number {
  const char = text.charCodeAt(at);
  if (char === quote) return stringEnd(text, at);
  if (char === openBrace || char === openBracket) return nestedEnd(text, at);
  let end = at + 1;
  while (end < text.length && !endsScalar(text.charCodeAt(end))) end++;
  return end;
}

/** Numbers and words are skipped character by character: only strings can hide a bracket. */
function nestedEnd(text: string, at: number): number {
  let depth = 0;
  let next = at;
  do {
    const char = text.charCodeAt(next);
    if (char === openBrace || char === openBracket) depth++;
    else if (char === closeBrace || char === closeBracket) depth--;
    next = char === quote ? stringEnd(text, next) : next + 1;
  } while (depth > 0 && next < text.length);
  return next;
}

function endsScalar(char: number): boolean {
  return char === comma || char === closeBracket || char === closeBrace || char <= 0x20;
}
