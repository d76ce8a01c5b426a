import type { OutputFilter } from '@sallyport/core';
import { createPolicyRedaction } from './policy-redaction.ts';
import { createRedaction, type RedactionSettings } from './redaction.ts';

export { customRule } from './custom-rule.ts';
export { withDataCategories } from './data-categories.ts';
export { type FoundSecret, findSecrets } from './find-secrets.ts';
export { createNewsRedaction } from './policy-redaction.ts';
export { defaultRedaction, type RedactionSettings } from './redaction.ts';
export { type RedactionRule, type RuleGroup, ruleGroups } from './rules.ts';

/** What configuration says to the filters. */
export interface OutputSettings {
  readonly redaction: RedactionSettings;
}

/** The filters every gateway applies, in this order. An embedder may bring its own, which come after them. */
export const outputFilters: readonly ((settings: OutputSettings) => OutputFilter)[] = [
  () => createPolicyRedaction(),
  ({ redaction }) => createRedaction(redaction),
];
