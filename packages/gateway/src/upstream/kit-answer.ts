import { GatewayError, type JsonText, type Progress, type Reason } from '@sallyport/core';
import type { HopError } from '@sallyport/protocol';

/** A `CallToolResult` as text, checked to be one JSON object. */
export interface ToolResult {
  readonly text: JsonText;
  readonly isError: boolean;
}

/**
 * Checks that a text which a service sent as its result is one JSON object and a complete one, and reads whether the tool says it failed.
 * Returns `undefined` for anything else: such a text must not be put into an answer.
 */
export function readToolResult(text: string): ToolResult | undefined {
  const value = parse(text);
  // Anything but complete would be a question of the service to the agent (MCP 2026-07-28), which nobody has permitted.
  if (!isObject(value) || !isComplete(value.resultType)) return undefined;
  // A raw carriage return can only stand between tokens; it would end a line in an event stream.
  const oneLine = text.includes('\r') || text.includes('\n') ? text.replaceAll(/[\r\n]/g, ' ') : text;
  return { text: oneLine as JsonText, isError: value.isError === true };
}

/** Why a service took no call, in the gateway's words. What it wrote stays in the operator's log. */
export function errorOf(error: HopError): GatewayError {
  const said = error.data?.reason;
  const reason = (typeof said === 'string' ? reasonOf.get(said) : undefined) ?? 'upstream_failed';
  return new GatewayError(
    reason,
    {},
    { cause: `the service answered ${String(said)}: ${error.message.slice(0, 500)}` },
  );
}

/** `draining` and `overloaded` mean that nothing was executed. */
const reasonOf: ReadonlyMap<string, Reason> = new Map([
  ['draining', 'upstream_unavailable'],
  ['overloaded', 'upstream_unavailable'],
  ['expired', 'upstream_timeout'],
]);

function isComplete(resultType: unknown): boolean {
  return resultType === undefined || resultType === 'complete';
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
