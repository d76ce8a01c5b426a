import { type JsonObject, type ServiceManifest, type ToolManifest, toolNamePattern } from '@sallyport/protocol';
import { type Answer, failure } from './answer.ts';
import type { IncomingCall } from './call-context.ts';
import { type GuardRules, guardOf } from './guards/guard.ts';
import { runTool } from './run-tool.ts';
import type { Offer } from './running-call.ts';
import { type CompiledSchema, compileSchema, describeIssues, type Schema } from './schema.ts';
import type { ToolContext, ToolDescription } from './tool-options.ts';

/** A handler once its types have done their work. */
export type AnyHandler = (input: never, ctx: ToolContext) => unknown;

/** What was said of one tool so far. */
interface Draft extends ToolDescription {
  readonly input?: Schema;
  readonly output?: Schema | undefined;
  readonly handler?: AnyHandler;
}

/** A tool ready to be called. */
export interface ReadyTool extends Offer {
  readonly name: string;
  readonly manifest: ToolManifest;
  readonly input: CompiledSchema;
  readonly output: CompiledSchema | undefined;
  readonly handler: AnyHandler;
}

/** Everything that a service offers, ready: the one table behind both faces. */
export interface ReadyTable {
  readonly manifest: ServiceManifest;
  /** What a call is for, or the refusal. */
  find(incoming: IncomingCall): Offer | Answer;
}

/** Collects what is said of tools, until it is made ready. */
export interface ToolTable {
  /** Adds to what is known of a tool, key by key. Throws for a bad name, a second handler, and once the table is ready. */
  add(name: string, draft: Draft): void;
  /** Generates the schemas, once. Throws with the name of the tool whose definition is not complete or not right. */
  ready(): Promise<ReadyTable>;
}

/** Makes the table of a service. */
export function createToolTable(service: Omit<ServiceManifest, 'tools'>, rules: GuardRules): ToolTable {
  const drafts = new Map<string, Draft>();
  let ready: Promise<ReadyTable> | undefined;
  return {
    add(name, draft) {
      if (ready !== undefined) throw new Error(`${service.service} runs already: define ${name} before it listens`);
      if (!toolNamePattern.test(name))
        throw new TypeError(`A tool is called Handler.Method, not ${JSON.stringify(name)}`);
      drafts.set(name, merge(name, drafts.get(name) ?? {}, draft));
    },
    ready() {
      ready ??= build({ service, rules }, drafts);
      return ready;
    },
  };
}

/** A later description adds and replaces; it never takes away, least of all the scopes that guard a tool. */
function merge(name: string, earlier: Draft, later: Draft): Draft {
  for (const key of ['handler', 'input', 'output'] as const) {
    if (earlier[key] !== undefined && later[key] !== undefined) throw new Error(`${name} has its ${key} already`);
  }
  if (later.scopes?.length === 0 && (earlier.scopes?.length ?? 0) > 0) {
    throw new Error(`${name} is guarded by scopes already: a later description cannot remove them`);
  }
  const given = Object.entries(later).filter(([, value]) => value !== undefined);
  return { ...earlier, ...Object.fromEntries(given) };
}

interface Surroundings {
  readonly service: Omit<ServiceManifest, 'tools'>;
  readonly rules: GuardRules;
}

async function build({ service, rules }: Surroundings, drafts: ReadonlyMap<string, Draft>): Promise<ReadyTable> {
  const names = [...drafts.keys()].sort();
  const tools = await Promise.all(names.map((name) => buildTool(name, drafts.get(name) ?? {}, rules)));
  const byName = new Map(tools.map((tool) => [tool.name, tool]));
  const unknownTool = failure('unknown_tool');
  return {
    manifest: { ...service, tools: tools.map((tool) => tool.manifest) },
    find: (incoming) => (isToolCall(incoming) ? byName.get(incoming.tool) : undefined) ?? unknownTool,
  };
}

/** Whether a call is for a tool; most are, and do not say so. */
export function isToolCall({ method }: IncomingCall): boolean {
  return method === undefined || method === 'tools/call';
}

async function buildTool(name: string, draft: Draft, rules: GuardRules): Promise<ReadyTool> {
  // What the service keeps to itself is no part of what it announces.
  const { handler, input, output, examples, description, policy, limit, ...rest } = draft;
  if (handler === undefined || input === undefined) throw new Error(`${name} is described but has no handler`);
  if (description === undefined || description.trim() === '') {
    throw new Error(`${name} has no description: agents choose tools by it`);
  }
  const inputSchema = await compile(`${name}: input`, input, 'input');
  const outputSchema = output === undefined ? undefined : await compile(`${name}: output`, output, 'output');
  await Promise.all(
    (examples ?? []).map((example, index) => checkExample(`${name}: example ${index + 1}`, inputSchema, example.input)),
  );
  const manifest: ToolManifest = {
    ...rest,
    name,
    description,
    inputSchema: inputSchema.jsonSchema,
    ...(outputSchema && { outputSchema: outputSchema.jsonSchema }),
    ...(examples && { examples: examples.map((example) => ({ ...example })) }),
  };
  const tool: ReadyTool = {
    ...{ name, manifest, input: inputSchema, output: outputSchema, handler },
    run: (args, context) => runTool(tool, args, context),
    ...(rest.task !== undefined && { task: rest.task }),
    ...guardOf(name, { ...rest, ...(policy && { policy }), ...(limit && { limit }) }, rules),
  };
  return tool;
}

async function compile(what: string, schema: Schema, side: 'input' | 'output'): Promise<CompiledSchema> {
  try {
    return await compileSchema(schema, side);
  } catch (cause) {
    throw new Error(`${what}: ${cause instanceof Error ? cause.message : 'no JSON Schema'}`, { cause });
  }
}

async function checkExample(what: string, schema: CompiledSchema, input: JsonObject): Promise<void> {
  const { issues } = await schema.check(input);
  if (issues !== undefined) throw new Error(`${what} does not match the schema: ${describeIssues(issues)}`);
}
