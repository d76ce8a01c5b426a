import { isDeepStrictEqual } from 'node:util';
import type { JsonValue } from './json.ts';
import { type JsonRpcMessage, type NotJsonRpc, readJsonRpc, readMessage, readResult } from './json-rpc.ts';
import { parseStrict, StrictJsonError } from './strict-json.ts';

type Read = JsonRpcMessage | NotJsonRpc;

/**
 * Whatever text comes in: what a server's message is read as is what `JSON.parse` reads, or it is refused; and what is
 * taken from a client is taken from a server too, as the same. For coverage-guided fuzzers and for property tests.
 *
 * @throws Error when it is not so.
 */
export function fuzzJsonRpc(text: string): string {
  const fromServer = readMessage(text);
  const fromClient = readStrictly(text);
  if (fromServer.kind !== 'invalid') checkAgainstParse(text, fromServer);
  if (fromClient !== undefined && fromClient.kind !== 'invalid' && !isDeepStrictEqual(fromClient, fromServer)) {
    throw new Error(`read as ${JSON.stringify(fromClient)} and as ${JSON.stringify(fromServer)}`);
  }
  return fromClient === undefined ? `server ${fromServer.kind}` : `both ${fromServer.kind}`;
}

function readStrictly(text: string): Read | undefined {
  try {
    return readJsonRpc(parseStrict(text));
  } catch (error) {
    if (error instanceof StrictJsonError) return undefined;
    throw error;
  }
}

function checkAgainstParse(text: string, message: JsonRpcMessage): void {
  if (message.kind === 'response' && !('error' in message)) {
    const result = readResult(message.resultText);
    // What does not prove to be JSON never goes further.
    if (result.kind === 'invalid') return;
    const parsed = parse(text);
    same(parsed.id, message.id);
    same(parsed.result, result.value);
    same(JSON.parse(result.text), result.value);
    if (/[\r\n]/.test(result.text)) throw new Error('a result on several lines');
    return;
  }
  const parsed = parse(text);
  if (message.kind === 'response') {
    same(parsed.error.code, message.error.code);
    if (message.error.dataText !== undefined) same(JSON.parse(message.error.dataText), parsed.error.data);
    return;
  }
  same(parsed.method, message.method);
  if (message.kind === 'request') same(JSON.parse(message.idText), parsed.id);
  if (message.paramsText !== undefined) same(JSON.parse(message.paramsText), parsed.params);
  same(parsed.params, message.params);
}

interface Parsed {
  readonly id: JsonValue;
  readonly method: JsonValue;
  readonly params: JsonValue;
  readonly result: JsonValue;
  readonly error: { readonly code: number; readonly data: JsonValue };
}

function parse(text: string): Parsed {
  return JSON.parse(text) as Parsed;
}

function same(one: unknown, other: unknown): void {
  if (!isDeepStrictEqual(one, other)) throw new Error(`${JSON.stringify(one)} is not ${JSON.stringify(other)}`);
}
