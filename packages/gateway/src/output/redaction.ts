import type { OutputFilter } from '@sallyport/core';
import { createRedactor } from './redactor.ts';
import { rules as builtIn, type RedactionRule, type RuleGroup } from './rules.ts';

/** What is taken out of answers. */
export interface RedactionSettings {
  /** Groups of built-in rules that are on. */
  readonly groups: readonly RuleGroup[];
  /** Rules of the operator's own, which are always on. */
  readonly rules: readonly RedactionRule[];
}

/** What is taken out where nobody says otherwise: what opens doors. */
export const defaultRedaction: RedactionSettings = { groups: ['secrets'], rules: [] };

/**
 * The output filter of secrets and personal data: what the rules find in an answer is replaced by `[redacted:<rule>]`, and
 * counted in the record. What the operator says a tool may return stays.
 */
export function createRedaction({ groups, rules }: RedactionSettings): OutputFilter {
  const redact = createRedactor([...builtIn.filter(({ group }) => groups.includes(group)), ...rules]);
  return {
    filter: ({ target }, answer) => {
      const found = redact(answer.text, target.mayReturn);
      return found === undefined ? answer : { ...answer, ...found };
    },
    notification: (target, text) => redact(text, target.mayReturn) ?? { text },
  };
}
