import type { JsonText, Redactions } from '@sallyport/core';
import { looksDrawn, type RedactionRule, secretMember, secretMemberHints } from './rules.ts';

/** A text from which something was taken, and how often by which rule. */
export interface Redacted {
  readonly text: JsonText;
  readonly redacted: Redactions;
}

/** Takes from JSON text what rules find in its strings; leaves every other byte as it is. `undefined`: there is nothing to take. */
export type Redactor = (text: JsonText, mayReturn?: readonly string[]) => Redacted | undefined;

/** The id of the rule that goes by the names of members. */
export const memberRule = 'secret-member';

/**
 * Builds a redactor. Most answers contain none of the rules' keywords and are let through after one search for all of them at
 * once. Where one occurs, the strings of the text are looked at one by one, as they read once their escapes are undone, and
 * JSON that is quoted in a string as well.
 */
export function createRedactor(rules: readonly RedactionRule[]): Redactor {
  const hasSecrets = rules.some(({ group }) => group === 'secrets');
  const hinted = rules.map((rule) => ({ rule, isHinted: tester(rule.hints) }));
  const isMemberHinted = tester(secretMemberHints);
  const isWorthALook = rules.some(({ hints }) => hints.length === 0)
    ? () => true
    : tester([...rules.flatMap(({ hints }) => hints), ...(hasSecrets ? secretMemberHints : []), letterEscape]);
  return (text, mayReturn = []) => {
    if (mayReturn.includes('*') || !isWorthALook(text)) return undefined;
    // Letters that are written as escapes could spell anything.
    const isSpelledOut = !letterEscape.test(text);
    const isOn = (id: string, group: string) => !mayReturn.includes(id) && !mayReturn.includes(group);
    const counts = new Map<string, number>();
    const cleaned = cleanJson(text, {
      rules: hinted.flatMap(({ rule, isHinted }) =>
        isOn(rule.id, rule.group) && (!isSpelledOut || isHinted(text)) ? [rule] : [],
      ),
      members: hasSecrets && isOn(memberRule, 'secrets') && (!isSpelledOut || isMemberHinted(text)),
      counts,
      depth: 0,
    });
    return counts.size === 0 ? undefined : { text: cleaned as JsonText, redacted: Object.fromEntries(counts) };
  };
}

const letterEscape = /\\u00[2-7]/;

/** Whether at least one of the hints is in a text; always, when there are none. */
function tester(hints: readonly (string | RegExp)[]): (text: string) => boolean {
  if (hints.length === 0) return () => true;
  // All words in one search, which engines are good at; patterns one by one, which costs less than mixing them in.
  const words = [...new Set(hints.filter((hint) => typeof hint === 'string'))];
  const patterns = hints.filter((hint) => typeof hint !== 'string');
  if (words.length > 0) patterns.unshift(new RegExp(words.map(escaped).join('|')));
  return (text) => patterns.some((pattern) => pattern.test(text));
}

function escaped(word: string): string {
  return word.replace(/[.*+?^${}()|[\]\\-]/g, '\\$&');
}

interface Cleaning {
  readonly rules: readonly RedactionRule[];
  /** Whether values of members with telling names are taken. */
  readonly members: boolean;
  readonly counts: Map<string, number>;
  /** In how many strings the text is quoted. */
  readonly depth: number;
}

/** JSON quoted in JSON quoted in JSON is looked into; deeper, the text is looked at as text. */
const maxDepth = 3;

/** Goes through the strings of JSON text. It need not be whole or right: what is between strings is not looked at. */
function cleanJson(text: string, cleaning: Cleaning): string {
  let out = '';
  let copied = 0;
  let key: string | undefined;
  for (let start = text.indexOf('"'); start >= 0; ) {
    const end = endOfString(text, start);
    if (end < 0) break;
    const literal = text.slice(start, end);
    const value = literal.includes('\\') ? unescaped(literal) : literal.slice(1, -1);
    const isKey = isFollowedByColon(text, end);
    const isNamed = key !== undefined && isValueOf(text, start);
    const cleaned = isKey
      ? cleanKey(value, cleaning)
      : cleanValue(value, { ...cleaning, key: isNamed ? key : undefined });
    if (cleaned !== value) {
      out += text.slice(copied, start) + JSON.stringify(cleaned);
      copied = end;
    }
    key = isKey ? value : undefined;
    start = text.indexOf('"', end);
  }
  return copied === 0 ? text : out + text.slice(copied);
}

/** Where the string that begins at `start` is over; negative when it is not. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; ; ) {
    const quote = text.indexOf('"', at);
    if (quote < 0) return -1;
    let backslashes = 0;
    while (text[quote - 1 - backslashes] === '\\') backslashes++;
    if (backslashes % 2 === 0) return quote + 1;
    at = quote + 1;
  }
}

function isFollowedByColon(text: string, end: number): boolean {
  let at = end;
  while (isSpace(text.charCodeAt(at))) at++;
  return text[at] === ':';
}

function isValueOf(text: string, start: number): boolean {
  let at = start - 1;
  while (isSpace(text.charCodeAt(at))) at--;
  return text[at] === ':';
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

function unescaped(literal: string): string {
  try {
    return JSON.parse(literal) as string;
  } catch {
    return literal.slice(1, -1);
  }
}

/** Members whose names were taken away have to stay apart, or one would hide the other. */
function cleanKey(key: string, cleaning: Cleaning): string {
  const cleaned = cleanText(key, cleaning);
  if (cleaned === key) return key;
  const total = [...cleaning.counts.values()].reduce((sum, count) => sum + count, 0);
  return `${cleaned}#${total}`;
}

function cleanValue(value: string, { key, ...cleaning }: Cleaning & { readonly key: string | undefined }): string {
  if (key !== undefined && cleaning.members && secretMember.test(key) && isSecretValue(value))
    return marker(memberRule, cleaning);
  if (isBinary(value, key)) return value;
  const isQuotedJson = cleaning.depth < maxDepth && /^\s{0,100}[{[]/.test(value);
  const inside = isQuotedJson ? cleanJson(value, { ...cleaning, depth: cleaning.depth + 1 }) : value;
  return cleanText(inside, cleaning);
}

/** A password may be a word; what is not one by any measure is a placeholder or a remark. */
function isSecretValue(value: string): boolean {
  return (
    value.length >= 4 &&
    !/\s/.test(value) &&
    (looksDrawn(value) || /[^*x.•]/i.test(value)) &&
    !value.startsWith('[redacted:')
  );
}

/** Pictures and sound: their letters mean nothing, and changing one spoils them. */
function isBinary(value: string, key: string | undefined): boolean {
  return (key === 'data' || key === 'blob') && value.length >= 256 && /^[0-9A-Za-z+/]+={0,2}$/.test(value);
}

function cleanText(text: string, cleaning: Cleaning): string {
  let cleaned = text;
  for (const rule of cleaning.rules) cleaned = applyRule(cleaned, rule, cleaning);
  return cleaned;
}

function applyRule(text: string, rule: RedactionRule, cleaning: Cleaning): string {
  let out = '';
  let copied = 0;
  for (const { start, end } of rule.find(text)) {
    // What another rule has already taken is not taken again.
    if (start === end || text.startsWith('[redacted:', start)) continue;
    out += text.slice(copied, start) + marker(rule.id, cleaning);
    copied = end;
  }
  return copied === 0 ? text : out + text.slice(copied);
}

function marker(id: string, { counts }: Cleaning): string {
  counts.set(id, (counts.get(id) ?? 0) + 1);
  return `[redacted:${id}]`;
}
