import { scopesSatisfy } from '@sallyport/protocol';
import { failure } from '../answer.ts';
import type { IncomingCall } from '../call-context.ts';
import type { Guard } from '../running-call.ts';
import type { CallLimit, Description, ToolPolicy } from '../tool-options.ts';
import { boundsCheck } from './bounds.ts';
import { limitGuard } from './limit.ts';

/** What guards know of where they are. */
export interface GuardRules {
  readonly nowMs: () => number;
  /** What the place is called where the service runs. */
  readonly environment: string | undefined;
}

/** What is guarded. */
export interface Guarded extends Pick<Description, 'scopes' | 'internal'> {
  readonly policy?: ToolPolicy;
  readonly limit?: CallLimit;
}

/**
 * Makes what looks at the calls of one tool, prompt or resource before they run. What is about the caller is asked only of
 * calls that a gateway vouches for: of others nobody knows who they are.
 *
 * @throws TypeError for a policy or a limit that is not right.
 */
export function guardOf(name: string, guarded: Guarded, rules: GuardRules): { readonly guard?: Guard } {
  const { scopes = [], internal = false, policy, limit } = guarded;
  try {
    const byPolicy = policy && policyGuard(policy, rules);
    const byLimit = limit && limitGuard(limit, rules.nowMs);
    const guard: Guard = (incoming) =>
      callerGuard(incoming, { scopes, internal }) ?? byPolicy?.(incoming) ?? byLimit?.(incoming);
    return { guard };
  } catch (cause) {
    throw new TypeError(`${name}: ${cause instanceof Error ? cause.message : 'not right'}`, { cause });
  }
}

const lacksScope = failure('scope_missing');
const forbidden = failure('forbidden');

/** The gateway has asked the same; whoever got past it, or is let in by one that does not know what is declared, is not. */
function callerGuard(
  { statement, principal, needs }: IncomingCall,
  { scopes, internal }: Required<Pick<Guarded, 'scopes' | 'internal'>>,
) {
  if (statement === undefined) return undefined;
  if (internal && principal.kind !== 'service' && principal.kind !== 'owner' && needs === undefined) return forbidden;
  return scopesSatisfy(principal.scopes, needs ?? scopes) ? undefined : lacksScope;
}

function policyGuard({ bounds = {}, environments, callers, intent }: ToolPolicy, rules: GuardRules): Guard {
  const within = boundsCheck(bounds);
  const isHere =
    environments === undefined || (rules.environment !== undefined && environments.includes(rules.environment));
  return ({ statement, principal, arguments: args }) => {
    const isRightCaller =
      statement === undefined ||
      ((callers === undefined || callers.includes(principal.kind)) &&
        (intent === undefined || principal.intent !== undefined));
    return isHere && isRightCaller && within(args) ? undefined : forbidden;
  };
}
