import { hasTwin, type JsonValue } from '@sallyport/protocol';
import { compilePattern } from './pattern.ts';

/** What one argument has to be, for calls under an intent. At least one of the last four is there; all that are must hold. */
export interface ArgumentBound {
  /** Which targets it is about, by name or pattern. Absent: all of the intent. */
  readonly tool?: string;
  /** JSON pointer (RFC 6901) into the arguments. What it points at has to be there. */
  readonly pointer: string;
  readonly const?: JsonValue;
  readonly enum?: readonly JsonValue[];
  /** Numbers only, both inclusive. */
  readonly minimum?: number;
  readonly maximum?: number;
}

/** What may be called under one intent. */
export interface Allowance {
  /** The id of that intent. */
  readonly intent: string;
  /** Names or patterns, of everything that can be called: `posts.PostService.Publish`, `posts.*`. */
  readonly tools: readonly string[];
  readonly bounds: readonly ArgumentBound[];
  /**
   * How many calls there are in all. How many are left is not known here: it is asked when one is made. Absent: they are not
   * counted, as those of services that serve a counted one.
   */
  readonly calls?: number;
  /**
   * Names or patterns of what services may call in order to serve a call under this intent, besides what their own scopes say.
   * Absent: their scopes alone say.
   */
  readonly serving?: readonly string[];
}

/**
 * What a user said, as far as it limits what may be done about it. Comes from a credential that was made for it, and from
 * nowhere else.
 */
export interface Intent {
  readonly id: string;
  /** SHA-256 of the user's message in UTF-8, base64url without padding. */
  readonly messageDigest: string;
  /** What it is for, in one word that policies know, as whoever made it said: `refund`. The same in all made from it. */
  readonly purpose?: string;
  /** When nothing more may be done about it, in milliseconds since the epoch. */
  readonly expiresAtMs: number;
  /**
   * Its own allowance first, then those of the intents it was made from: a call has to be within each of them. Absent where
   * nothing is limited but the time.
   */
  readonly allows?: readonly Allowance[];
}

/**
 * The intent as services have it that serve a call under it. It stays the same intent, with the same end; but what they have
 * to call is theirs to know, so it is held to what was allowed for that, and costs none of the calls.
 */
export function intentOfServing({ id, messageDigest, purpose, expiresAtMs, allows = [] }: Intent): Intent {
  const limits = allows.flatMap(({ intent, serving }): readonly Allowance[] =>
    serving === undefined ? [] : [{ intent, tools: serving, bounds: [], serving }],
  );
  return {
    ...{ id, messageDigest, expiresAtMs },
    ...(purpose !== undefined && { purpose }),
    ...(limits.length > 0 && { allows: limits }),
  };
}

const matchers = new WeakMap<Allowance, (name: string) => boolean>();

/** The id of the first intent that a target is outside of; `undefined` if it is within all of them. */
export function intentWithout({ allows = [] }: Intent, targetName: string): string | undefined {
  return allows.find((allowance) => !matcherOf(allowance)(targetName))?.intent;
}

function matcherOf(allowance: Allowance): (name: string) => boolean {
  const known = matchers.get(allowance);
  if (known !== undefined) return known;
  const compiled = allowance.tools.map(compilePattern);
  const matches = (name: string): boolean => compiled.some((matchesOne) => matchesOne(name));
  matchers.set(allowance, matches);
  return matches;
}

/** Where arguments are outside of an intent. */
export interface OutOfBounds {
  readonly intent: string;
  /** One sentence for each bound that does not hold, beginning with its pointer. Says nothing of the value that was sent. */
  readonly issues: readonly string[];
}

/** The first intent whose bounds some arguments are outside of; `undefined` if they are within all of them. */
export function outOfBounds({ allows = [] }: Intent, targetName: string, args: JsonValue): OutOfBounds | undefined {
  for (const { intent, bounds } of allows) {
    const issues = bounds
      .filter(({ tool }) => tool === undefined || compilePattern(tool)(targetName))
      .flatMap((bound) => issueOf(bound, args) ?? []);
    if (issues.length > 0) return { intent, issues };
  }
  return undefined;
}

function issueOf(bound: ArgumentBound, args: JsonValue): string | undefined {
  const { pointer, minimum, maximum } = bound;
  const says = (what: string): string => `${pointer === '' ? 'the arguments' : pointer}: ${what}`;
  const value = valueAt(args, pointer);
  if (value === undefined) return says('has to be there');
  if (bound.const !== undefined && !isSame(value, bound.const)) return says('is not what was agreed');
  if (bound.enum !== undefined && !bound.enum.some((one) => isSame(value, one))) return says('is not what was agreed');
  if (minimum === undefined && maximum === undefined) return undefined;
  if (typeof value !== 'number') return says('has to be a number');
  // Written so that a bound which is no number refuses.
  if (minimum !== undefined && !(value >= minimum)) return says('is too small');
  if (maximum !== undefined && !(value <= maximum)) return says('is too large');
  return undefined;
}

/** What a JSON pointer (RFC 6901) points at; `undefined` if there is nothing, or what a service may take for it as well. Own members only. */
function valueAt(root: JsonValue, pointer: string): JsonValue | undefined {
  let value: JsonValue | undefined = root;
  if (pointer === '') return value;
  for (const part of pointer.slice(1).split('/')) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof value !== 'object' || value === null) return undefined;
    if (Array.isArray(value)) {
      if (!/^(0|[1-9]\d*)$/.test(name)) return undefined;
      value = (value as readonly JsonValue[])[Number(name)];
    } else {
      const members = value as Readonly<Record<string, JsonValue>>;
      value = Object.hasOwn(members, name) && !hasTwin(members, name) ? members[name] : undefined;
    }
  }
  return value;
}

/** Equal as JSON values: the order of members means nothing, that of items does. */
function isSame(one: JsonValue, other: JsonValue): boolean {
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return one === other;
  if (Array.isArray(one) !== Array.isArray(other)) return false;
  const left = Object.entries(one);
  const right: ReadonlyMap<string, JsonValue> = new Map(Object.entries(other));
  return (
    left.length === right.size &&
    left.every(([name, value]) => {
      const counterpart = right.get(name);
      return counterpart !== undefined && isSame(value, counterpart);
    })
  );
}
