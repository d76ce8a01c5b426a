import type { Principal } from '@sallyport/core';
import type { JsonObject } from '@sallyport/protocol';
import type { SendOptions } from '@sallyport/testkit';
import { type Caller, callers, limitedBurst, principalOf } from './lab.ts';

/** How a call has to end. `suspended` and `tool_error` are not refusals. */
export type Expectation = 'answered' | 'tool_error' | 'suspended' | (string & {});

/** One kind of call, and how it must end for whom. The model knows nothing of stages, only of who may do what. */
export interface Case {
  readonly name: string;
  readonly tool: string;
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

const always = (outcome: Expectation) => (): Expectation => outcome;
const holds = (principal: Principal, ...anyOf: readonly string[]): boolean =>
  anyOf.some((scope) => principal.scopes.includes('*') || principal.scopes.includes(scope));
const isInside = ({ kind }: Principal): boolean => kind === 'service' || kind === 'owner';

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
  ask('Amount', 'answered', { name: 'Amount in bounds', args: { amount: 100 } }),
  ask('Amount', 'policy_denied', { name: 'Amount out of bounds', args: { amount: 101 } }),
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
  return { end, arrives: end === 'answered' || one.arrives === true };
}

/** The tool's own name, whatever the case calls it by. */
export function canonicalName(one: Case): string {
  return one.tool.startsWith('lab_') ? one.tool.replaceAll('_', '.') : one.tool;
}
