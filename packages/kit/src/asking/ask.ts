import type { JsonObject, JsonValue } from '@sallyport/protocol';
import type { Elicited, FormQuestion, Root, SamplingAnswer, SamplingRequest, UrlQuestion } from '../caller-options.ts';
import { type CompiledSchema, compileSchema, describeIssues, type Schema } from '../schema.ts';
import { CallError, ToolError } from '../tool-error.ts';
import type { Questions } from './questions.ts';

/** Where questions go, and what the caller said it can be asked (MCP `ClientCapabilities`). */
export interface Asked {
  readonly questions: Questions;
  readonly capabilities: JsonObject;
}

/** Asks the person behind the caller (MCP 2026-07-28, client/elicitation). */
export async function elicit(
  { questions, capabilities }: Asked,
  question: FormQuestion | UrlQuestion,
): Promise<Elicited<never>> {
  const { message } = question;
  if ('url' in question) {
    if (!modesOf(capabilities).url) throw cannot('show a page to a person');
    return readElicited(await questions.ask('elicitation/create', { mode: 'url', message, url: question.url }));
  }
  if (!modesOf(capabilities).form) throw cannot('ask a person');
  const schema = await formOf(question.schema);
  const { requestedSchema } = schema;
  const answer = readElicited(await questions.ask('elicitation/create', { mode: 'form', message, requestedSchema }));
  if (answer.action !== 'accept') return answer;
  const checked = await schema.check(answer.content ?? {});
  if (checked.issues === undefined) return { action: 'accept', content: checked.value as never };
  throw new ToolError('invalid_argument', `The answer does not match its form. ${describeIssues(checked.issues)}`);
}

/** Asks the caller's model (MCP 2026-07-28, client/sampling). */
export async function sample({ questions, capabilities }: Asked, request: SamplingRequest): Promise<SamplingAnswer> {
  const { sampling } = capabilities;
  if (!isObject(sampling) || (request.tools !== undefined && !isObject(sampling.tools))) throw cannot('ask its model');
  const answer = await questions.ask('sampling/createMessage', request);
  const { role, content, model } = answer;
  if ((role === 'user' || role === 'assistant') && typeof content === 'object' && typeof model === 'string') {
    // Just checked, as far as MCP says what is in it.
    return answer as unknown as SamplingAnswer;
  }
  throw badAnswer();
}

/** Asks which folders the caller works in (MCP 2026-07-28, client/roots). */
export async function listRoots({ questions, capabilities }: Asked): Promise<readonly Root[]> {
  if (!isObject(capabilities.roots)) throw cannot('list its folders');
  const { roots } = await questions.ask('roots/list', {});
  if (!Array.isArray(roots) || !roots.every((root) => isObject(root) && typeof root.uri === 'string'))
    throw badAnswer();
  return roots as unknown as readonly Root[];
}

/** A client that says no more than `elicitation: {}` knows forms. */
function modesOf({ elicitation }: JsonObject): { readonly form: boolean; readonly url: boolean } {
  if (!isObject(elicitation)) return { form: false, url: false };
  const url = isObject(elicitation.url);
  return { form: isObject(elicitation.form) || !url, url };
}

interface Form extends CompiledSchema {
  readonly requestedSchema: JsonObject;
}

/** Schemas are generated once: handlers make their questions from constants, mostly. */
const forms = new WeakMap<Schema, Promise<Form>>();

function formOf(schema: Schema): Promise<Form> {
  const known = forms.get(schema);
  if (known !== undefined) return known;
  const made = compileSchema(schema, 'input').then((compiled) => ({
    ...compiled,
    requestedSchema: toRequestedSchema(compiled.jsonSchema),
  }));
  forms.set(schema, made);
  return made;
}

const primitives: ReadonlySet<JsonValue | undefined> = new Set(['string', 'number', 'integer', 'boolean']);

/** MCP's forms are one flat object; throws `TypeError` for members that are more. */
function toRequestedSchema({ properties, required }: JsonObject): JsonObject {
  const members = isObject(properties) ? properties : {};
  for (const [name, member] of Object.entries(members)) {
    const isChoice = isObject(member) && (member.enum !== undefined || member.oneOf !== undefined);
    const isChoices = isObject(member) && member.type === 'array' && isObject(member.items);
    if (!isObject(member) || !(primitives.has(member.type) || isChoice || isChoices)) {
      throw new TypeError(`A form has texts, numbers, booleans and choices; ${name} is something else`);
    }
  }
  return { type: 'object', properties: members, ...(required !== undefined && { required }) };
}

function readElicited(answer: JsonObject): Elicited<never> {
  const { action, content } = answer;
  // Checked against the schema by the caller of this.
  if (action === 'accept') return { action, content: (isObject(content) ? content : undefined) as never };
  if (action === 'decline' || action === 'cancel') return { action };
  throw badAnswer();
}

function cannot(what: string): CallError {
  return new CallError(`This caller does not let services ${what}.`, {
    code: 'failed_precondition',
    reason: 'caller_cannot_be_asked',
  });
}

function badAnswer(): CallError {
  return new CallError('The caller answered with something else than an answer.', {
    code: 'failed_precondition',
    reason: 'bad_answer',
  });
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
