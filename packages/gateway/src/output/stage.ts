import { type Answer, GatewayError, type OutputFilter, type Permit, type Stages, type Tool } from '@sallyport/core';
import type { JsonObject, JsonValue } from '@sallyport/protocol';

/** Compiles a schema into a function that names what is wrong with a value. */
type SchemaCheck = (schema: JsonObject) => (value: JsonValue) => readonly string[];

/**
 * First the answer must be what the tool's output schema promised, then each filter may take something away. A service
 * that breaks its promise is refused: agents and policies downstream rely on the shape.
 */
export function createFilter(checkOf: SchemaCheck, filters: readonly OutputFilter[]): Stages['filter'] {
  return (permit, answer) => {
    checkOutput(checkOf, permit.tool, answer);
    return filters.length === 0 ? answer : applyAll(filters, permit, answer);
  };
}

function checkOutput(checkOf: SchemaCheck, tool: Tool, answer: Answer): void {
  if (tool.outputSchema === undefined || answer.isError) return;
  const structured = structuredContent(answer);
  const issues = structured === undefined ? ['/: missing'] : checkOf(tool.outputSchema)(structured);
  if (issues.length > 0) throw new GatewayError('invalid_output', {}, { cause: new Error(issues.join('; ')) });
}

function structuredContent(answer: Answer): JsonValue | undefined {
  try {
    return (JSON.parse(answer.text) as JsonObject).structuredContent;
  } catch (cause) {
    throw new GatewayError('invalid_output', {}, { cause });
  }
}

async function applyAll(filters: readonly OutputFilter[], permit: Permit, answer: Answer): Promise<Answer> {
  let cleaned = answer;
  for (const filter of filters) cleaned = await filter.filter(permit, cleaned);
  return cleaned;
}
