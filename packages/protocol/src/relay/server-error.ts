import type { Era } from '../mcp.ts';
import { spliceMembers } from '../splice.ts';
import { membersOf, memberText } from '../strict-json.ts';
import { isObjectText, itemsOf, stringMember } from './text-rewrite.ts';

/**
 * What an error of a server means to the gateway, its client. `hop_…` describe the conversation between gateway and server
 * and say nothing of the caller's.
 */
export type ServerFault =
  | 'malformed'
  | 'method_unknown'
  | 'params'
  | 'internal'
  | 'resource_unknown'
  | 'url_elicitation'
  | 'hop_headers'
  | 'hop_capability'
  | 'hop_version'
  | 'application';

const faults: ReadonlyMap<number, ServerFault> = new Map<number, ServerFault>([
  [-32700, 'malformed'],
  [-32600, 'malformed'],
  [-32601, 'method_unknown'],
  [-32602, 'params'],
  [-32603, 'internal'],
  [-32002, 'resource_unknown'],
  [-32042, 'url_elicitation'],
  [-32020, 'hop_headers'],
  [-32021, 'hop_capability'],
  [-32022, 'hop_version'],
]);

/** Reads the code of a server's JSON-RPC error. Codes that the protocol does not define are the application's. */
export function serverFault(code: number): ServerFault {
  return faults.get(code) ?? 'application';
}

/**
 * The JSON-RPC code under which a caller of this era gets a server's error. Codes about the hop between gateway and server
 * become −32603, and so do those that a modern server may not send (2026-07-28, error codes): −32002 is −32602 there.
 */
export function callerErrorCode(era: Era, code: number): number {
  if (code <= -32020 && code >= -32099) return era === 'legacy' && code === -32042 ? code : -32603;
  return era === 'modern' && code === -32002 ? -32602 : code;
}

/**
 * The `input_required` result that says to a modern client what the data of error −32042 says to an old one: addresses
 * that somebody has to visit before the same call can succeed. `undefined` when there are none in it.
 */
export function urlQuestions(dataText: string): string | undefined {
  const list = memberText(dataText, membersOf(dataText), 'elicitations') ?? '';
  const questions = new Map<string, string>();
  for (const { start, end } of itemsOf(list).slice(0, maxQuestions)) {
    const params = list.slice(start, end);
    const members = isObjectText(params) ? membersOf(params) : [];
    if (stringMember(params, members, 'url') === undefined) continue;
    const id = stringMember(params, members, 'elicitationId') ?? `url-${questions.size + 1}`;
    questions.set(id, spliceMembers(params, { mode: '"url"' }));
  }
  if (questions.size === 0) return undefined;
  const requests = [...questions].map(([id, params]) => `${JSON.stringify(id)}:${urlQuestion(params)}`);
  return `{"resultType":"input_required","inputRequests":{${requests.join(',')}}}`;
}

const maxQuestions = 100;

function urlQuestion(paramsText: string): string {
  return `{"method":"elicitation/create","params":${paramsText}}`;
}

/**
 * The data of error −32042 that says to an old client what an `input_required` result says to a modern one. `undefined`
 * unless all that is asked for are addresses to visit, and nothing has to be brought back.
 */
export function urlElicitationData(resultText: string): string | undefined {
  const members = membersOf(resultText);
  if (members.some(({ key }) => key === 'requestState')) return undefined;
  const requests = memberText(resultText, members, 'inputRequests') ?? '';
  const elicitations: string[] = [];
  for (const { key, start, end } of isObjectText(requests) ? membersOf(requests) : []) {
    const params = urlParams(requests.slice(start, end));
    if (params === undefined) return undefined;
    elicitations.push(withElicitationId(params, key));
  }
  return elicitations.length === 0 ? undefined : `{"elicitations":[${elicitations.join(',')}]}`;
}

/**
 * The params of a question as an old client takes them: asked to visit an address, it wants an id by which it can be told
 * that the visit is over.
 */
export function legacyQuestion(method: string, paramsText: string, elicitationId: string): string {
  const isUrl = method === 'elicitation/create' && stringMember(paramsText, membersOf(paramsText), 'mode') === 'url';
  return isUrl ? withElicitationId(paramsText, elicitationId) : paramsText;
}

function urlParams(requestText: string): string | undefined {
  const members = isObjectText(requestText) ? membersOf(requestText) : [];
  const params = memberText(requestText, members, 'params') ?? '';
  const isUrl = isObjectText(params) && stringMember(params, membersOf(params), 'mode') === 'url';
  return isUrl && stringMember(requestText, members, 'method') === 'elicitation/create' ? params : undefined;
}

function withElicitationId(paramsText: string, id: string): string {
  const isThere = membersOf(paramsText).some(({ key }) => key === 'elicitationId');
  return isThere ? paramsText : spliceMembers(paramsText, { elicitationId: JSON.stringify(id) });
}
