import type { JsonObject, JsonValue } from '../json.ts';
import { hopMethods } from './constants.ts';
import type { CallClaims, CallParams, CallTexts, HopError, HopFrame, HopId, HopPrincipal } from './messages.ts';

const opening = '{"jsonrpc":"2.0","id":';
const resultMember = ',"result":';

/** The same principal makes many calls: its text is made once. */
const principalTexts = new WeakMap<HopPrincipal, string>();

/**
 * Writes the frame of a call, newline included. `argumentsText` must be a JSON object's text and is put in as it is, but
 * for raw line breaks: JSON allows them only between tokens, where a space means the same and cannot end the line. The
 * same goes for the other texts.
 *
 * The principal must not be changed after its first call; name its fields in `claims` as they shall travel. `sha256` is the
 * platform's: base64url without padding.
 */
export function callFrame(claims: CallClaims, texts: string | CallTexts, sha256: (text: string) => string): string {
  const { tool, method, call, seq, audience, traceparent, tracestate, timeoutMs, transport, progress, principal } =
    claims;
  const { needs, baggage } = claims;
  let principalText = principalTexts.get(principal);
  if (principalText === undefined) {
    principalText = JSON.stringify(principal);
    principalTexts.set(principal, principalText);
  }
  const head =
    `${opening}${seq},"method":"call","params":{"tool":${JSON.stringify(tool)},"call":${JSON.stringify(call)}` +
    `,"seq":${seq},"audience":${JSON.stringify(audience)},"traceparent":${JSON.stringify(traceparent)}` +
    (tracestate === undefined ? '' : `,"tracestate":${JSON.stringify(tracestate)}`) +
    (baggage === undefined ? '' : `,"baggage":${JSON.stringify(baggage)}`) +
    `,"timeoutMs":${timeoutMs},"transport":${JSON.stringify(transport)}` +
    (progress === true ? ',"progress":true' : '') +
    (method === undefined || method === 'tools/call' ? '' : `,"method":"${method}"`) +
    (needs === undefined ? '' : `,"needs":${JSON.stringify(needs)}`);
  const rest = typeof texts === 'string' ? '' : clientMember(texts) + retryMember(texts);
  const argumentsText = oneLine(typeof texts === 'string' ? texts : texts.argumentsText);
  const proof = `,"digest":"${sha256(argumentsText)}","size":${argumentsText.length}`;
  return `${head},"principal":${principalText}${rest}${proof}${argumentsMember}${argumentsText}${callEnd}\n`;
}

const argumentsMember = ',"arguments":';
const callEnd = '}}';

/**
 * The arguments as they stand in the line of a call, which is where `callFrame` puts them: at the end. `undefined` when that
 * is not where they are. Readers of JSON take the last of several members of one name, so this is what was parsed.
 */
export function argumentsTextIn(line: string, { size }: Pick<CallParams, 'size'>): string | undefined {
  const end = line.length - callEnd.length;
  const start = end - size;
  const isThere = line.endsWith(callEnd) && line.startsWith(argumentsMember, start - argumentsMember.length);
  return isThere ? line.slice(start, end) : undefined;
}

function clientMember({ capabilitiesText, logLevel }: CallTexts): string {
  const members = [
    ...(capabilitiesText === undefined ? [] : [`"capabilities":${oneLine(capabilitiesText)}`]),
    ...(logLevel === undefined ? [] : [`"logLevel":${JSON.stringify(logLevel)}`]),
  ];
  return members.length === 0 ? '' : `,"client":{${members.join(',')}}`;
}

function retryMember({ retry }: CallTexts): string {
  if (retry === undefined) return '';
  const { requestState, inputResponsesText } = retry;
  const responses = inputResponsesText === undefined ? '' : `,"inputResponses":${oneLine(inputResponsesText)}`;
  return `,"retry":{"requestState":${JSON.stringify(requestState)}${responses}}`;
}

/** Writes a request, newline included. */
export function requestFrame(id: HopId, method: string, params?: object): string {
  return `${opening}${JSON.stringify(id)},"method":${JSON.stringify(method)}${paramsMember(params)}}\n`;
}

/** Writes a notification, newline included. */
export function notificationFrame(method: string, params?: object): string {
  return `{"jsonrpc":"2.0","method":${JSON.stringify(method)}${paramsMember(params)}}\n`;
}

/** The same with parameters that are JSON text already. */
export function notificationTextFrame(method: string, paramsText: string): string {
  return `{"jsonrpc":"2.0","method":${JSON.stringify(method)},"params":${oneLine(paramsText)}}\n`;
}

/** Writes an answer whose result is JSON text already, newline included. */
export function resultFrame(id: HopId, resultText: string): string {
  return `${opening}${JSON.stringify(id)}${resultMember}${oneLine(resultText)}}\n`;
}

/** Writes an error answer, newline included. */
export function errorFrame(id: HopId, error: HopError): string {
  return `${opening}${JSON.stringify(id)},"error":${JSON.stringify(error)}}\n`;
}

/**
 * Reads one line. Returns `undefined` for anything that is not a frame of the hop; the peer is broken then, and the
 * connection is to be destroyed.
 *
 * A result in the layout that `resultFrame` writes is cut out without being parsed, however large it is. A peer that
 * means ill can make that text anything, so it must be scanned strictly as one JSON value before it is passed on.
 */
export function readFrame(line: string): HopFrame | undefined {
  const cut = cutResult(line);
  if (cut !== undefined) return cut;
  try {
    return toFrame(JSON.parse(line));
  } catch {
    // Not JSON; or a result in another layout that is so deep that it cannot be printed.
    return undefined;
  }
}

/** Checks the parameters of `call`. Returns `undefined` when a claim is missing or of the wrong type. */
export function readCallParams(params: JsonValue | undefined): CallParams | undefined {
  if (!isObject(params) || !isObject(params.arguments) || !isPrincipal(params.principal)) return undefined;
  const { tool, call, audience, traceparent, transport, tracestate, seq, timeoutMs, progress, digest, size } = params;
  const texts = [tool, call, audience, traceparent, transport, digest];
  if (!texts.every((text) => typeof text === 'string')) return undefined;
  if (!Number.isSafeInteger(seq) || !Number.isSafeInteger(size) || !Number.isFinite(timeoutMs)) return undefined;
  if (tracestate !== undefined && typeof tracestate !== 'string') return undefined;
  if (progress !== undefined && typeof progress !== 'boolean') return undefined;
  if (!hasRightExtras(params)) return undefined;
  // Every member was checked above, one by one; the compiler cannot follow that through an index signature.
  return params as unknown as CallParams;
}

/** What most calls do not have. */
function hasRightExtras({ method, client, retry, needs, baggage }: JsonObject): boolean {
  if (baggage !== undefined && typeof baggage !== 'string') return false;
  if (needs !== undefined && !isListOfTexts(needs)) return false;
  if (method !== undefined && !hopMethods.some((known) => known === method)) return false;
  if (client !== undefined && !isClient(client)) return false;
  return retry === undefined || isRetry(retry);
}

function isClient(value: JsonValue): boolean {
  if (!isObject(value)) return false;
  const { capabilities, logLevel } = value;
  return (
    (capabilities === undefined || isObject(capabilities)) && (logLevel === undefined || typeof logLevel === 'string')
  );
}

function isRetry(value: JsonValue): boolean {
  if (!isObject(value)) return false;
  const { requestState, inputResponses } = value;
  return typeof requestState === 'string' && (inputResponses === undefined || isObject(inputResponses));
}

function isPrincipal(value: JsonValue | undefined): boolean {
  if (!isObject(value)) return false;
  const { subject, client, kind, scopes, attributes } = value;
  return (
    typeof subject === 'string' &&
    typeof client === 'string' &&
    (kind === 'person' || kind === 'agent' || kind === 'service' || kind === 'owner') &&
    Array.isArray(scopes) &&
    scopes.every((scope) => typeof scope === 'string') &&
    isObject(attributes)
  );
}

function cutResult(line: string): HopFrame | undefined {
  if (!line.startsWith(opening) || !line.endsWith('}')) return undefined;
  const idEnd = line.indexOf(',', opening.length);
  if (idEnd === -1 || idEnd - opening.length > 24 || !line.startsWith(resultMember, idEnd)) return undefined;
  const id = toId(line.slice(opening.length, idEnd));
  if (id === undefined) return undefined;
  return { kind: 'result', id, resultText: line.slice(idEnd + resultMember.length, -1) };
}

const numberId = /^(?:0|[1-9]\d{0,15})$/;
const stringId = /^"[A-Za-z0-9_-]{1,20}"$/;

function toId(text: string): HopId | undefined {
  if (numberId.test(text)) return Number(text);
  return stringId.test(text) ? text.slice(1, -1) : undefined;
}

function toFrame(value: unknown): HopFrame | undefined {
  if (!isObject(value) || value.jsonrpc !== '2.0') return undefined;
  const { id, method, params, result, error } = value;
  if (typeof method === 'string') {
    if (id === undefined) return { kind: 'notification', method, params };
    return isId(id) ? { kind: 'request', id, method, params } : undefined;
  }
  if (!isId(id)) return undefined;
  if (error === undefined) {
    return result === undefined ? undefined : { kind: 'result', id, resultText: JSON.stringify(result) };
  }
  return result === undefined && isError(error) ? { kind: 'error', id, error } : undefined;
}

function isId(value: JsonValue | undefined): value is HopId {
  return typeof value === 'string' || (typeof value === 'number' && Number.isSafeInteger(value));
}

function isError(value: JsonValue): value is JsonObject & HopError {
  if (!isObject(value)) return false;
  const { code, message, data } = value;
  return typeof code === 'number' && typeof message === 'string' && (data === undefined || isObject(data));
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function paramsMember(params: object | undefined): string {
  return params === undefined ? '' : `,"params":${JSON.stringify(params)}`;
}

function oneLine(json: string): string {
  return json.includes('\n') ? json.replaceAll('\n', ' ') : json;
}

function isListOfTexts(value: JsonValue): boolean {
  return Array.isArray(value) && value.every((text) => typeof text === 'string');
}
