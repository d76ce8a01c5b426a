import {
  type Answer,
  GatewayError,
  type JsonText,
  type Progress,
  type Reason,
  type ServiceMethod,
} from '@sallyport/core';
import type { HopError } from '@sallyport/protocol';

/** What a service answered, but for who it was. */
export type KitAnswer = Omit<Answer, 'instance'>;

/**
 * Checks that a text which a service sent as its result is one JSON object and may answer this method, and reads whether the
 * tool says it failed, or that the call goes on. Returns `undefined` for anything else: such a text must not be put into an
 * answer.
 */
export function readResult(text: string, method: ServiceMethod): KitAnswer | undefined {
  const value = parse(text);
  if (!isObject(value)) return undefined;
  const { resultType } = value;
  // A raw carriage return can only stand between tokens; it would end a line in an event stream.
  const oneLine = text.includes('\r') || text.includes('\n') ? text.replaceAll(/[\r\n]/g, ' ') : text;
  const answer = { text: oneLine as JsonText, isError: value.isError === true };
  if (resultType === undefined || resultType === 'complete') return answer;
  return mayGoOn(value, method) ? { ...answer, resultType: String(resultType) } : undefined;
}

/** Which methods may be answered with a question or a task (MCP 2026-07-28, multi round-trip requests; SEP-2663). */
function mayGoOn(value: Readonly<Record<string, unknown>>, method: ServiceMethod): boolean {
  const { resultType, inputRequests, requestState, taskId } = value;
  if (resultType === 'task') return method === 'tools/call' && typeof taskId === 'string';
  if (resultType !== 'input_required' || !asking.has(method)) return false;
  return isObject(inputRequests) && typeof requestState === 'string';
}

const asking: ReadonlySet<ServiceMethod> = new Set(['tools/call', 'prompts/get', 'resources/read']);

/** An error that a service tells its caller in its own words, as an answer; `undefined` for every other. */
export function toldAnswer({ code, message, data = {} }: HopError): KitAnswer | undefined {
  const { reason, ...rest } = data;
  if (reason !== 'told') return undefined;
  const more = Object.keys(rest).length > 0 && { data: rest };
  const text = JSON.stringify({ code: Number.isSafeInteger(code) ? code : -32603, message, ...more });
  return { text: text as JsonText, isError: true, shape: 'error' };
}

/**
 * Why a service took no call, in the gateway's words. What it wrote stays in the operator's log; which scopes are missing is
 * what the gateway asks for, so that no service can send clients for scopes of its own choice.
 */
export function errorOf(error: HopError, scopes: readonly string[] = []): GatewayError {
  const said = error.data?.reason;
  const reason = (typeof said === 'string' ? reasonOf.get(said) : undefined) ?? 'upstream_failed';
  const wait = error.data?.retryAfterMs;
  return new GatewayError(
    reason,
    {
      ...(reason === 'insufficient_scope' && { scopes }),
      ...(reason === 'rate_limited' &&
        typeof wait === 'number' &&
        wait >= 0 && { retryAfterMs: Math.min(wait, 3_600_000) }),
    },
    { cause: `the service answered ${String(said)}: ${error.message.slice(0, 500)}` },
  );
}

/** `draining` and `overloaded` mean that nothing was executed. */
const reasonOf: ReadonlyMap<string, Reason> = new Map([
  ['draining', 'upstream_unavailable'],
  ['overloaded', 'upstream_unavailable'],
  ['expired', 'upstream_timeout'],
  ['unknown_task', 'unknown_task'],
  ['state_invalid', 'state_invalid'],
  ['scope_missing', 'insufficient_scope'],
  ['forbidden', 'policy_denied'],
  ['limited', 'rate_limited'],
]);

/** How severe log messages are, the least severe first (RFC 5424, as MCP has it). */
const levels = ['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency'];

/**
 * Reads the parameters of a log message for the caller of a call: those of MCP's `notifications/message`, as text.
 * `undefined` when they are none, or the caller did not ask to hear of anything so little severe.
 */
export function readLog(params: unknown, wanted: string | undefined): JsonText | undefined {
  if (!isObject(params) || wanted === undefined) return undefined;
  const { level, data, logger } = params;
  const least = levels.indexOf(wanted);
  if (typeof level !== 'string' || data === undefined || least === -1 || levels.indexOf(level) < least)
    return undefined;
  return JSON.stringify({ level, ...(typeof logger === 'string' && { logger }), data }) as JsonText;
}

const maxProgressMessage = 1_000;

/** Reads the parameters of a progress notification; `undefined` when they are none. The message is cut to 1,000 characters. */
export function readProgress(params: unknown): { readonly id: number; readonly progress: Progress } | undefined {
  if (!isObject(params)) return undefined;
  const { id, progress, total, message } = params;
  // What is beyond all numbers (1e999) would be told to the caller as null.
  if (typeof id !== 'number' || typeof progress !== 'number' || !Number.isFinite(progress)) return undefined;
  return {
    id,
    progress: {
      progress,
      ...(typeof total === 'number' && Number.isFinite(total) && { total }),
      ...(typeof message === 'string' && { message: message.slice(0, maxProgressMessage) }),
    },
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
