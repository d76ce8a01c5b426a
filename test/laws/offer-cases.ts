import type { Principal } from '@sallyport/core';
import type { JsonObject } from '@sallyport/protocol';
import { always, type Case, type Expectation, holds, isInside } from './cases.ts';
import { limitedBurst, offeredNames, type Variant, variantNames } from './offers.ts';
import { isMount, type Way } from './ways.ts';

/** One kind of request that is no `tools/call`. */
interface Request {
  readonly name: string;
  readonly method: string;
  /** Which of the names it is governed by. */
  readonly by: keyof ReturnType<typeof offeredNames>;
  readonly unknown: Expectation;
  readonly over: (way: Way) => boolean;
  readonly params: (variant: string) => JsonObject;
  /** The arguments as the service has to get them. */
  readonly leaves: (variant: string) => JsonObject;
}

const noMcp: ReadonlySet<Way> = new Set(['rest', 'hop']);
const overMcp = (way: Way): boolean => !noMcp.has(way) && way !== 'embedded';
const argument = { name: 'title', value: 'x' };

/** Every request for something that a service offers. */
export const requests: readonly Request[] = [
  {
    ...{ name: 'prompt', method: 'prompts/get', by: 'prompt', unknown: 'unknown_prompt' },
    over: (way) => !noMcp.has(way),
    params: (variant) => ({ name: `lab.${variant}`, arguments: { title: 'é "x"' } }),
    leaves: () => ({ title: 'é "x"' }),
  },
  {
    ...{ name: 'resource', method: 'resources/read', by: 'resource', unknown: 'unknown_resource' },
    over: (way) => !noMcp.has(way),
    params: (variant) => ({ uri: `lab+note://${variant}` }),
    leaves: (variant) => ({ uri: `note://${variant}` }),
  },
  {
    ...{ name: 'page', method: 'resources/read', by: 'page', unknown: 'unknown_resource' },
    over: (way) => !noMcp.has(way),
    params: (variant) => ({ uri: `lab+page://${variant}/7` }),
    leaves: (variant) => ({ uri: `page://${variant}/7` }),
  },
  {
    ...{ name: 'completion of a prompt', method: 'completion/complete', by: 'prompt', unknown: 'unknown_prompt' },
    over: overMcp,
    params: (variant) => ({ ref: { type: 'ref/prompt', name: `lab.${variant}` }, argument }),
    leaves: () => ({ argument }),
  },
  {
    ...{ name: 'completion of a page', method: 'completion/complete', by: 'template', unknown: 'unknown_resource' },
    over: overMcp,
    params: (variant) => ({ ref: { type: 'ref/resource', uri: `lab+page://${variant}/{n}` }, argument }),
    leaves: () => ({ argument }),
  },
  {
    ...{ name: 'method of its own', method: 'lab/', by: 'method', unknown: 'method_unknown' },
    // Where more than one service is offered, nobody knows whose method it would be.
    over: isMount,
    params: () => ({ deep: { a: [1, 2.5] } }),
    leaves: () => ({ deep: { a: [1, 2.5] } }),
  },
];

/** Every request in every variant. */
export const offerCases: readonly Case[] = requests.flatMap((request) =>
  [...variantNames, 'Absent'].map((variant) => offerCase(request, variant)),
);

/** Every request at least once, every variant at least once: for questions that are asked of many gateways. */
export const fewOfferCases: readonly Case[] = offerCases.filter((_one, at) => {
  const [request, variant] = [Math.floor(at / (variantNames.length + 1)), at % (variantNames.length + 1)];
  return variant % requests.length === request || ['Echo', 'Hidden'].includes(variantNames[variant] ?? '');
});

/** One request for one variant, or for something that is not there. */
export function offerCase({ name, method, by, unknown, over, params, leaves }: Request, variant: string): Case {
  const isVendor = by === 'method';
  return {
    name: `${variant} (${name})`,
    tool: variant,
    target: offeredNames(variant as Variant)[by],
    ask: { method: isVendor ? `lab/${variant}` : method, params: params(variant) },
    leaves: JSON.stringify(leaves(variant)),
    over,
    // What a service does not list has one limit for all of it, which is far away.
    expected: by === 'page' && variant === 'Limited' ? always('answered') : (who) => endOf(variant, who, unknown),
    ...(variant === 'Limited' && { before: limitedBurst }),
    ...((variant === 'Slow' || variant === 'Crash') && { arrives: true }),
  };
}

const ends: Readonly<Record<string, Expectation>> = {
  Contained: 'contained',
  Crash: 'upstream_failed',
  Limited: 'rate_limited',
  Quota: 'quota_exhausted',
  Slow: 'upstream_timeout',
  Suspended: 'suspended',
  Uncredentialed: 'credential_unavailable',
};

function endOf(variant: string, principal: Principal, unknown: Expectation): Expectation {
  const isCleared = principal.attributes.cleared === true;
  if (variant === 'Absent' || (variant.startsWith('Hidden') && !isCleared)) return unknown;
  if (variant === 'Internal' && !isInside(principal)) return unknown;
  if (variant === 'Scoped' && !holds(principal, 'lab:write')) return 'insufficient_scope';
  if (variant === 'HiddenFully') return 'contained';
  return ends[variant] ?? 'answered';
}
