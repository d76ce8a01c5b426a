import { compilePattern } from '@sallyport/core';
import type { Classification, SideEffect } from '@sallyport/protocol';
import type { PolicySource } from './source.ts';

/** What tool policies say a tool is. */
export interface SaidOfTool {
  readonly owner?: string;
  /** It does at least this. */
  readonly sideEffectAtLeast?: SideEffect;
  /** It is at least so confidential. */
  readonly classificationAtLeast?: Classification;
}

const sideEffects: readonly SideEffect[] = ['read', 'write', 'destructive'];
const classifications: readonly Classification[] = ['public', 'internal', 'confidential', 'restricted'];

/** Puts together what all tool policies say of a tool that they are for: the strictest word, and the last owner. */
export function saidOfTools({ tools }: Pick<PolicySource, 'tools'>): (name: string) => SaidOfTool {
  const saying = tools.flatMap(({ policy }) => {
    // What is only tried makes no tool another one, by which others decide.
    if (policy.shadow === true) return [];
    const { owner, sideEffect, classification } = policy;
    if (owner === undefined && sideEffect === undefined && classification === undefined) return [];
    return [{ policy, matches: policy.tool.map(compilePattern) }];
  });
  if (saying.length === 0) return () => ({});
  return (name) => {
    const found = saying.filter(({ matches }) => matches.some((matchesOne) => matchesOne(name)));
    const owner = found.findLast(({ policy }) => policy.owner !== undefined)?.policy.owner;
    const sideEffect = strictest(
      sideEffects,
      found.map(({ policy }) => policy.sideEffect),
    );
    const classification = strictest(
      classifications,
      found.map(({ policy }) => policy.classification),
    );
    return {
      ...(owner !== undefined && { owner }),
      ...(sideEffect && { sideEffectAtLeast: sideEffect }),
      ...(classification && { classificationAtLeast: classification }),
    };
  };
}

function strictest<Word extends string>(
  order: readonly Word[],
  words: readonly (Word | undefined)[],
): Word | undefined {
  return order.findLast((word) => words.includes(word));
}
