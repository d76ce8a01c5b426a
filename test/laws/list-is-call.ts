import type { Principal } from '@sallyport/core';
import type { Seen } from '@sallyport/testkit';
import type { Caller } from './lab.ts';
import type { Way, World } from './world.ts';

const outOfReach: ReadonlySet<string | undefined> = new Set([
  ...['unknown_tool', 'unknown_prompt', 'unknown_resource', 'insufficient_scope', 'contained', 'intent_exceeded'],
]);

/** Whether a call was refused because its caller may not have the thing at all: not for what it is called with. */
export function isOutOfReach({ reason, bytes }: Seen): boolean {
  return outOfReach.has(reason) && !(reason === 'intent_exceeded' && bytes.includes('issues'));
}

interface Compared {
  readonly over: readonly Way[];
  readonly callers: readonly Caller[];
  /** All tools there are, by name. */
  readonly tools: readonly string[];
}

/**
 * Law 3, **list = call**: a tool is listed for a caller exactly when calling it without arguments is not refused as
 * unknown, hidden, out of scope or contained. The ways of listing and calling are mixed, for the law goes across them.
 */
export async function listIsCall(world: World, { over, callers, tools }: Compared): Promise<readonly string[]> {
  const violations: string[] = [];
  for (const caller of callers) {
    for (const [at, way] of over.entries()) {
      const { result } = await world.driver(way, caller).list();
      const other = over[(at + 1) % over.length] ?? way;
      if (Array.isArray(result))
        violations.push(...(await compare(world, { caller, way, other, tools, listed: result })));
      else violations.push(`${caller} cannot list over ${way}`);
    }
  }
  return violations;
}

interface Listed {
  readonly caller: Caller;
  readonly way: Way;
  readonly other: Way;
  readonly tools: readonly string[];
  readonly listed: readonly unknown[];
}

async function compare(world: World, { caller, way, other, tools, listed }: Listed): Promise<readonly string[]> {
  const violations: string[] = [];
  for (const tool of tools) {
    world.freshLimits();
    const seen = await world.driver(other, caller).call(tool, {});
    if (listed.includes(tool) !== isOutOfReach(seen)) continue;
    const word = listed.includes(tool) ? 'listed' : 'not listed';
    violations.push(`${tool} is ${word} for ${caller} over ${way}, called over ${other}: ${seen.reason}`);
  }
  return violations;
}

/** Who may know of what, drawn at random: names of tools by subject. */
export interface RandomPolicy {
  readonly hidden: ReadonlySet<string>;
  readonly denied: ReadonlySet<string>;
  readonly contained: ReadonlySet<string>;
}

/** The key under which a policy keeps one tool for one principal. */
export function keyOf({ subject }: Pick<Principal, 'subject'>, tool: string): string {
  return `${subject} ${tool}`;
}
