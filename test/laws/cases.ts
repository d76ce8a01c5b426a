import type { Principal } from '@sallyport/core';
import type { JsonObject } from '@sallyport/protocol';
import type { SendOptions } from '@sallyport/testkit';
import { type Caller, callers, principalOf } from './lab.ts';
import { isMeant, meantAmount, meantCalls } from './meant.ts';
import { limitedBurst } from './offers.ts';
import type { Way } from './ways.ts';

/** How a call has to end. `suspended` and `tool_error` are not refusals. */
export type Expectation = 'answered' | 'tool_error' | 'suspended' | (string & {});

/** One kind of call, and how it must end for whom. The model knows nothing of stages, only of who may do what. */
export interface Case {
  readonly name: string;
  /** What is called or asked for, as it is named where everything is offered. */
  readonly tool: string;
  /** The name that rules go by, where it is another. */
  readonly target?: string;
  /** For requests that are no `tools/call`. */
  readonly ask?: { readonly method: string; readonly params: JsonObject };
  /** Which ways in have this request. Default: all. */
  readonly over?: (way: Way) => boolean;
  /** The arguments as they have to leave. Default: as they were given. */
  readonly leaves?: string;
  readonly args?: JsonObject | string;
  readonly options?: SendOptions;
  /** This many calls of the same before the one that counts. */
  readonly before?: number;
  /** `answered`, `tool_error`, `suspended` or the reason of the refusal. */
  expected(principal: Principal): Expectation;
  /** Whether it reaches its service for somebody who may call it; by default when it is answered. */
  readonly arrives?: boolean;
  /** Needs a way in that takes text. */
  readonly asText?: boolean;
}

/** The same for everybody. */
export const always = (outcome: Expectation) => (): Expectation => outcome;
/** Whether somebody has one of these scopes. */
export const holds = (principal: Principal, ...anyOf: readonly string[]): boolean =>
  anyOf.some((scope) => principal.scopes.includes('*') || principal.scopes.includes(scope));
/** Whether somebody reaches what is internal. */
export const isInside = ({ kind }: Principal): boolean => kind === 'service' || kind === 'owner';

const ask = (name: string, end: Expectation | Case['expected'], more: Partial<Case> = {}): Case => ({
  name,
  tool: `lab.Tools.${name}`,
  expected: typeof end === 'function' ? end : always(end),
  ...more,
});

/** Every way a call can end, at least once. */
export const cases: readonly Case[] = [
  ask('Echo', 'answered', { args: { a: 1, b: ['x', null, { c: 'é\n' }] } }),
  ask('Echo', 'answered', { name: 'Echo by alias', tool: 'lab_Tools_Echo', args: {} }),
  ask('Echo', 'answered', { name: 'Echo of odd text', args: '{ "a" : 1.50 , "b":"\\u00e9\\/" }', asText: true }),
  ask('Scoped', (who) => (holds(who, 'lab:write') ? 'answered' : 'insufficient_scope')),
  ask('Either', (who) => (holds(who, 'lab:admin', 'lab:read') ? 'answered' : 'insufficient_scope')),
  ask('Internal', (who) => (isInside(who) ? 'answered' : 'unknown_tool')),
  ask('Hidden', (who) => (who.attributes.cleared === true ? 'answered' : 'unknown_tool')),
  ask('Hidden', (who) => (who.attributes.cleared === true ? 'answered' : 'unknown_tool'), {
    ...{ name: 'Hidden by alias', tool: 'lab_Tools_Hidden' },
  }),
  ask('Unknown', 'unknown_tool'),
  ask('Amount', 'answered', { name: 'Amount in bounds', args: { amount: meantAmount } }),
  ask('Amount', (who) => (who.intent === undefined ? 'answered' : 'intent_exceeded'), {
    ...{ name: 'Amount out of an intent', args: { amount: meantAmount + 1 } },
  }),
  ask('Amount', 'policy_denied', { name: 'Amount out of bounds', args: { amount: 101 } }),
  ask('Echo', (who) => (who.intent === undefined ? 'answered' : 'intent_spent'), {
    ...{ name: 'Echo, more often than an intent allows', before: meantCalls },
  }),
  ask('Slow', 'upstream_timeout', { arrives: true }),
  ask('Crash', 'upstream_failed', { arrives: true }),
  ask('Fails', 'tool_error', { arrives: true }),
  ask('Broken', 'invalid_output', { arrives: true }),
  ask('Limited', 'answered', { name: 'Limited, within' }),
  ask('Limited', 'rate_limited', { name: 'Limited, beyond', before: limitedBurst }),
  ask('Suspended', 'suspended'),
  ask('Quota', 'quota_exhausted'),
  ask('Uncredentialed', 'credential_unavailable'),
  ask('Secret', 'answered'),
  ask('Contained', 'contained'),
  ask('Audited', 'answered', { args: { title: 'x' } }),
  ask('Param', 'answered', { args: { region: 'eu' }, options: { paramHeaders: { Region: 'eu' } } }),
  ask('Strict', 'answered', { name: 'Strict, good', args: { title: 'x' } }),
  ask('Strict', 'invalid_input', { name: 'Strict, missing' }),
  ask('Strict', 'invalid_input', { name: 'Strict, wrong', args: { title: 7 } }),
  ask('Strict', 'invalid_input', { name: 'Strict, more', args: { title: 'x', admin: true } }),
];

/** How a call of this case has to end for this caller. */
export function expectationOf(one: Case, caller: Caller): { readonly end: Expectation; readonly arrives: boolean } {
  const principal = principalOf(caller);
  if (principal === undefined) {
    const end = caller === 'none' ? 'credential_missing' : String(callers[caller]);
    return { end, arrives: false };
  }
  const end = one.expected(principal);
  if (!isUnknown(end) && !isMeant(principal, canonicalName(one))) return { end: 'intent_exceeded', arrives: false };
  return { end, arrives: end === 'answered' || one.arrives === true };
}

/** What there is not, and what this caller may not know of. */
export function isUnknown(end: Expectation | undefined): boolean {
  return end?.startsWith('unknown_') === true || end === 'method_unknown';
}

/** The name that rules go by, whatever the case calls it by. */
export function canonicalName({ target, tool }: Case): string {
  return target ?? (tool.startsWith('lab_') ? tool.replaceAll('_', '.') : tool);
}
