import { isJsonObject, type JsonObject, type JsonValue, metaKeys } from '@sallyport/protocol';
import { mask, noAnswer, type Seen } from './driver.ts';

/** Reads a JSON-RPC answer. `bytes` is all that was received, if that was more than the text. */
export function readMcpAnswer(text: string, bytes = text): Seen {
  const message = parse(text);
  if (!isJsonObject(message)) return noAnswer('not JSON-RPC', bytes);
  const { error, result } = message;
  if (isJsonObject(error)) return readError(error.data, error.message, bytes);
  if (!isJsonObject(result)) return noAnswer('neither result nor error', bytes);
  const entries = entriesOf(result);
  if (entries !== undefined) return { kind: 'answered', result: entries.map(nameOf), bytes: mask(bytes) };
  if (result.isError === true) return readToolError(result, bytes);
  const waiting = isJsonObject(result._meta) ? result._meta[metaKeys.waiting] : undefined;
  if (typeof waiting === 'string') return suspended(waiting, bytes);
  return { ...(Array.isArray(result.content) ? readOutput(result) : readWhole(result)), bytes: mask(bytes) };
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
  const entries = entriesOf(body);
  if (entries !== undefined) return { kind: 'answered', result: entries.map(nameOf), bytes: mask(bytes) };
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
  if (data.reason === 'suspended') return suspended(asText(message), bytes);
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
  if (typeof meta[metaKeys.question] === 'string') return suspended(message, bytes);
  const code = isJsonObject(facts) && typeof facts.code === 'string' ? facts.code : 'unknown';
  return { kind: 'tool_error', code, result: message, bytes: mask(bytes) };
}

/** The call waits for somebody. */
function suspended(result: string, bytes: string): Seen {
  return { kind: 'tool_error', code: 'failed_precondition', reason: 'suspended', result, bytes: mask(bytes) };
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

/** Members of a result that belong to the revision and to the gateway, not to the answer. */
const wrapping: ReadonlySet<string> = new Set(['_meta', 'ttlMs', 'cacheScope', 'resultType']);

/** What is no tool's: the whole of it. A question to the caller and a task say so in `reason`. */
function readWhole(result: JsonObject): Pick<Seen, 'kind' | 'reason' | 'result'> {
  const { resultType } = result;
  const own = Object.fromEntries(Object.entries(result).filter(([key]) => !wrapping.has(key)));
  const isComplete = typeof resultType !== 'string' || resultType === 'complete';
  return { kind: 'answered', ...(!isComplete && { reason: resultType }), result: own };
}

/** What a page of a list lists. */
function entriesOf({ tools, prompts, resources, resourceTemplates }: JsonObject): readonly JsonValue[] | undefined {
  const lists: readonly (JsonValue | undefined)[] = [tools, prompts, resources, resourceTemplates];
  return lists.find((list): list is readonly JsonValue[] => Array.isArray(list));
}

/** What an entry is asked for by. */
function nameOf(entry: JsonValue): string {
  if (!isJsonObject(entry)) return '';
  return asText(entry.uri) || asText(entry.uriTemplate) || asText(entry.name);
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
