import { z } from 'zod';
import { duration, namePattern, scope, unitMs } from '../text/fields.ts';
import type { SchemaNode } from '../text/schema-node.ts';
import { count, flag, listOf, names } from '../text/shapes.ts';

const number = z.number({ error: 'expected a number' });
const text = (what: string) =>
  z
    .string({ error: `expected ${what}` })
    .min(1, { error: `expected ${what}` })
    .max(2_000, {
      error: 'expected at most 2000 characters',
    });
const plain = z.union([z.string(), number, z.boolean()], { error: 'expected text, a number, true or false' });
const oneOrMore = <Item extends z.ZodType>(item: Item, error: string) =>
  z.union([item.transform((one) => [one]), z.array(item).min(1, { error })], { error });

const currencyName = z
  .string({ error: 'expected a currency like EUR' })
  .regex(/^[A-Za-z]{3,5}$/, { error: 'expected a currency like EUR' });
const amount = z.union([number, z.record(currencyName, number)], {
  error: 'expected a number, or numbers by currency like { EUR: 500, USD: 550 }',
});

const path = z.string({ error: 'expected the name of an argument' }).regex(/^[^\p{C}]{1,500}$/u, {
  error: 'expected the name of an argument: amount, or customer.country, or /customer/country',
});

const rule = z.strictObject(
  {
    field: path.optional().describe('The argument, where the key before is not its name.'),
    max: amount.optional().describe('At most so much.'),
    min: amount.optional().describe('At least so much.'),
    over: amount.optional().describe('More than this.'),
    under: amount.optional().describe('Less than this.'),
    currency: path.optional().describe('The argument that says which currency the amount is in.'),
    is: plain.optional().describe('This value.'),
    oneOf: listOf(plain, names('values'))
      .min(1, { error: names('values') })
      .optional()
      .describe('One of these values; of a list, every item.'),
    noneOf: listOf(plain, names('values'))
      .min(1, { error: names('values') })
      .optional()
      .describe('None of these values; of a list, no item.'),
    matches: oneOrMore(text('text in which * stands for any run of characters'), 'expected patterns')
      .optional()
      .describe('Text like one of these, with `*` for any run of characters.'),
    optional: flag()
      .optional()
      .describe('Whether it may be absent. Without this, an argument that a rule is about has to be there.'),
  },
  { error: 'expected what the argument may be, like { max: 500 } or { oneOf: [EUR, USD] }' },
);

const timeOfDay = z
  .string({ error: 'expected a time like "08:00"' })
  .regex(/^(?:[01]\d|2[0-3]):[0-5]\d$|^24:00$/, { error: 'expected a time like "08:00"' })
  .transform((value) => Number(value.slice(0, 2)) * 60 + Number(value.slice(3)));

const dayNames = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
const day = z.string({ error: 'expected days like mon-fri' }).transform((value, context): readonly number[] => {
  const [first = '', last = first, ...more] = value.toLowerCase().split('-');
  const [from, to] = [first, last].map((name) => dayNames.indexOf(name.trim().slice(0, 3)));
  if (from === undefined || to === undefined || from < 0 || to < 0 || more.length > 0) {
    context.addIssue({ code: 'custom', message: 'expected days like mon, mon-fri or sat-sun' });
    return z.NEVER;
  }
  return Array.from({ length: ((to - from + 7) % 7) + 1 }, (_, index) => ((from + index) % 7) + 1);
});

const zone = z.string({ error: 'expected a time zone like Europe/Berlin' }).refine(isZone, {
  error: 'expected a time zone like Europe/Berlin',
});

function isZone(value: string): boolean {
  try {
    // A bare offset has no summer, and another spelling in each program.
    return /^[A-Za-z]/.test(new Intl.DateTimeFormat('en', { timeZone: value }).resolvedOptions().timeZone);
  } catch {
    return false;
  }
}

/** Days and hours in a zone. Minutes of the day; 1 is Monday. */
export const timeWindow = z.strictObject(
  {
    days: oneOrMore(day, 'expected days like mon-fri')
      .transform((lists) => [...new Set(lists.flat())].sort())
      .optional()
      .describe('Days on which it begins: `mon-fri`, or a list. Default: every day.'),
    from: timeOfDay.optional().describe('First minute, like `"08:00"`. Default: the whole day.'),
    to: timeOfDay.optional().describe('The minute after the last one. Before `from`: of the next day.'),
    zone: zone.describe('The time zone that all of this is in, like `Europe/Berlin`.'),
  },
  { error: 'expected a window like { days: mon-fri, from: "08:00", to: "18:00", zone: Europe/Berlin }' },
);

const purposes = 'expected required, or a list of purposes like [refund, audit]';
const purposeWord = z
  .string({ error: 'expected a purpose like refund' })
  .regex(/^[a-z][a-z0-9-]{0,62}$/, { error: 'expected a purpose like refund: lower-case letters, digits and -' });

const score = z
  .int({ error: 'expected a score from 0 to 100' })
  .min(0, { error: 'expected a score from 0 to 100' })
  .max(100, { error: 'expected a score from 0 to 100' });

const conditions = z.record(z.union([z.literal('risk'), path]), rule, {
  error: 'expected arguments and what they are, like { amount: { over: 100 } }',
});

const approval = z.strictObject(
  {
    when: conditions
      .optional()
      .describe(
        'Arguments for which it is asked: all of these hold. An argument that is absent counts as if they did. `risk` is the score of the call.',
      ),
    approvals: count(1, 20).prefault(1).describe('So many different people.'),
    scope: scope.describe('What each of them has to hold.'),
    life: duration.optional().describe('How long it may be waited for and used. Default: an hour.'),
    why: text('text for the people who approve').optional().describe('What they are told.'),
  },
  { error: 'expected an approval like { when: { amount: { over: 100 } }, scope: payments:approve }' },
);

type Consent = Pick<z.output<typeof approval>, 'when' | 'life' | 'why'> & { readonly always?: boolean | undefined };
const consent = z.union(
  [
    z.literal('required').transform((): Consent => ({})),
    z.literal('always').transform((): Consent => ({ always: true })),
    approval.omit({ approvals: true, scope: true }).extend({
      always: flag().optional().describe('Whether a call that a person makes itself needs it as well.'),
    }),
  ],
  { error: 'expected required, always, or which calls need it, like { when: { amount: { over: 100 } } }' },
);

const limitText = 'expected a limit like 20 per 1h';
const limit = z
  .string({ error: limitText })
  .regex(/^\d{1,7} per (?:\d{1,9}(?:\.\d{1,3})?)?(?:ms|s|m|h|d)$/, { error: limitText })
  .transform((value) => value.replace(/ per (?=[a-z])/, ' per 1'))
  .refine((value) => !value.startsWith('0') && limitMs(value) > 0, { error: limitText });

function limitMs(value: string): number {
  const [, number, unit = ''] = /per ([\d.]+)([a-z]+)$/.exec(value) ?? [];
  return Number(number) * (unitMs[unit] ?? 0);
}

const pointer = z
  .string({ error: 'expected a JSON pointer like /structuredContent/iban' })
  .regex(/^(?:\/[^\s/]*)+$/, { error: 'expected a JSON pointer like /structuredContent/iban' });

const caller = z
  .string({ error: 'expected a caller like agent:support-*' })
  .regex(/^(?:\*|(?:agent|app|user|group|service|scope|client|tenant|kind):\S{1,500})$/, {
    error:
      'expected a caller: agent:, app:, user:, group:, service:, scope:, client:, tenant: or kind: and a name, or *',
  })
  .refine((value) => !/^(?:group|scope|kind):.*\*/.test(value), {
    error: 'expected a group, scope or kind by its whole name',
  });

const secondFactor = z.union([z.literal(true), duration], {
  error: 'expected true, or how old the sign-in may be, like 15m',
});

const riskRule = z.strictObject(
  {
    max: score.optional().describe('A call with a higher score is refused.'),
    approval: z
      .strictObject(
        {
          over: score,
          scope,
          approvals: count(1, 20).prefault(1),
          life: duration.optional(),
          why: text('text for the people who approve').optional(),
        },
        { error: 'expected an approval like { over: 60, scope: payments:approve }' },
      )
      .optional()
      .describe('A call with a higher score needs this approval.'),
    secondFactor: z
      .strictObject({ over: score, age: duration.optional() }, { error: 'expected a score like { over: 40 }' })
      .optional()
      .describe('The caller of a call with a higher score has to have signed in with a second factor.'),
  },
  { error: 'expected scores, like { max: 80 }' },
);

/** One tool policy as people write it: one document of a `*.policy.yaml` file. */
export const toolPolicySchema = z
  .strictObject(
    {
      tool: oneOrMore(namePattern, 'expected names or patterns of tools').describe(
        'The tool, by name or pattern: `payments.Refund`, `payments.*`.',
      ),
      owner: text('who owns it').optional().describe('Who owns the tool, for `sallyport check`.'),
      sideEffect: z
        .enum(['read', 'write', 'destructive'], { error: 'expected read, write or destructive' })
        .optional()
        .describe('What it does; never less than its service declares.'),
      classification: z
        .enum(['public', 'internal', 'confidential', 'restricted'], {
          error: 'expected public, internal, confidential or restricted',
        })
        .optional()
        .describe('How confidential it is; never less than its service declares.'),
      allowed: listOf(caller, names('callers like agent:support-* or group:finance'))
        .min(1, { error: 'expected at least one caller; nobody is allowed by a forbid in Cedar' })
        .optional()
        .describe('Who may call it. One of them is enough.'),
      arguments: z
        .record(path, rule, { error: 'expected arguments and what they may be' })
        .optional()
        .describe('What arguments have to be.'),
      approval: oneOrMore(approval, 'expected approvals').optional().describe('Which calls wait for people.'),
      consent: consent
        .optional()
        .describe(
          'The person on whose behalf an agent calls has to agree to the call: `required`; `always`, where that person calls itself as well; or `when`, `life` and `why` as in `approval`, and `always: true`.',
        ),
      windows: oneOrMore(timeWindow, 'expected windows')
        .optional()
        .describe('When it may be called. One of them is enough.'),
      environment: oneOrMore(text('the name of an environment'), 'expected names of environments')
        .optional()
        .describe('Where it may be called: `policy.environment` of the configuration.'),
      purpose: z
        .union([z.literal('required'), listOf(purposeWord, purposes).min(1, { error: purposes })], { error: purposes })
        .optional()
        .describe("The caller's credential was given for something a user asked for; with a list, for one of these."),
      audit: z
        .literal('required', { error: 'expected required' })
        .optional()
        .describe('The intent to call is durable before the call leaves.'),
      risk: riskRule.optional().describe('What is asked of calls by their score.'),
      secondFactor: secondFactor.optional().describe('The caller has signed in with a second factor, so recently.'),
      limit: limit.optional().describe('So many calls of one caller, like `20 per 1h`.'),
      limitOfAll: limit.optional().describe('So many calls of all together.'),
      redact: oneOrMore(pointer, 'expected JSON pointers').optional().describe('What is taken out of answers.'),
      notify: oneOrMore(
        text('the name of a channel').regex(/^\S+$/, { error: 'expected the name of a channel' }),
        'expected channels',
      )
        .optional()
        .describe('Who is told.'),
      narrow: flag().optional().describe('Whether callers see the bounds in the schema of the tool. Default: they do.'),
      reason: z
        .union(
          [
            text('text for the caller').transform((all): Readonly<Record<string, string>> => ({ '*': all })),
            z.record(z.string(), text('text for the caller')),
          ],
          { error: 'expected text for the caller, or texts by rule' },
        )
        .optional()
        .describe(
          'What a caller is told who is refused: one text, or texts by rule (the name of the key, or of the argument).',
        ),
      shadow: flag().optional().describe('Decided and recorded, but not enforced.'),
    },
    { error: 'expected a tool policy: keys and values, beginning with tool:' },
  )
  .meta({ title: 'Sallyport tool policy', description: '*.policy.yaml' });

/** One tool policy as read. */
export type ToolPolicyFile = z.output<typeof toolPolicySchema>;
/** What one argument has to be. */
export type ArgumentRule = NonNullable<ToolPolicyFile['arguments']>[string];
/** An approval. */
export type ApprovalRule = NonNullable<ToolPolicyFile['approval']>[number];
/** When. */
export type WindowRule = NonNullable<ToolPolicyFile['windows']>[number];

/** The same as JSON Schema: for suggestions, and for editors. */
export function toolPolicyJsonSchema(): SchemaNode {
  return z.toJSONSchema(toolPolicySchema, { io: 'input', target: 'draft-2020-12' }) as SchemaNode;
}
