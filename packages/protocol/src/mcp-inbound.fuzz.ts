import { decodeHeaderValue } from './header-value.ts';
import type { JsonObject } from './json.ts';
import { readJsonRpc } from './json-rpc.ts';
import { mcpHeaders, metaKeys, nameSource } from './mcp.ts';
import { classifyInbound, readParamHeaders, type WireHeaders } from './mcp-inbound.ts';
import { splitParams } from './relay/params.ts';
import { isJsonObject, parseStrict, StrictJsonError } from './strict-json.ts';

/**
 * Header lines, an empty line and a body: whatever they are, a message that passes as modern says the same in both, and its
 * params come apart into texts of its body. For coverage-guided fuzzers and for property tests.
 *
 * @throws Error when it is not so.
 */
export function fuzzInbound(text: string): string {
  const [head = '', ...rest] = text.split('\n\n');
  const headers = readHeaders(head);
  const body = rest.join('\n\n');
  try {
    const json = parseStrict(body);
    const message = readJsonRpc(json);
    if (message.kind === 'invalid' || message.kind === 'response') return message.kind;
    const { era, problem } = classifyInbound(message, headers);
    readParamHeaders(headers);
    if (problem !== undefined) return `${era} ${problem.kind}`;
    if (era === 'modern' && message.kind === 'request') checkMirror(message.method, message.params ?? {}, headers);
    return `${era} ${checkParts(body, splitParams(json, message.method))}`;
  } catch (error) {
    if (error instanceof StrictJsonError) return 'refused';
    throw error;
  }
}

function readHeaders(head: string): WireHeaders {
  const pairs = head.split('\n').map((line): [string, string] => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1)];
  });
  const values = new Map(pairs);
  return { get: (name) => values.get(name), names: () => values.keys() };
}

function checkMirror(method: string, params: JsonObject, headers: WireHeaders): void {
  const meta = isJsonObject(params._meta) ? params._meta : {};
  same(meta[metaKeys.protocolVersion], headers.get(mcpHeaders.protocolVersion)?.trim());
  same(method, decodeHeaderValue(headers.get(mcpHeaders.method) ?? ''));
  const source = nameSource(method);
  const name = source === undefined ? undefined : params[source];
  if (typeof name === 'string') same(name, decodeHeaderValue(headers.get(mcpHeaders.name) ?? ''));
}

function checkParts(body: string, parts: ReturnType<typeof splitParams>): string {
  if (parts.kind !== 'params') return parts.kind;
  const { argumentsText, metaText, inputResponsesText, restText, clientCapabilitiesText } = parts;
  for (const text of [argumentsText, metaText, inputResponsesText, restText, clientCapabilitiesText]) {
    if (text !== undefined && !isJsonObject(JSON.parse(text))) throw new Error('a part is no object');
  }
  const line = body.replaceAll(/[\r\n]/g, ' ');
  if (inputResponsesText !== undefined && !line.includes(inputResponsesText)) throw new Error('a part was changed');
  for (const key of Object.keys(metaText === undefined ? {} : (JSON.parse(metaText) as JsonObject))) {
    if (/^(?:io\.modelcontextprotocol|dev\.sallyport)\/|^progresstoken$/i.test(key)) throw new Error(`passed ${key}`);
  }
  return 'params';
}

function same(one: unknown, other: unknown): void {
  if (one !== other) throw new Error(`the body says ${JSON.stringify(one)}, a header ${JSON.stringify(other)}`);
}
