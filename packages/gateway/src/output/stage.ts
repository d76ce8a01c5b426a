import {
  type Answer,
  addRedactions,
  type Cleaned,
  GatewayError,
  type OutputFilter,
  type Permit,
  type Stages,
} from '@sallyport/core';
import { isJsonObject, type JsonObject, type JsonValue } from '@sallyport/protocol';

/** Compiles a schema into a function that names what is wrong with a value. */
type SchemaCheck = (schema: JsonObject) => (value: JsonValue) => readonly string[];

/**
 * First the answer must be what the tool's output schema promised, then each filter may take something away. A service
 * that breaks its promise is refused: agents and policies downstream rely on the shape.
 */
export function createFilter(checkOf: SchemaCheck, filters: readonly OutputFilter[]): Stages['filter'] {
  return (permit, answer) => {
    checkOutput(checkOf, permit, answer);
    return filters.length === 0 ? answer : applyAll(filters, permit, answer);
  };
}

/** What a service says while it works, through all filters that look at such things. */
export function createFilterNotification(filters: readonly OutputFilter[]): NonNullable<Stages['filterNotification']> {
  return (target, text) => {
    let cleaned: Cleaned = { text };
    for (const filter of filters) {
      if (filter.notification === undefined) continue;
      const next: Cleaned | undefined = filter.notification(target, cleaned.text);
      // Nothing that an embedder's filter forgets to give back, or gives back later, may go out as it was.
      if (typeof next?.text !== 'string') throw new Error('an output filter returned nothing for a notification');
      const redacted = addRedactions(cleaned.redacted, next.redacted);
      cleaned = { text: next.text, ...(redacted && { redacted }) };
    }
    return cleaned;
  };
}

/** Questions, tasks that go on and errors are no output yet. */
function checkOutput(checkOf: SchemaCheck, { target, method }: Permit, answer: Answer): void {
  if (target.capability !== 'tool' || target.outputSchema === undefined) return;
  if (answer.isError || answer.shape === 'error' || answer.resultType !== undefined) return;
  const output = outputOf(method, answer);
  if (output === undefined) return;
  const { structuredContent } = output;
  const issues = structuredContent === undefined ? ['/: missing'] : checkOf(target.outputSchema)(structuredContent);
  if (issues.length > 0) throw new GatewayError('invalid_output', {}, { cause: new Error(issues.join('; ')) });
}

/** What a tool put out, if this answer holds it: as the answer to its call, or as what came of a task. */
function outputOf(method: Permit['method'], { text }: Answer): JsonObject | undefined {
  if (method !== 'tools/call' && method !== 'tasks/get') return undefined;
  try {
    const value = JSON.parse(text) as JsonValue;
    const whole = isJsonObject(value) ? value : {};
    if (method === 'tools/call') return whole;
    const { status, result } = whole;
    return status === 'completed' && isJsonObject(result) && result.isError !== true ? result : undefined;
  } catch (cause) {
    throw new GatewayError('invalid_output', {}, { cause });
  }
}

async function applyAll(filters: readonly OutputFilter[], permit: Permit, answer: Answer): Promise<Answer> {
  let cleaned = answer;
  for (const filter of filters) cleaned = await filter.filter(permit, cleaned);
  return cleaned;
}
