import type { ArgumentNarrowing, JsonText, Narrowing, Tool } from '@sallyport/core';
import { isJsonObject, type JsonObject, type JsonValue, membersOf, spliceMembers } from '@sallyport/protocol';

/** By tool, and what is left of its arguments: the same for the same, so that its entry in lists is made once. */
const made = new WeakMap<Tool, Map<string, Tool>>();
const mostForOne = 100;

/**
 * A tool as the list of one caller shows it: with bounds in its input schema, in the entry that a foreign server wrote too,
 * where every other byte stays. For lists only: calls are validated against the tool itself.
 */
export function narrowedTool(tool: Tool, narrowing: Narrowing): Tool {
  const keywords = keywordsOf(tool.inputSchema, narrowing);
  if (keywords === undefined) return tool;
  const key = JSON.stringify(keywords);
  const known = made.get(tool) ?? new Map<string, Tool>();
  const before = known.get(key);
  if (before !== undefined) return before;
  const inputSchema = withKeywords(tool.inputSchema, keywords);
  const { entryText } = tool;
  const narrowed: Tool = {
    ...tool,
    inputSchema,
    ...(entryText !== undefined && { entryText: entryWith(entryText, keywords) as JsonText }),
  };
  if (known.size >= mostForOne) known.clear();
  known.set(key, narrowed);
  made.set(tool, known);
  return narrowed;
}

/** Keywords of JSON Schema to put into the schemas of properties, by property. */
type Keywords = Readonly<Record<string, Readonly<Record<string, JsonValue>>>>;

function keywordsOf({ properties }: JsonObject, narrowing: Narrowing): Keywords | undefined {
  if (!isJsonObject(properties)) return undefined;
  const all = Object.entries(narrowing).flatMap(([name, bounds]) => {
    const property = Object.hasOwn(properties, name) ? properties[name] : undefined;
    const found = isJsonObject(property) ? tighter(property, bounds) : undefined;
    return found === undefined ? [] : [[name, found] as const];
  });
  return all.length === 0 ? undefined : Object.fromEntries(all);
}

/** The bounds that the schema does not have yet; undefined where it has all, or says it in a way that they do not go with. */
function tighter(property: JsonObject, bounds: ArgumentNarrowing): Readonly<Record<string, JsonValue>> | undefined {
  const keywords: Record<string, JsonValue> = {};
  for (const [keyword, bound] of Object.entries(bounds)) {
    const declared = property[keyword];
    const value = keyword === 'enum' ? listed(property, bound) : tighterBound(keyword, declared, bound);
    if (value !== undefined) keywords[keyword] = value;
  }
  return Object.keys(keywords).length === 0 ? undefined : keywords;
}

function listed({ enum: declared, const: only }: JsonObject, values: readonly JsonValue[]): JsonValue | undefined {
  if (only !== undefined) return undefined;
  if (!Array.isArray(declared)) return values;
  const left = declared.filter((value) => values.includes(value));
  return left.length === 0 || left.length === declared.length ? undefined : left;
}

/** Older drafts have `true` and `false` where newer ones have a number: those are left alone. */
function tighterBound(keyword: string, declared: JsonValue | undefined, bound: number): number | undefined {
  if (declared === undefined) return bound;
  if (typeof declared !== 'number') return undefined;
  const isTighter = keyword.endsWith('aximum') ? bound < declared : bound > declared;
  return isTighter ? bound : undefined;
}

function withKeywords(schema: JsonObject, keywords: Keywords): JsonObject {
  const properties = { ...(schema.properties as JsonObject) };
  for (const [name, more] of Object.entries(keywords))
    properties[name] = { ...(properties[name] as JsonObject), ...more };
  return { ...schema, properties };
}

function entryWith(entryText: string, keywords: Keywords): string {
  return inMember(entryText, 'inputSchema', (schema) =>
    inMember(schema, 'properties', (properties) =>
      Object.entries(keywords).reduce(
        (text, [name, more]) => inMember(text, name, (property) => withMembers(property, more)),
        properties,
      ),
    ),
  );
}

function withMembers(text: string, members: Readonly<Record<string, JsonValue>>): string {
  return spliceMembers(
    text,
    Object.fromEntries(Object.entries(members).map(([key, value]) => [key, JSON.stringify(value)])),
  );
}

/** Changes one member of an object's text: the one that counts, of several with one name. */
function inMember(text: string, name: string, change: (value: string) => string): string {
  const member = membersOf(text).findLast(({ key }) => key === name);
  if (member === undefined) return text;
  return `${text.slice(0, member.start)}${change(text.slice(member.start, member.end))}${text.slice(member.end)}`;
}
