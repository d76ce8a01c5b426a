import type { JsonText } from '@sallyport/core';

/** A number as it was written, in its one spelling: arguments are told apart by what leaves, not by what a double makes of it. */
class Exact {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

type Exactly = null | boolean | string | Exact | readonly Exactly[] | { readonly [name: string]: Exactly };

/**
 * The same text for the same JSON value, like RFC 8785: members sorted by UTF-16 units, no white space, strings as
 * `JSON.stringify` writes them. Unlike there, numbers are decimals of any length: `1.0`, `10e-1` and `1` are one,
 * 9007199254740993 and 9007199254740992 are two.
 *
 * @throws SyntaxError for what is no JSON.
 */
export function canonicalJson(text: JsonText): string {
  const parse = JSON.parse as (text: string, reviver: (...seen: Seen) => unknown) => Exactly;
  return write(parse(text, (_name, value, { source }) => (typeof value === 'number' ? exact(source ?? '') : value)));
}

type Seen = [name: string, value: unknown, context: { readonly source?: string }];

function exact(source: string): Exact {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(source) ?? [];
  const digits = `${whole}${fraction}`.replace(/^0+/, '');
  // Not with a pattern that ends in `0+$`: on zeros before another digit that takes quadratic time.
  let end = digits.length;
  while (digits[end - 1] === '0') end--;
  const significant = digits.slice(0, end);
  if (significant === '') return new Exact(`${sign}0`);
  const power = BigInt(exponent) - BigInt(fraction.length) + BigInt(digits.length - significant.length);
  return new Exact(`${sign}${significant}e${power}`);
}

function write(value: Exactly): string {
  if (value instanceof Exact) return value.text;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (isList(value)) return `[${value.map(write).join()}]`;
  const members = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${write(member)}`).join()}}`;
}

function isList(value: Exactly): value is readonly Exactly[] {
  return Array.isArray(value);
}
