import { encodeHeaderValue, type JsonObject } from '@sallyport/protocol';
import type { Listable } from './driver.ts';

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

/** The revision that drivers with a session speak. */
export const legacyVersion = '2025-11-25';

/** The method that lists each kind of things. */
export const listMethods: Readonly<Record<Listable, string>> = {
  tools: 'tools/list',
  prompts: 'prompts/list',
  resources: 'resources/list',
  templates: 'resources/templates/list',
};

let messages = 0;

/** The next id: always equally long, so that answers of equal content have equal length. */
export function nextId(): string {
  return `m-${String(++messages).padStart(9, '0')}`;
}

/** A request to be. */
export interface RequestParts {
  readonly method: string;
  /** Members of `params`, as text without braces. */
  readonly members: readonly string[];
  /** MCP `ClientCapabilities`; modern requests only. */
  readonly capabilities?: JsonObject | undefined;
}

/** A request as text. */
export function requestText(era: Era, { method, members, capabilities = {} }: RequestParts): Message {
  const id = nextId();
  const meta = {
    'io.modelcontextprotocol/protocolVersion': modernVersion,
    'io.modelcontextprotocol/clientCapabilities': capabilities,
  };
  const all = [...members, ...(era === 'modern' ? [`"_meta":${JSON.stringify(meta)}`] : [])];
  const params = all.filter((member) => member !== '').join(',');
  return { id, method, text: `{"jsonrpc":"2.0","id":"${id}","method":${JSON.stringify(method)},"params":{${params}}}` };
}

/** The members of an object, as text without braces. */
export function membersText(params: JsonObject): readonly string[] {
  const text = JSON.stringify(params).slice(1, -1);
  return text === '' ? [] : [text];
}

/** The members of the params of a `tools/call` whose arguments are the given text or value. */
export function callMembers(tool: string, args: JsonObject | string | undefined): readonly string[] {
  const text = typeof args === 'string' ? args : args === undefined ? undefined : JSON.stringify(args);
  return [`"name":${JSON.stringify(tool)}`, ...(text === undefined ? [] : [`"arguments":${text}`])];
}

/** The member of the params that the header `Mcp-Name` mirrors (MCP 2026-07-28, Streamable HTTP). */
export function mirroredName(method: string, { name, uri, taskId }: JsonObject): Readonly<Record<string, string>> {
  const named = method === 'resources/read' ? uri : method.startsWith('tasks/') ? taskId : name;
  const isMirrored = /^(tools\/call|prompts\/get|resources\/read|tasks\/(get|update|cancel))$/.test(method);
  return isMirrored && typeof named === 'string' ? { 'mcp-name': encodeHeaderValue(named) } : {};
}

/** What a client of the old era says first. */
export function initializeText(capabilities: JsonObject): Message {
  const clientInfo = { name: 'testkit', version: '1.0.0' };
  const members = membersText({ protocolVersion: legacyVersion, capabilities, clientInfo });
  return requestText('legacy', { method: 'initialize', members });
}

/** What it says once it was let in. */
export const initializedText = '{"jsonrpc":"2.0","method":"notifications/initialized"}';

/** Tells the gateway that nobody waits for an answer any more. */
export function cancelText(id: string): string {
  return JSON.stringify({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: id } });
}
