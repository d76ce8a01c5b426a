import type { JsonValue } from '@sallyport/protocol';
import type { ArgumentType } from '../types.ts';
import { decimalOfNumber } from './extensions.ts';
import { refused } from './frame.ts';
import { CedarRecord, CedarSet, type Known } from './values.ts';

/** Of what nobody knows the type: it has no encoding. */
export const untyped: ArgumentType = { kind: 'untyped' };

/** Whether a value has members, as records have. */
export function isMembers(value: JsonValue): value is Readonly<Record<string, JsonValue>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Cedar's JSON reads these as something else than a member. */
export const reserved: ReadonlySet<string> = new Set(['__entity', '__extn', '__expr', '__proto__']);

/** How a member of something typed is typed. Undefined: arguments of what is no tool, which are texts and nothing else. */
export function memberType(type: ArgumentType | undefined, name: string): ArgumentType {
  if (reserved.has(name)) return untyped;
  if (type === undefined) return { kind: 'string' };
  if (type.kind !== 'record' || !Object.hasOwn(type.members, name)) return untyped;
  return type.members[name]?.type ?? untyped;
}

/** The value in Cedar, exactly, or not at all: nothing is rounded, and no other type is taken for the declared one. */
export function encode(value: JsonValue, type: ArgumentType | undefined): Known | typeof refused {
  switch (type?.kind) {
    case 'long':
      return typeof value === 'number' && Number.isSafeInteger(value) ? value + 0 : refused;
    case 'decimal':
      return (typeof value === 'number' ? decimalOfNumber(value) : undefined) ?? refused;
    case 'string':
      return typeof value === 'string' ? textOf(value) : refused;
    case 'boolean':
      return typeof value === 'boolean' ? value : refused;
    case 'set':
      return Array.isArray(value) ? setOfKnown(value.map((item: JsonValue) => encode(item, type.element))) : refused;
    case 'untyped':
      return refused;
    default:
      return isMembers(value) ? encodeMembers(value, type) : refused;
  }
}

function encodeMembers(
  values: Readonly<Record<string, JsonValue>>,
  type: ArgumentType | undefined,
): Known | typeof refused {
  const present = Object.entries(values).filter(([, value]) => value !== null);
  return recordOf(present.map(([name, value]) => [name, encode(value, memberType(type, name))]));
}

/** A text with half a character in it is no text to Cedar. */
export function textOf(text: string): Known | typeof refused {
  return text.isWellFormed() ? text : refused;
}

/** A set of texts, unless one is none to Cedar. */
export function setOf(texts: readonly string[]): Known | typeof refused {
  return setOfKnown(texts.map(textOf));
}

function setOfKnown(items: readonly (Known | typeof refused)[]): Known | typeof refused {
  return items.every((item) => item !== refused) ? new CedarSet(items) : refused;
}

/** A record, unless a member has no encoding. */
export function recordOf(members: readonly (readonly [string, Known | typeof refused])[]): Known | typeof refused {
  const known = new Map<string, Known>();
  for (const [name, value] of members) {
    if (value === refused || reserved.has(name) || !name.isWellFormed()) return refused;
    known.set(name, value);
  }
  return new CedarRecord(known);
}
