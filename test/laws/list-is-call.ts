import type { Principal } from '@sallyport/core';
import type { Driver, Listable, Seen } from '@sallyport/testkit';
import type { Caller } from './lab.ts';
import { listenedTo } from './listening.ts';
import type { Way, World } from './world.ts';

const outOfReach: ReadonlySet<string | undefined> = new Set([
  ...['unknown_tool', 'unknown_prompt', 'unknown_resource', 'insufficient_scope', 'contained', 'intent_exceeded'],
]);

/** Whether a call was refused because its caller may not have the thing at all: not for what it is called with. */
export function isOutOfReach({ reason, bytes }: Seen): boolean {
  return outOfReach.has(reason) && !(reason === 'intent_exceeded' && bytes.includes('issues'));
}

/** How what is listed is asked for without arguments. */
const calls: Readonly<Record<Listable, (driver: Driver, name: string) => Promise<Seen>>> = {
  tools: (driver, name) => driver.call(name, {}),
  prompts: (driver, name) => driver.ask('prompts/get', { name }),
  resources: (driver, uri) => driver.ask('resources/read', { uri }),
  templates: (driver, uri) => driver.ask('resources/read', { uri: uri.replace('{n}', '7') }),
};

interface Compared {
  readonly over: readonly Way[];
  readonly callers: readonly Caller[];
  /** Default: tools. */
  readonly what?: Listable;
  /** All there are, by the names they are listed by where everything is. */
  readonly names: readonly string[];
}

/**
 * Law 3, **list = call**: something is listed for a caller exactly when asking for it without arguments is not refused as
 * unknown, hidden, out of scope or contained. The ways of listing and calling are mixed, for the law goes across them.
 */
export async function listIsCall(world: World, compared: Compared): Promise<readonly string[]> {
  const { over, callers, what = 'tools', names } = compared;
  const violations: string[] = [];
  for (const caller of callers) {
    for (const [at, way] of over.entries()) {
      const { result } = await world.driver(way, caller).list(what);
      const other = over[(at + 1) % over.length] ?? way;
      if (Array.isArray(result))
        violations.push(...(await compare(world, { caller, way, other, what, names, listed: result })));
      else violations.push(`${caller} cannot list ${what} over ${way}`);
    }
  }
  return violations;
}

interface Listed extends Pick<Compared, 'names'> {
  readonly caller: Caller;
  readonly way: Way;
  readonly other: Way;
  readonly what: Listable;
  readonly listed: readonly unknown[];
}

async function compare(world: World, { caller, way, other, what, names, listed }: Listed): Promise<readonly string[]> {
  const violations: string[] = [];
  for (const name of names) {
    world.freshLimits();
    const seen = await calls[what](world.driver(other, caller), name);
    if (listed.includes(name) !== isOutOfReach(seen)) continue;
    const word = listed.includes(name) ? 'listed' : 'not listed';
    violations.push(`${name} is ${word} for ${caller} over ${way}, called over ${other}: ${seen.reason}`);
  }
  return violations;
}

/** The law for listening: a resource can be watched exactly when it can be read. */
export async function watchedIsRead(
  world: World,
  { over, callers, names }: Omit<Compared, 'what'>,
): Promise<readonly string[]> {
  const violations: string[] = [];
  for (const caller of callers) {
    for (const way of over) {
      const watched = await listenedTo(world, { way, caller }, { resourceSubscriptions: names });
      for (const uri of names) {
        world.freshLimits();
        const seen = await world.driver(way, caller).ask('resources/read', { uri });
        if (watched.includes(uri) !== isOutOfReach(seen)) continue;
        violations.push(`${uri} by ${caller} over ${way}: read with ${seen.reason ?? seen.kind}, watched otherwise`);
      }
    }
  }
  return violations;
}

/** Who may know of what, drawn at random: names by subject. */
export interface RandomPolicy {
  readonly hidden: ReadonlySet<string>;
  readonly denied: ReadonlySet<string>;
  readonly contained: ReadonlySet<string>;
}

/** The key under which one target is kept for one principal. */
export function keyOf({ subject }: Pick<Principal, 'subject'>, target: string): string {
  return `${subject} ${target}`;
}

/** The name of the template of the tests that a resource stands for, if it does. */
export function familyOf(target: string): string {
  return target.replace(/^lab\.resources\/(page:\/\/.*\/)7$/, 'lab.templates/$1{n}');
}
