import type { AccessRequest, ArgumentNarrowing, Narrowing, PolicyEngine } from '@sallyport/core';
import type { JsonObject } from '@sallyport/protocol';

/** What all engines together leave of a tool's arguments: each bound is the tightest of any. */
export function createNarrow(
  engines: readonly PolicyEngine[],
): (request: AccessRequest, schema: JsonObject) => Narrowing | undefined {
  return (request, schema) =>
    engines.reduce<Narrowing | undefined>((all, engine) => {
      const one = engine.narrow?.(request, schema);
      return all === undefined || one === undefined ? (all ?? one) : both(all, one);
    }, undefined);
}

function both(one: Narrowing, other: Narrowing): Narrowing {
  const names = new Set([...Object.keys(one), ...Object.keys(other)]);
  return Object.fromEntries([...names].map((name) => [name, tighter(one[name] ?? {}, other[name] ?? {})]));
}

function tighter(one: ArgumentNarrowing, other: ArgumentNarrowing): ArgumentNarrowing {
  const lists = [one.enum, other.enum].filter((list) => list !== undefined);
  const [first, second = first] = lists;
  const common = first?.filter((value) => second?.includes(value));
  const least = { minimum: greatest(one.minimum, other.minimum), maximum: smallest(one.maximum, other.maximum) };
  const exclusive = {
    exclusiveMinimum: greatest(one.exclusiveMinimum, other.exclusiveMinimum),
    exclusiveMaximum: smallest(one.exclusiveMaximum, other.exclusiveMaximum),
  };
  // Nothing in common is nothing to be said: such a call is denied, and a schema has to allow something.
  const all = { ...least, ...exclusive, enum: common?.length === 0 ? undefined : common };
  return Object.fromEntries(Object.entries(all).filter(([, bound]) => bound !== undefined));
}

function greatest(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.max(one, other);
}

function smallest(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.min(one, other);
}
