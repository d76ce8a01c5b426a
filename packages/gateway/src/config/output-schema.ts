import { z } from 'zod';
import { customRule, ruleGroups } from '../output/index.ts';
import { listOf, names } from '../text/shapes.ts';

const ruleName = z.string({ error: 'expected the name of a rule' }).regex(/^[a-z][a-z0-9-]{0,62}$/, {
  error: 'expected a name: lower-case letters, digits and "-", starting with a letter',
});

const pattern = z.string({ error: 'expected a pattern (RE2 syntax)' }).superRefine((text, context) => {
  try {
    customRule({ id: 'check', pattern: text });
  } catch (error) {
    const why = error instanceof Error ? error.message.replace(/^error parsing regexp: /, '') : 'it cannot be read';
    context.addIssue({ code: 'custom', message: `expected a pattern (RE2 syntax): ${why}` });
  }
});

const rule = z.strictObject(
  {
    name: ruleName.describe('Stands in the answer, as `[redacted:<name>]`, and in the record.'),
    pattern: pattern.describe('What to look for, in RE2 syntax. Of a group named `secret` only that is taken.'),
    keywords: listOf(z.string().min(2, { error: 'expected at least two characters' }), names('words'))
      .prefault([])
      .describe(
        'At least one of them is in every text that the pattern matches. Without any, every answer is searched.',
      ),
  },
  { error: 'expected a rule like { name: employee-id, pattern: "E-[0-9]{6}", keywords: ["E-"] }' },
);

/** What `mayReturn` of a tool holds. */
export const mayReturn = listOf(
  z.union([z.literal('*'), ruleName], { error: 'expected the name of a rule or group, or "*"' }),
  names('rules'),
);

/** The section `output`. */
export const outputSection = z
  .strictObject({
    redact: listOf(z.enum(ruleGroups, { error: `expected some of ${ruleGroups.join(', ')}` }), names('groups of rules'))
      .prefault(['secrets'])
      .describe('What is taken out of answers: groups of built-in rules. `[]`: nothing.'),
    rules: listOf(rule, names('rules')).prefault([]).describe('Rules of your own.'),
  })
  .prefault({})
  .describe('What may not leave in answers, progress and notifications.');
