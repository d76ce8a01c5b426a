import { isJsonObject, type JsonObject, type JsonValue, metaKeys } from '@sallyport/protocol';
import { mask, noAnswer, type Seen } from './driver.ts';

/** Reads a JSON-RPC answer. `bytes` is all that was received, if that was more than the text. */
export function readMcpAnswer(text: string, bytes = text): Seen {
  const message = parse(text);
  if (!isJsonObject(message)) return noAnswer('not JSON-RPC', bytes);
  const { error, result } = message;
  if (isJsonObject(error)) return readError(error.data, error.message, bytes);
  if (!isJsonObject(result)) return noAnswer('neither result nor error', bytes);
  if (Array.isArray(result.tools)) return { kind: 'answered', result: namesOf(result.tools), bytes: mask(bytes) };
  return result.isError === true ? readToolError(result, bytes) : { ...readOutput(result), bytes: mask(bytes) };
}

/** Reads an answer of the REST face. */
export function readRestAnswer(text: string, bytes = text): Seen {
  const body = parse(text);
  if (!isJsonObject(body)) return noAnswer('not JSON', bytes);
  const { error } = body;
  if (isJsonObject(error)) {
    const { code, message, reason } = error;
    const isOfTool = reason === 'tool_error' || reason === 'suspended';
    if (!isOfTool) return readError(error, message, bytes);
    const about = reason === 'suspended' ? { reason } : {};
    return {
      kind: 'tool_error',
      ...(typeof code === 'string' && { code }),
      ...about,
      result: asText(message),
      bytes: mask(bytes),
    };
  }
  if (Array.isArray(body.tools)) return { kind: 'answered', result: namesOf(body.tools), bytes: mask(bytes) };
  if (!Object.hasOwn(body, 'result')) return noAnswer('neither result nor error', bytes);
  return { kind: 'answered', result: body.result ?? null, bytes: mask(bytes) };
}

/** The cursor of the next page of a list, if there is one. */
export function nextCursorOf(text: string): string | undefined {
  const message = parse(text);
  const page = isJsonObject(message) && isJsonObject(message.result) ? message.result : message;
  const cursor = isJsonObject(page) ? page.nextCursor : undefined;
  return typeof cursor === 'string' ? cursor : undefined;
}

function readError(data: JsonValue | undefined, message: JsonValue | undefined, bytes: string): Seen {
  if (!isJsonObject(data) || typeof data.reason !== 'string' || typeof data.code !== 'string') {
    return noAnswer('an error without a reason', bytes);
  }
  const scopes = Array.isArray(data.scopes) ? { scopes: data.scopes.map(String) } : {};
  return {
    kind: 'refused',
    code: data.code,
    reason: data.reason,
    ...scopes,
    result: asText(message),
    bytes: mask(bytes),
  };
}

/** Bad input is a result with an error in its `_meta`; so is what a tool reports, and a call that waits. */
function readToolError(result: JsonObject, bytes: string): Seen {
  const meta = isJsonObject(result._meta) ? result._meta : {};
  const facts = meta[metaKeys.error];
  const message = firstText(result);
  if (isJsonObject(facts) && typeof facts.reason === 'string') return readError(facts, facts.message, bytes);
  if (typeof meta[metaKeys.question] === 'string') {
    return {
      kind: 'tool_error',
      code: 'failed_precondition',
      reason: 'suspended',
      result: message,
      bytes: mask(bytes),
    };
  }
  const code = isJsonObject(facts) && typeof facts.code === 'string' ? facts.code : 'unknown';
  return { kind: 'tool_error', code, result: message, bytes: mask(bytes) };
}

function readOutput(result: JsonObject): Pick<Seen, 'kind' | 'result'> {
  if (Object.hasOwn(result, 'structuredContent')) return { kind: 'answered', result: result.structuredContent ?? null };
  const text = firstText(result);
  return { kind: 'answered', result: parse(text) ?? text };
}

function firstText({ content }: JsonObject): string {
  const blocks: readonly JsonValue[] = Array.isArray(content) ? content : [];
  for (const block of blocks) if (isJsonObject(block) && typeof block.text === 'string') return block.text;
  return '';
}

function namesOf(tools: readonly JsonValue[]): readonly string[] {
  return tools.map((tool) => (isJsonObject(tool) ? asText(tool.name) : ''));
}

function asText(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : '';
}

function parse(text: string): JsonValue | undefined {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return undefined;
  }
}
