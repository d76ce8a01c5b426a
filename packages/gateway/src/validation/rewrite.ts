import type { JsonObject, JsonValue } from '@sallyport/protocol';

/**
 * Keywords of our own that a schema gets before it is compiled: `spend` is counted where a reference is followed, and
 * `distinct` stands for `uniqueItems`.
 */
export const ownKeywords = { spend: 'sallyport:spend', distinct: 'sallyport:distinct' } as const;

/** Where a value is data and not a schema, whatever it looks like. */
const data: ReadonlySet<string> = new Set(['const', 'enum', 'default', 'examples', 'example']);
/** Where names are the author's own, and the values are schemas. */
const named: ReadonlySet<string> = new Set([
  'properties',
  'patternProperties',
  '$defs',
  'definitions',
  'dependentSchemas',
  'dependencies',
]);

/**
 * Makes a copy of a schema that means the same and cannot be made to take for ever. A recursive schema can do work that
 * doubles with each level of the value, so every reference that is followed spends from a budget; comparing each item
 * with each other one takes the square of their number, so `uniqueItems` is replaced by a check that looks at each once.
 */
export function rewriteSchema(schema: JsonObject): JsonObject {
  const copy: Record<string, JsonValue> = {};
  for (const [key, value] of Object.entries(schema)) {
    // A dialect is chosen once, for the whole; inside it would only be looked up again.
    if (key === '$schema' || key === '$id') continue;
    if (key === 'uniqueItems') {
      if (value === true) copy[ownKeywords.distinct] = true;
    } else {
      copy[key] = rewriteMember(key, value);
    }
  }
  if (typeof schema.$ref === 'string' || typeof schema.$dynamicRef === 'string') copy[ownKeywords.spend] = true;
  return copy;
}

function rewriteMember(key: string, value: JsonValue): JsonValue {
  if (data.has(key)) return value;
  if (!named.has(key) || !isObject(value)) return rewriteValue(value);
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, rewriteValue(inner)]));
}

function rewriteValue(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(rewriteValue);
  return isObject(value) ? rewriteSchema(value) : value;
}

/** Whether no two items are equal (JSON Schema: numbers by value, objects whatever the order of their members). */
export function areDistinct(items: readonly JsonValue[]): boolean {
  return new Set(items.map(canonical)).size === items.length;
}

function canonical(value: JsonValue): string {
  if (!isObject(value) && !Array.isArray(value)) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${canonical(member)}`).join()}}`;
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
