import { isJsonObject, type JsonObject, type JsonValue } from '@sallyport/protocol';
import type { CallerTarget } from './upstream-callers.ts';

/** What came back for one JSON-RPC request. */
export interface RawAnswer {
  readonly status: number;
  /** Absent when it was refused. */
  readonly result?: JsonObject;
  /** `data.reason` of a refusal. */
  readonly reason?: string;
  readonly error?: JsonObject;
}

/** What a request may have besides. */
export interface RawOptions {
  /** MCP `ClientCapabilities`. Default: forms can be shown. */
  readonly capabilities?: JsonObject;
  readonly signal?: AbortSignal;
}

let lastId = 0;

/** The body and headers of a request of the modern era, without SDK: as little as a client has to send. */
export function modernRequest(
  { token }: Pick<CallerTarget, 'token'>,
  method: string,
  params: JsonObject,
  { capabilities = { elicitation: { form: {} } } }: RawOptions = {},
): { readonly headers: Record<string, string>; readonly body: string } {
  lastId += 1;
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientInfo': { name: 'raw', version: '1.0.0' },
    'io.modelcontextprotocol/clientCapabilities': capabilities,
  };
  return {
    headers: {
      Authorization: `Bearer ${token}`,
      'Content-Type': 'application/json',
      Accept: 'application/json, text/event-stream',
      // No connection is kept for the next one: what stays open is the gateway's doing.
      Connection: 'close',
      'MCP-Protocol-Version': '2026-07-28',
      'Mcp-Method': method,
      ...(typeof params.name === 'string' && { 'Mcp-Name': params.name }),
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: lastId, method, params: { ...params, _meta } }),
  };
}

/** Asks in the modern era and waits for the whole answer. */
export async function askModern(
  target: CallerTarget,
  method: string,
  params: JsonObject,
  options: RawOptions = {},
): Promise<RawAnswer> {
  const request = modernRequest(target, method, params, options);
  const { signal } = options;
  const response = await fetch(target.url, { method: 'POST', ...request, ...(signal && { signal }) });
  return toAnswer(response.status, messageOf(await response.text()));
}

/** The last message in a body that is JSON or a stream of events. */
function messageOf(text: string): JsonValue | undefined {
  const events = text.split('\n').filter((line) => line.startsWith('data:') && line.includes('{'));
  const json = events.at(-1)?.slice('data:'.length) ?? text;
  return json.trim() === '' ? undefined : (JSON.parse(json) as JsonValue);
}

function toAnswer(status: number, message: JsonValue | undefined): RawAnswer {
  const { result, error } = isJsonObject(message) ? message : {};
  const data = isJsonObject(error) ? error.data : undefined;
  return {
    status,
    ...(isJsonObject(result) && { result }),
    ...(isJsonObject(error) && { error }),
    ...(isJsonObject(data) && typeof data.reason === 'string' && { reason: data.reason }),
  };
}

/** The parameters of the second round of a call that asked: its state, and what the user said. */
export function answerTo(result: JsonObject, params: JsonObject): JsonObject {
  const { inputRequests, requestState } = result;
  const keys = isJsonObject(inputRequests) ? Object.keys(inputRequests) : [];
  const accepted = { action: 'accept', content: { ok: true } };
  return {
    ...params,
    inputResponses: Object.fromEntries(keys.map((key) => [key, accepted])),
    ...(typeof requestState === 'string' && { requestState }),
  };
}
