import { isDeeperThan, promptNamePattern, schemaFault, serviceNamePattern } from '@sallyport/protocol';
import { z } from 'zod';
import { semverPattern } from './semver.ts';

/** A service that offers more of a kind than this offers nothing. */
export const maxTools = 2_000;
const maxPrompts = 2_000;
const maxResources = 10_000;
const maxTemplates = 1_000;

const maxExamples = 20;
const maxScopes = 50;
const maxArguments = 100;
const maxJsonLength = 16 * 1024;
const maxJsonDepth = 64;
const maxEntryLength = 512 * 1024;

const oneLine = z.string().min(1).max(200);
/** An OAuth scope token (RFC 6749 §3.3), without the star: a tool names what it needs, and not a pattern. */
const scope = z
  .string()
  .regex(/^[!#-)+-[\]-~]{1,100}$/, 'a scope is at most 100 printable characters, no space " * or \\');

const schema = z.record(z.string(), z.unknown()).superRefine((value, context) => {
  const fault = schemaFault(value);
  if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
});

const inputSchema = schema.refine((value) => value.type === 'object', 'the type of an input must be "object"');

const smallJson = jsonObject(maxJsonLength);

function jsonObject(maxLength: number) {
  return (
    z
      .record(z.string(), z.unknown())
      // Before it is printed to be measured, and hashed: neither survives any depth.
      .refine((value) => !isDeeperThan(maxJsonDepth, value), {
        error: `nested deeper than ${maxJsonDepth}`,
        abort: true,
      })
      .refine((value) => JSON.stringify(value).length <= maxLength, `longer than ${maxLength} characters`)
  );
}

/** What a service may say of anything it offers. */
const declared = {
  title: oneLine.optional(),
  description: z.string().max(16 * 1024),
  scopes: z.array(scope).max(maxScopes).optional(),
  internal: z.boolean().optional(),
  classification: z.enum(['public', 'internal', 'confidential', 'restricted']).optional(),
  risk: z.enum(['low', 'medium', 'high']).optional(),
  dataCategories: z
    .array(z.string().regex(/^[a-z][a-z0-9.-]{0,62}$/, 'a data category is at most 63 small letters, digits, - .'))
    .max(32)
    .optional(),
  owner: oneLine.optional(),
  stability: z.enum(['experimental', 'stable', 'deprecated']).optional(),
  auditRequired: z.boolean().optional(),
  timeoutMs: z.int().min(1).max(3_600_000).optional(),
};

const tool = z.strictObject({
  ...declared,
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/, 'a tool name is at most 64 letters, digits, _ . -'),
  inputSchema,
  outputSchema: schema.optional(),
  examples: z.array(smallJson).max(maxExamples).optional(),
  sideEffect: z.enum(['read', 'write', 'destructive']).optional(),
  expensive: z.boolean().optional(),
  idempotent: z.boolean().optional(),
  task: z.enum(['optional', 'required']).optional(),
});

const argument = z.strictObject({
  name: z.string().min(1).max(100),
  title: oneLine.optional(),
  description: z
    .string()
    .max(16 * 1024)
    .optional(),
  required: z.boolean().optional(),
});

const prompt = z.strictObject({
  ...declared,
  name: z.string().regex(promptNamePattern, 'a prompt name is at most 64 letters, digits, _ . -'),
  arguments: z
    .array(argument)
    .max(maxArguments)
    .refine((all) => new Set(all.map(({ name }) => name)).size === all.length, 'two arguments have one name')
    .optional(),
});

const mimeType = z.string().min(1).max(200);
/** RFC 3986: a scheme, and then the characters of URIs alone. */
const uri = z
  .string()
  .regex(
    /^[A-Za-z][A-Za-z0-9+.-]{0,50}:[!#-;=?-[\]_a-z~]{0,2000}$/,
    'a URI begins with a scheme, has at most 2,000 characters, and no space',
  );
/** The same with `{variable}`s in it (RFC 6570, level 1). */
const uriTemplate = z
  .string()
  .max(2_048)
  .regex(
    /^[A-Za-z][A-Za-z0-9+.-]{0,50}:(?:[!#-;=?-[\]_a-z~]|\{[A-Za-z_][A-Za-z0-9_]{0,63}\})+$/,
    'a template is a URI with {variables} in it',
  );

const resource = z.strictObject({ ...declared, uri, name: oneLine, mimeType: mimeType.optional() });
const template = z.strictObject({ ...declared, uriTemplate, name: oneLine, mimeType: mimeType.optional() });

/** What every manifest has, but for what is offered. */
const frame = {
  service: z
    .string()
    .regex(
      serviceNamePattern,
      "a service name is a small letter, then small letters, digits and -; admin, sallyport and the paths below /mcp are the gateway's own",
    ),
  version: z.string().max(100).regex(semverPattern, 'not a semantic version'),
  codeHash: z
    .string()
    .regex(/^[!-~]{1,200}$/, 'a code hash is at most 200 printable characters')
    .optional(),
  owner: oneLine.optional(),
  mcp: z
    .strictObject({
      capabilities: smallJson,
      instructions: z
        .string()
        .max(64 * 1024)
        .optional(),
      serverInfo: jsonObject(256 * 1024).optional(),
    })
    .optional(),
};

/** What may be offered, by kind: how one is checked, how many there may be, and by what they are told apart. */
export const strictEntries = {
  tools: { schema: tool, max: maxTools },
  prompts: { schema: prompt, max: maxPrompts },
  resources: { schema: resource, max: maxResources },
  templates: { schema: template, max: maxTemplates },
} as const;

/**
 * Whoever did not write for this gateway may use names that its own services may not: any printable ASCII without space, but
 * for quotes, `\` and `*`, which rules are written with.
 */
const foreignName = z
  .string()
  .regex(/^[!#-)+-[\]-~]{1,128}$/, 'a name is at most 128 printable characters, no space " * or \\');
/** Rules call everything but tools by its kind: `svc.prompts/name`. What is allowed of prompts must not allow a tool. */
const foreignToolName = foreignName.regex(
  /^(?!(?:prompts|resources|templates|methods|tasks)\/)/,
  'the name of a tool may not begin with that of another kind of thing, and a slash',
);
/** Nor what is not seen, or turns the direction of what is: people and rules have to tell URIs apart. */
const printable = /^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]{1,8192}$/u;
const foreignUri = z.string().regex(printable, 'a URI has at most 8,192 characters, all of them to be seen');
const foreignDeclared = {
  title: z.string().max(10_000).optional(),
  description: z.string().max(256 * 1024),
  entryText: z.string().max(maxEntryLength).optional(),
};
const foreignLabel = z.string().max(10_000);

/** The same for what servers offer that were not written for this gateway. */
export const foreignEntries = {
  tools: { schema: tool.extend({ ...foreignDeclared, name: foreignToolName }), max: maxTools },
  prompts: {
    schema: prompt.extend({
      ...foreignDeclared,
      name: foreignName,
      arguments: z
        .array(argument.extend({ name: z.string().max(1_000), title: foreignLabel.optional() }))
        .max(maxArguments)
        .optional(),
    }),
    max: maxPrompts,
  },
  resources: {
    schema: resource.extend({ ...foreignDeclared, uri: foreignUri, name: foreignLabel }),
    max: maxResources,
  },
  templates: {
    schema: template.extend({ ...foreignDeclared, uriTemplate: foreignUri, name: foreignLabel }),
    max: maxTemplates,
  },
} as const;

/** The kinds of things that a manifest lists. */
export type Kind = keyof typeof strictEntries;

/** All kinds, in the order in which they are written. */
export const kinds: readonly Kind[] = ['tools', 'prompts', 'resources', 'templates'];

/** What entries of a kind are told apart by: a client that allows no dot in names could not tell others apart either. */
export function keyOf(kind: Kind, entry: object): string {
  const {
    name,
    uri: ownUri,
    uriTemplate: ownTemplate,
  } = entry as {
    readonly name?: unknown;
    readonly uri?: unknown;
    readonly uriTemplate?: unknown;
  };
  if (kind === 'resources') return String(ownUri);
  return kind === 'templates' ? String(ownTemplate) : String(name).replaceAll('.', '_');
}

/** What an entry is called, for people. */
export function nameOf(kind: Kind, entry: object): string {
  return kind === 'tools' || kind === 'prompts' ? String((entry as { name?: unknown }).name) : keyOf(kind, entry);
}

/** Entries whose key another one before them has. */
export function twins<Entry extends object>(kind: Kind, entries: readonly Entry[]): readonly Entry[] {
  const seen = new Set<string>();
  return entries.filter((entry) => {
    const key = keyOf(kind, entry);
    const again = seen.has(key);
    seen.add(key);
    return again;
  });
}

/** The schema of a whole manifest with entries of one sort. */
function whole(entries: typeof strictEntries | typeof foreignEntries) {
  const list = <Entry extends z.ZodType<object>>(kind: Kind, entry: Entry) =>
    z
      .array(entry)
      .max(entries[kind].max, `more than ${entries[kind].max} ${kind}`)
      .superRefine((all, context) => {
        for (const twin of twins(kind, all)) {
          const message = `two ${kind} are called ${nameOf(kind, twin)}, or differ only in . and _`;
          context.addIssue({ code: 'custom', message });
        }
      });
  return z.strictObject({
    ...frame,
    tools: list('tools', entries.tools.schema),
    prompts: list('prompts', entries.prompts.schema).optional(),
    resources: list('resources', entries.resources.schema).optional(),
    templates: list('templates', entries.templates.schema).optional(),
  });
}

/** A manifest as a service of the kit announces it. */
export const strictManifest = whole(strictEntries);

/** A manifest as it was made of what a foreign server lists. */
export const foreignManifest = whole(foreignEntries);
