import type { ErrorCode } from '@sallyport/protocol';
import { errorMetaKey, type HopError, type JsonObject, type JsonValue } from '@sallyport/protocol';
import { type Checked, describeIssues, type Schema } from './schema.ts';
import { CallError } from './tool-error.ts';

/** Reads why a call did not go through: from the gateway, or from the service itself. */
export function readError({ message, data }: HopError): CallError {
  const { code, reason, retryAfterMs } = data ?? {};
  return new CallError(message, {
    // The gateway's codes are the same closed set; one that it may know beside them is passed on as it is.
    code: (typeof code === 'string' ? code : 'unknown') as ErrorCode,
    reason: typeof reason === 'string' ? reason : 'unknown',
    ...(typeof retryAfterMs === 'number' && { retryAfterMs }),
  });
}

/**
 * Takes the output from a `CallToolResult`, checked by the caller's own schema if it has one. Throws `CallError` when the
 * tool reported an error, or what it answered does not fit.
 */
export async function readOutput(tool: string, result: JsonObject, schema: Schema | undefined): Promise<unknown> {
  if (!isObject(result)) throw new CallError('The answer is not valid.', { code: 'internal', reason: 'bad_answer' });
  if (result.isError === true) throw toolError(result);
  const output = result.structuredContent ?? parseText(result);
  if (schema === undefined) return output;
  const checked = await check(schema, output);
  if (checked.issues === undefined) return checked.value;
  const message = `${tool} answered with something unexpected. ${describeIssues(checked.issues)}`;
  throw new CallError(message, { code: 'failed_precondition', reason: 'unexpected_output' });
}

async function check(schema: Schema, output: unknown): Promise<Checked<unknown>> {
  if ('~standard' in schema) return schema['~standard'].validate(output);
  return schema.validate === undefined ? { value: output } : schema.validate(output);
}

function toolError(result: JsonObject): CallError {
  const meta = result._meta;
  const error = isObject(meta) ? meta[errorMetaKey] : undefined;
  const { code, message } = isObject(error) ? error : {};
  return new CallError(typeof message === 'string' ? message : (firstText(result) ?? 'The tool failed.'), {
    code: (typeof code === 'string' ? code : 'unknown') as ErrorCode,
    reason: 'tool_error',
  });
}

/** A tool without structured content answers JSON in its text, or just text. */
function parseText(result: JsonObject): JsonValue {
  const text = firstText(result);
  if (text === undefined) return null;
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return text;
  }
}

function firstText(result: JsonObject): string | undefined {
  const { content } = result;
  const first: unknown = Array.isArray(content) ? content[0] : undefined;
  return isObject(first) && typeof first.text === 'string' ? first.text : undefined;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
