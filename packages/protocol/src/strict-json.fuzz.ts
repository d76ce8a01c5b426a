import { memberText, parseStrict, StrictJsonError } from './strict-json.ts';

/** Keys whose order a parsed object keeps and that nothing refuses. */
type Parsed = null | boolean | number | string | Parsed[] | { [key: string]: Parsed };

/**
 * Whatever text comes in: the strict parser either refuses it with its own error, or agrees with `JSON.parse` in the value
 * and in every slice. For coverage-guided fuzzers and for property tests.
 *
 * @throws Error when it does neither.
 */
export function fuzzStrictJson(text: string): 'accepted' | 'refused' {
  let expected: Parsed | undefined;
  try {
    expected = JSON.parse(text) as Parsed;
  } catch {
    expected = undefined;
  }
  try {
    const strict = parseStrict(text);
    if (expected === undefined && text.trim() !== 'null') throw new Error('accepted what is not JSON');
    if (!same(strict.value, expected)) throw new Error('read another value than JSON.parse');
    if (isObject(expected)) {
      checkSlices(text, strict.members, expected);
      const { params } = expected;
      if (isObject(params)) checkSlices(text, strict.inner, params);
    }
    return 'accepted';
  } catch (error) {
    if (error instanceof StrictJsonError) return 'refused';
    throw error;
  }
}

function checkSlices(
  text: string,
  members: Parameters<typeof memberText>[1],
  expected: { readonly [key: string]: Parsed },
): void {
  if (members.length !== Object.keys(expected).length) throw new Error('lost a member, or found one too many');
  for (const [key, value] of Object.entries(expected)) {
    const slice = memberText(text, members, key);
    if (slice === undefined || !same(JSON.parse(slice), value)) throw new Error('a slice is not its member');
  }
}

function same(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function isObject(value: Parsed | undefined): value is { [key: string]: Parsed } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
