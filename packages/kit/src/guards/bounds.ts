import type { JsonValue } from '@sallyport/protocol';
import type { ArgumentBound } from '../tool-options.ts';

/** Whether arguments are within all of a tool's bounds. */
export type WithinBounds = (args: object) => boolean;

/** Makes the check. @throws TypeError for what is no JSON pointer, or bounds nothing. */
export function boundsCheck(bounds: Readonly<Record<string, ArgumentBound>>): WithinBounds {
  const checks = Object.entries(bounds).map(([pointer, bound]) => {
    if (!/^(?:\/(?:[^~]|~[01])*)+$/.test(pointer)) {
      throw new TypeError(`policy.bounds: ${JSON.stringify(pointer)} is no JSON pointer to an argument`);
    }
    const names = pointer
      .slice(1)
      .split('/')
      .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
    if (Object.keys(bound).every((key) => key === 'optional'))
      throw new TypeError(`policy.bounds: ${pointer} has none`);
    return { names, bound };
  });
  return (args) => checks.every(({ names, bound }) => holds(bound, valueAt(args as JsonValue, names)));
}

function holds({ optional = false, ...bound }: ArgumentBound, value: JsonValue | undefined): boolean {
  if (value === undefined) return optional;
  const { minimum, maximum, maxLength } = bound;
  if (bound.enum !== undefined && !bound.enum.some((one) => isSame(one, value))) return false;
  // Written so that a bound which is no number refuses.
  if (minimum !== undefined && !(typeof value === 'number' && value >= minimum)) return false;
  if (maximum !== undefined && !(typeof value === 'number' && value <= maximum)) return false;
  return maxLength === undefined || (typeof value === 'string' && [...value].length <= maxLength);
}

/** Own members only. */
function valueAt(root: JsonValue, names: readonly string[]): JsonValue | undefined {
  let value: JsonValue | undefined = root;
  for (const name of names) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Readonly<Record<string, JsonValue>>)[name];
  }
  return value;
}

/** Equal as JSON, where members stand in the same order. */
function isSame(one: JsonValue, other: JsonValue): boolean {
  return one === other || (typeof one === 'object' && JSON.stringify(one) === JSON.stringify(other));
}
