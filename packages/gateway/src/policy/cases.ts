import type { AttributeValue } from '@sallyport/core';
import { isJsonObject, type JsonObject } from '@sallyport/protocol';
import { z } from 'zod';
import { toFindings } from '../text/findings.ts';
import type { SchemaNode } from '../text/schema-node.ts';
import { flag, listOf, names } from '../text/shapes.ts';
import { type Problem, parseSources, type Source } from '../text/source.ts';
import type { PolicyTool } from './compile.ts';
import type { PolicyPlace, PolicySettings } from './types.ts';

const text = z.string({ error: 'expected text' }).min(1, { error: 'expected text' });
const attribute = z.union([z.string(), z.number(), z.boolean(), z.array(z.string())], {
  error: 'expected text, a number, true or false, or a list of texts',
});
const json = z.custom<JsonObject>((value) => isJsonObject(value as JsonObject), { error: 'expected keys and values' });

const caller = z.strictObject(
  {
    subject: text.prefault('alice').describe('The account.'),
    kind: z
      .enum(['person', 'agent', 'service', 'owner'], { error: 'expected person, agent, service or owner' })
      .prefault('agent'),
    scopes: listOf(text, names('scopes')).prefault(['*']).describe('What the credential holds.'),
    actor: z
      .union([text, listOf(text, names('agents'))], { error: 'expected the name of an agent' })
      .optional()
      .describe('The agent that acts, or the agents, the innermost first.'),
    client: text.prefault('test').describe('The program.'),
    app: text.optional().describe('The application.'),
    tenant: text.optional().describe('The tenant.'),
    intent: flag().optional().describe('Whether the credential was given for something.'),
    purpose: text.optional().describe('For what it was given, in one word.'),
    attributes: z
      .record(z.string(), attribute, { error: 'expected attributes' })
      .prefault({})
      .describe('Attributes of the caller, `acr`, `amr` and `auth_time` too.'),
  },
  { error: 'expected a caller like { subject: alice, scopes: [payments:write] }' },
);

const shadow = z.strictObject({
  decision: z.enum(['permit', 'deny'], { error: 'expected permit or deny' }),
  policies: listOf(text, names('ids of policies')).optional(),
});

const wanted = z.strictObject(
  {
    decision: z
      .enum(['permit', 'approval', 'deny', 'hidden'], { error: 'expected permit, approval, deny or hidden' })
      .describe('`approval`: permitted once people agreed. `hidden`: denied, and not to be seen either.'),
    refusal: text.optional().describe('The word for a refusal that is not `policy_denied`: `second_factor_required`.'),
    policies: listOf(text, names('ids of policies')).optional().describe('Exactly those that decided, in any order.'),
    reasons: listOf(text, names('texts')).optional().describe('What the caller is told, exactly.'),
    obligations: listOf(json, names('obligations'))
      .optional()
      .describe(
        'What is asked besides, exactly these: `{ kind: approve, scope: payments:approve }`. Keys that are not named may be anything.',
      ),
    errors: listOf(text, names('ids of policies'))
      .optional()
      .describe('Policies that could not be evaluated, exactly.'),
    shadow: shadow.optional().describe('What policies that are only tried would have made of it.'),
  },
  { error: 'expected what is wanted, like { decision: deny }' },
);

const when = z
  .string({ error: 'expected a time like "2026-11-20T10:00:00+01:00"' })
  .refine((value) => /(?:Z|[+-]\d\d:\d\d)$/.test(value) && !Number.isNaN(Date.parse(value)), {
    error: 'expected a time with its offset, like "2026-11-20T10:00:00+01:00"',
  })
  .transform((value) => Date.parse(value));

const policyCase = z.strictObject(
  {
    name: text.optional().describe('What it is about. Default: the tool.'),
    tool: text.describe('What is called.'),
    arguments: json.prefault({}).describe('With what.'),
    caller: caller.prefault({}).describe('By whom.'),
    at: when.prefault('2026-01-05T12:00:00Z').describe('When: a time with its offset.'),
    risk: z
      .int({ error: 'expected a score from 0 to 100' })
      .min(0)
      .max(100)
      .optional()
      .describe('The score of the call.'),
    facts: z.record(z.string(), attribute).optional().describe('What else the gateway knows of it.'),
    want: wanted.describe('What is to become of it.'),
  },
  { error: 'expected a case like { tool: payments.Refund, arguments: { amount: 80 }, want: { decision: permit } }' },
);

const shortType = z.union([z.enum(['string', 'integer', 'number', 'boolean'], { error: 'expected a type' }), json], {
  error: 'expected string, integer, number, boolean, or a JSON Schema',
});

const tool = z.strictObject(
  {
    arguments: z
      .record(text, shortType)
      .optional()
      .describe('Types of its arguments by name; `note?` need not be there.'),
    inputSchema: json.optional().describe('The same as a JSON Schema.'),
    sideEffect: z.enum(['read', 'write', 'destructive'], { error: 'expected read, write or destructive' }).optional(),
    classification: z
      .enum(['public', 'internal', 'confidential', 'restricted'], {
        error: 'expected public, internal, confidential or restricted',
      })
      .optional(),
    risk: z.enum(['low', 'medium', 'high'], { error: 'expected low, medium or high' }).optional(),
    owner: text.optional(),
    scopes: listOf(text, names('scopes')).optional(),
  },
  { error: 'expected a tool like { arguments: { amount: number } }' },
);

const suite = z.strictObject(
  {
    tools: z
      .record(text, tool, { error: 'expected tools by name' })
      .optional()
      .describe('Tools of the cases. Default: those that the gateway offers.'),
    policies: z
      .record(text, text, { error: 'expected texts by file name' })
      .optional()
      .describe('Policies of the cases by file name. Default: those of the configuration.'),
    settings: z
      .strictObject(
        {
          default: z.enum(['scopes', 'deny'], { error: 'expected scopes or deny' }).prefault('scopes'),
          environment: text.optional(),
          attributes: z.record(text, z.enum(['string', 'long', 'boolean', 'strings'])).prefault({}),
        },
        { error: 'expected settings like { environment: production }' },
      )
      .optional()
      .describe('As in `policy` of the configuration. Default: those of it.'),
    cases: z
      .array(policyCase, { error: 'expected a list of cases' })
      .min(1, { error: 'expected at least one case' })
      .describe('The cases.'),
  },
  { error: 'expected cases: a list' },
);

/** A tool of cases: what its service would declare. */
export interface CaseTool extends PolicyTool {
  readonly sideEffect?: 'read' | 'write' | 'destructive' | undefined;
  readonly classification?: 'public' | 'internal' | 'confidential' | 'restricted' | undefined;
  readonly risk?: 'low' | 'medium' | 'high' | undefined;
  readonly owner?: string | undefined;
  readonly scopes?: readonly string[] | undefined;
}

/** One case: a call, and what is to become of it. */
export interface PolicyCase extends z.output<typeof policyCase> {
  readonly name: string;
  readonly place: PolicyPlace;
}

/** Cases that have their tools and policies in common. Absent: those of the gateway that they are tried on. */
export interface PolicySuite {
  readonly tools?: readonly CaseTool[];
  readonly policies?: readonly { readonly name: string; readonly text: string }[];
  readonly settings?: PolicySettings;
  readonly cases: readonly PolicyCase[];
}

/** A value of an attribute, or a fact. */
export type CaseAttributes = Readonly<Record<string, AttributeValue>>;

/** Reads a file of cases (`*.policy-test.yaml`): one or more documents with `cases:` and what they have in common. */
export function readPolicyCases(
  content: string,
  file: string,
): { readonly suites: readonly PolicySuite[]; readonly problems: readonly Problem[] } {
  const suites: PolicySuite[] = [];
  const problems: Problem[] = [];
  for (const source of parseSources(content, file)) {
    const parsed = source.problems.length > 0 ? undefined : suite.safeParse(source.value);
    if (parsed === undefined) problems.push(...source.problems);
    else if (parsed.success) suites.push(toSuite(parsed.data, source, file));
    else problems.push(...toFindings(parsed.error.issues, source.value, policyCasesJsonSchema).map(source.locate));
  }
  return { suites, problems };
}

/** The format of cases as JSON Schema: for suggestions, and for editors. */
export function policyCasesJsonSchema(): SchemaNode {
  return z.toJSONSchema(suite, { io: 'input', target: 'draft-2020-12', unrepresentable: 'any' }) as SchemaNode;
}

function toSuite(
  { tools, policies, settings, cases }: z.output<typeof suite>,
  source: Source,
  file: string,
): PolicySuite {
  return {
    ...(tools && { tools: Object.entries(tools).map(([name, one]) => toTool(name, one)) }),
    ...(policies && { policies: Object.entries(policies).map(([name, content]) => ({ name, text: content })) }),
    ...(settings && { settings: toSettings(settings) }),
    cases: cases.map((one, index) => {
      const { line, column } = source.locate({ path: ['cases', index], part: 'value', message: '' });
      return { ...one, name: one.name ?? one.tool, place: { file, line, column } };
    }),
  };
}

function toSettings({ environment, ...rest }: NonNullable<z.output<typeof suite>['settings']>): PolicySettings {
  return { ...rest, ...(environment !== undefined && { environment }) };
}

function toTool(name: string, { arguments: args = {}, inputSchema, ...rest }: z.output<typeof tool>): CaseTool {
  return { name, ...rest, inputSchema: inputSchema ?? schemaOf(args) };
}

function schemaOf(args: Readonly<Record<string, string | JsonObject>>): JsonObject {
  const members = Object.entries(args).map(([key, type]) => {
    const schema = typeof type === 'string' ? { type } : type;
    return { name: key.replace(/\?$/, ''), isOptional: key.endsWith('?'), schema };
  });
  return {
    type: 'object',
    properties: Object.fromEntries(members.map(({ name, schema }) => [name, schema])),
    required: members.filter(({ isOptional }) => !isOptional).map(({ name }) => name),
    additionalProperties: false,
  };
}
