import type { JsonObject, JsonValue } from '../json.ts';
import { oneLine } from '../json-text.ts';
import { suspiciousKeys } from '../similar.ts';
import { type Insertions, removeMembers, spliceMembers } from '../splice.ts';
import { isJsonObject, membersOf, memberText, type StrictJson } from '../strict-json.ts';
import { malformed, type ParamsProblem, type SplitMeta, smuggled, splitMeta } from './meta.ts';

/** What a request for completion completes (MCP, completion). Names are those at the endpoint. */
export type CompletionRef =
  | { readonly kind: 'prompt'; readonly name: string }
  | { readonly kind: 'template'; readonly uri: string };

/** The params of a request, taken apart. All texts are JSON, as they were sent but on one line. */
export interface SplitParams extends SplitMeta {
  readonly kind: 'params';
  /** `tools/call`, `prompts/get`. */
  readonly name?: string;
  /** `resources/read`. */
  readonly uri?: string;
  /** `tasks/*`. */
  readonly taskId?: string;
  /** `completion/complete`. */
  readonly ref?: CompletionRef;
  /**
   * What is decided on and sent on: `arguments` (`{}` if absent) of `tools/call` and `prompts/get`; `{"uri":…}` of
   * `resources/read`; `{"argument":…,"context":…}` of `completion/complete`; all params but `_meta` of any other method.
   */
  readonly argumentsText: string;
  /** Answers to a server's questions; only where the protocol has them (2026-07-28, multi round-trip requests). */
  readonly inputResponsesText?: string;
  readonly requestState?: string;
  /** Members that the method is not known to have, as an object; absent when there are none. */
  readonly restText?: string;
}

type Kind = 'string' | 'object';

/** The members of each method's params, and what they have to be. All are optional here: the rest is the server's to say. */
const shapes: ReadonlyMap<string, Readonly<Record<string, Kind>>> = new Map(
  Object.entries({
    'tools/call': { name: 'string', arguments: 'object', inputResponses: 'object', requestState: 'string' },
    'prompts/get': { name: 'string', arguments: 'object', inputResponses: 'object', requestState: 'string' },
    'resources/read': { uri: 'string', inputResponses: 'object', requestState: 'string' },
    'completion/complete': { ref: 'object', argument: 'object', context: 'object' },
    'tasks/get': { taskId: 'string' },
    'tasks/update': { taskId: 'string', inputResponses: 'object' },
    'tasks/cancel': { taskId: 'string' },
  } as const),
);

const required: ReadonlyMap<string, string> = new Map([
  ['tools/call', 'name'],
  ['prompts/get', 'name'],
  ['resources/read', 'uri'],
  ['completion/complete', 'ref'],
  ['tasks/get', 'taskId'],
  ['tasks/update', 'taskId'],
  ['tasks/cancel', 'taskId'],
]);

/**
 * Takes the params of a request apart: what names something, what is decided on, what each hop says for itself, and what is
 * the server's. Members that another reader may take for one of these are refused (`malformed_request`), members of the
 * wrong kind too (`malformed_params`).
 */
export function splitParams(sent: StrictJson, method: string): SplitParams | ParamsProblem {
  // Same length, so what was located stands where it stood.
  const json = { ...sent, text: oneLine(sent.text) };
  const params = paramsOf(json.value);
  const shape: Readonly<Record<string, Kind>> = shapes.get(method) ?? {};
  const problem = shapeProblem(json, params, method);
  if (problem !== undefined) return problem;
  const meta = splitMeta(memberText(json.text, json.inner, '_meta'), params._meta as JsonObject | undefined);
  if ('kind' in meta) return meta;
  const ref = params.ref === undefined || method !== 'completion/complete' ? undefined : readRef(json, params.ref);
  if (ref !== undefined && 'issue' in ref) return ref;
  const text = (key: string) => memberText(json.text, json.inner, key);
  const string = (key: string) => (key in shape && typeof params[key] === 'string' ? params[key] : undefined);
  const [name, uri, taskId, requestState] = [string('name'), string('uri'), string('taskId'), string('requestState')];
  const inputResponses = 'requestState' in shape ? text('inputResponses') : undefined;
  const restText = shapes.has(method) && !method.startsWith('tasks/') ? restOf(json, shape) : undefined;
  return {
    kind: 'params',
    ...meta,
    ...(name !== undefined && { name }),
    ...(uri !== undefined && { uri }),
    ...(taskId !== undefined && { taskId }),
    ...(ref !== undefined && { ref }),
    argumentsText: argumentsOf(json, method),
    ...(inputResponses !== undefined && { inputResponsesText: inputResponses }),
    ...(requestState !== undefined && { requestState }),
    ...(restText !== undefined && { restText }),
  };
}

/** A request to a server, in parts. Names are the server's own. */
export interface ParamsParts {
  readonly method: string;
  /** For `tools/call` and `prompts/get`. */
  readonly name?: string;
  /** For `completion/complete`. */
  readonly ref?: CompletionRef;
  /** As `SplitParams.argumentsText`. */
  readonly argumentsText: string;
  readonly inputResponsesText?: string | undefined;
  readonly requestState?: string | undefined;
  readonly restText?: string | undefined;
  /** What the caller put into `_meta` for the server. */
  readonly metaText?: string | undefined;
  /** What the gateway says in `_meta` as the server's client; it replaces members of the same name. */
  readonly meta?: Insertions;
}

/** Puts the params of a request to a server together: the reverse of `splitParams`. The arguments go out as they are. */
export function buildParams(parts: ParamsParts): string {
  const { inputResponsesText, requestState, metaText = '{}', meta = {} } = parts;
  const added: Record<string, string> = {
    ...(inputResponsesText !== undefined && { inputResponses: inputResponsesText }),
    ...(requestState !== undefined && { requestState: JSON.stringify(requestState) }),
  };
  const wholeMeta = Object.keys(meta).length === 0 ? metaText : spliceMembers(metaText, meta);
  if (parts.metaText !== undefined || wholeMeta !== '{}') added._meta = wholeMeta;
  const own = ownText(parts);
  const rest = parts.restText === undefined ? own : mergeMembers(own, parts.restText);
  return Object.keys(added).length === 0 ? rest : spliceMembers(rest, added);
}

function ownText({ method, name, ref, argumentsText }: ParamsParts): string {
  if (method === 'tools/call' || method === 'prompts/get') {
    return `{"name":${JSON.stringify(name ?? '')},"arguments":${argumentsText}}`;
  }
  return ref === undefined ? argumentsText : spliceMembers(argumentsText, { ref: refText(ref) });
}

function refText(ref: CompletionRef): string {
  return JSON.stringify(
    ref.kind === 'prompt' ? { type: 'ref/prompt', name: ref.name } : { type: 'ref/resource', uri: ref.uri },
  );
}

/** What is in `text` already stays: it was decided on. */
function mergeMembers(text: string, moreText: string): string {
  const taken = new Set(membersOf(text).map(({ key }) => key));
  const more = membersOf(moreText).filter(({ key }) => !taken.has(key));
  return spliceMembers(text, Object.fromEntries(more.map(({ key, start, end }) => [key, moreText.slice(start, end)])));
}

function paramsOf(value: JsonValue): JsonObject {
  const params = isJsonObject(value) ? value.params : undefined;
  return isJsonObject(params) ? params : {};
}

function shapeProblem(json: StrictJson, params: JsonObject, method: string): ParamsProblem | undefined {
  const shape = shapes.get(method) ?? {};
  const [suspicious] = suspiciousKeys(json.inner, [...Object.keys(shape), '_meta']);
  if (suspicious !== undefined) return smuggled(`/params/${suspicious}`);
  if (params._meta !== undefined && !isJsonObject(params._meta)) return malformed('/params/_meta: must be an object');
  const missing = required.get(method);
  if (missing !== undefined && params[missing] === undefined) return malformed(`/params/${missing}: is missing`);
  for (const [key, kind] of Object.entries(shape)) {
    const problem = params[key] === undefined ? undefined : kindProblem(key, kind, params[key]);
    if (problem !== undefined) return malformed(`/params/${key}: ${problem}`);
  }
  return undefined;
}

function kindProblem(key: string, kind: Kind, value: JsonValue): string | undefined {
  if (kind === 'object') return isJsonObject(value) ? undefined : 'must be an object';
  if (typeof value !== 'string') return 'must be a string';
  return key === 'uri' && hasControl(value) ? 'has a control character' : undefined;
}

/** No URI has them, and where one ends that does differs from reader to reader. Names are looked up as they are. */
function hasControl(value: string): boolean {
  for (let at = 0; at < value.length; at++) if (value.charCodeAt(at) < 0x20) return true;
  return false;
}

function readRef(json: StrictJson, ref: JsonValue): CompletionRef | ParamsProblem {
  const members = membersOf(memberText(json.text, json.inner, 'ref') ?? '');
  const [suspicious] = suspiciousKeys(members, ['type', 'name', 'uri']);
  if (suspicious !== undefined) return smuggled(`/params/ref/${suspicious}`);
  const { type, name, uri } = ref as JsonObject;
  if (type === 'ref/prompt' && typeof name === 'string') return { kind: 'prompt', name };
  if (type === 'ref/resource' && typeof uri === 'string') return { kind: 'template', uri };
  return malformed('/params/ref: must be {"type":"ref/prompt","name":…} or {"type":"ref/resource","uri":…}');
}

function argumentsOf(json: StrictJson, method: string): string {
  const text = (key: string) => memberText(json.text, json.inner, key);
  switch (method) {
    case 'tools/call':
    case 'prompts/get':
      return text('arguments') ?? '{}';
    case 'resources/read':
      return `{"uri":${text('uri') ?? '""'}}`;
    case 'completion/complete': {
      const context = text('context');
      return `{"argument":${text('argument') ?? '{}'}${context === undefined ? '' : `,"context":${context}`}}`;
    }
    default:
      return removeMembers(memberText(json.text, json.members, 'params') ?? '{}', isEnvelope);
  }
}

/** What is for the gateway and never for a service: a token for one message (`_token`) least of all. */
function isEnvelope(key: string): boolean {
  return key === '_meta' || key === '_token';
}

function restOf(json: StrictJson, shape: Readonly<Record<string, Kind>>): string | undefined {
  const isKnown = (key: string) => isEnvelope(key) || Object.hasOwn(shape, key);
  if (json.inner.every(({ key }) => isKnown(key))) return undefined;
  return removeMembers(memberText(json.text, json.members, 'params') ?? '{}', isKnown);
}
