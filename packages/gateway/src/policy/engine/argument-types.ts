import { isJsonObject, type JsonObject, type JsonValue } from '@sallyport/protocol';
import type { ArgumentType } from '../types.ts';

/** Schemas nest and refer to themselves: deeper than this nothing is typed, and less deep where that would be too much. */
const depths = [12, 8, 6, 4, 2, 1];
/** A schema of a few hundred bytes that refers to itself in each of its members is millions of types at the full depth. */
const mostTypes = 10_000;
const untyped: ArgumentType = { kind: 'untyped' };

/**
 * What the values of a JSON Schema are in Cedar: integer → Long, number → decimal, string, boolean, arrays of one type → Set,
 * objects → Record. `null` is absence, so `["string", "null"]` is a string that need not be there. Everything else (mixed
 * arrays, alternatives, members that no `properties` names, no type at all) is untyped.
 */
export function typeOfSchema(schema: JsonObject): ArgumentType {
  for (const deepest of depths) {
    const left = { types: mostTypes };
    const type = typeOf(schema, { root: schema, depth: deepest, left });
    if (left.types >= 0) return type;
  }
  return untyped;
}

interface Where {
  readonly root: JsonObject;
  /** How much deeper it may go. */
  readonly depth: number;
  /** How many more there may be in all. */
  readonly left: { types: number };
}

function typeOf(value: JsonValue | undefined, { root, depth, left }: Where): ArgumentType {
  left.types--;
  if (depth < 0 || left.types < 0 || !isJsonObject(value)) return untyped;
  const inner = { root, depth: depth - 1, left };
  if (typeof value.$ref === 'string') return typeOf(referenced(root, value.$ref), inner);
  const alternatives = value.anyOf ?? value.oneOf;
  const name = nameOf(value);
  if (alternatives !== undefined && name === undefined) return alternative(alternatives, inner);
  switch (name) {
    case 'integer':
      return { kind: 'long' };
    case 'number':
      return { kind: 'decimal' };
    case 'string':
      return { kind: 'string' };
    case 'boolean':
      return { kind: 'boolean' };
    case 'array':
      return setOf(value, inner);
    case 'object':
      return recordOf(value, inner);
    default:
      return untyped;
  }
}

/** The one type that is not `null`, or what all allowed values are. */
function nameOf({ type, enum: values, const: only }: JsonObject): string | undefined {
  if (typeof type === 'string') return type;
  if (Array.isArray(type)) {
    const names = type.filter((name) => name !== 'null');
    return names.length === 1 && typeof names[0] === 'string' ? names[0] : undefined;
  }
  const named = only === undefined ? (Array.isArray(values) ? values : []) : [only];
  const [first, ...rest] = new Set(named.filter((value) => value !== null).map(nameOfValue));
  return rest.length === 0 ? first : undefined;
}

function nameOfValue(value: JsonValue): string | undefined {
  if (typeof value === 'string') return 'string';
  if (typeof value === 'boolean') return 'boolean';
  return typeof value === 'number' && Number.isInteger(value) ? 'integer' : undefined;
}

/** What programs write for something that may be `null`: the other one of two. */
function alternative(alternatives: JsonValue, where: Where): ArgumentType {
  if (!Array.isArray(alternatives)) return untyped;
  const some = alternatives.filter((one) => !(isJsonObject(one) && one.type === 'null'));
  return some.length === 1 ? typeOf(some[0], where) : untyped;
}

function setOf({ items, prefixItems }: JsonObject, where: Where): ArgumentType {
  if (prefixItems !== undefined) return untyped;
  const element = typeOf(items, where);
  return element.kind === 'untyped' ? untyped : { kind: 'set', element };
}

function recordOf({ properties, required }: JsonObject, where: Where): ArgumentType {
  const needed = new Set(Array.isArray(required) ? required : []);
  const members = Object.entries(isJsonObject(properties) ? properties : {}).map(
    ([name, schema]) =>
      [name, { type: typeOf(schema, where), required: needed.has(name) && !mayBeNull(schema) }] as const,
  );
  return { kind: 'record', members: Object.fromEntries(members) };
}

/** What may be `null` may be absent, whatever `required` says. */
function mayBeNull(schema: JsonValue): boolean {
  if (!isJsonObject(schema)) return true;
  const { type, enum: values, anyOf, oneOf, $ref } = schema;
  const some = [type, values].flat().some((one) => one === 'null' || one === null);
  return some || $ref !== undefined || [anyOf ?? oneOf ?? []].flat().some((one) => one !== undefined && mayBeNull(one));
}

/** Only references into the schema itself, by JSON pointer. */
function referenced(root: JsonObject, reference: string): JsonValue | undefined {
  if (reference === '#') return root;
  if (!reference.startsWith('#/')) return undefined;
  let found: JsonValue | undefined = root;
  for (const part of reference.slice(2).split('/')) {
    const name = decoded(part)?.replaceAll('~1', '/').replaceAll('~0', '~');
    found = name !== undefined && isJsonObject(found) && Object.hasOwn(found, name) ? found[name] : undefined;
  }
  return found;
}

/** Undefined: a `%` that begins nothing. Servers of others write schemas, too. */
function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}
