import { isDeepStrictEqual } from 'node:util';
import type { JsonValue } from '../json.ts';
import { readResult } from '../json-rpc.ts';
import { toLegacyResult, toModernResult } from './era-result.ts';
import { prefixNaming } from './naming.ts';
import { rewriteResult } from './rewrite-result.ts';

const naming = prefixNaming('blog');
const methods = ['tools/call', 'prompts/get', 'resources/read', 'resources/list', 'tools/list', 'tasks/get', 'acme/do'];
const ofEra: ReadonlySet<string> = new Set([
  'resultType',
  'ttlMs',
  'cacheScope',
  'content',
  'structuredContent',
  '_meta',
]);

/**
 * Whatever a server answers: renaming its URIs changes nothing but strings that get the service in front, and crossing eras
 * changes nothing but the members that differ between them. For coverage-guided fuzzers and for property tests.
 *
 * @throws Error when it is not so.
 */
export function fuzzRewriting(text: string): string {
  const result = readResult(text);
  if (result.kind === 'invalid') return 'refused';
  let verdict = 'same';
  for (const method of methods) {
    const renamed = rewriteResult(naming, method, result.text);
    if (renamed !== result.text) verdict = 'renamed';
    const read = JSON.parse(renamed) as JsonValue;
    if (!isDeepStrictEqual(withoutService(read), withoutService(result.value)))
      throw new Error(`${method}: ${renamed}`);
    const modern = toModernResult(method, result.text);
    const legacy = toLegacyResult(method, modern);
    for (const crossed of [modern, legacy]) {
      const others = withoutMembers(JSON.parse(crossed) as JsonValue);
      if (!isDeepStrictEqual(others, withoutMembers(result.value))) throw new Error(`${method}: ${crossed}`);
    }
  }
  return verdict;
}

function withoutService(value: JsonValue): JsonValue {
  const text = JSON.stringify(value, (_key, each) =>
    typeof each === 'string' ? each.replace(/^(ui:\/\/)?(?:blog\+)+/, '$1') : each,
  );
  return JSON.parse(text) as JsonValue;
}

function withoutMembers(value: JsonValue): JsonValue {
  return Object.fromEntries(Object.entries(value ?? {}).filter(([key]) => !ofEra.has(key)));
}
