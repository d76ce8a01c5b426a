import type { JsonObject } from '@sallyport/protocol';

/** Which generation of MCP a driver speaks. */
export type Era = 'modern' | 'legacy';

/** A JSON-RPC request with the id it was given. */
export interface Message {
  readonly id: string;
  readonly method: string;
  readonly text: string;
}

/** The revision that modern drivers speak. */
export const modernVersion = '2026-07-28';

const meta = JSON.stringify({
  'io.modelcontextprotocol/protocolVersion': modernVersion,
  'io.modelcontextprotocol/clientCapabilities': {},
});

let messages = 0;

/** The next id: always equally long, so that answers of equal content have equal length. */
export function nextId(): string {
  return `m-${String(++messages).padStart(9, '0')}`;
}

/** A request as text. `members` are members of `params`, as text without braces. */
export function requestText(era: Era, method: string, members: readonly string[]): Message {
  const id = nextId();
  const params = [...members, ...(era === 'modern' ? [`"_meta":${meta}`] : [])].filter((member) => member !== '');
  return { id, method, text: `{"jsonrpc":"2.0","id":"${id}","method":"${method}","params":{${params.join(',')}}}` };
}

/** A `tools/call` whose arguments are the given text or value. */
export function callText(
  era: Era,
  tool: string,
  { args, more = [] }: { readonly args: JsonObject | string | undefined; readonly more?: readonly string[] },
): Message {
  const text = typeof args === 'string' ? args : args === undefined ? undefined : JSON.stringify(args);
  const members = [`"name":${JSON.stringify(tool)}`, ...(text === undefined ? [] : [`"arguments":${text}`]), ...more];
  return requestText(era, 'tools/call', members);
}

/** Tells the gateway that nobody waits for an answer any more. */
export function cancelText(id: string): string {
  return JSON.stringify({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: id } });
}
