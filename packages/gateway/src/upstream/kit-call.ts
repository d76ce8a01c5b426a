import { hash } from 'node:crypto';
import { GatewayError, type Hop, type Permit } from '@sallyport/core';
import {
  type CallTexts,
  callFrame,
  formatTraceparent,
  type HopMethod,
  maxLineLength,
  spliceMembers,
} from '@sallyport/protocol';
import { toHopPrincipal } from './hop-principal.ts';
import type { Departing } from './pending-calls.ts';

/** More than this is no list of what a client can do; it then counts as one that can do nothing. */
const maxCapabilitiesLength = 16 * 1024;

/**
 * Writes the frame of a call.
 *
 * @throws GatewayError `payload_too_large`
 */
export function writeCall({ seq, permit, hop, timeoutMs }: Departing, audience: string): string {
  const { traceState, baggage } = hop.trace;
  const { method } = permit;
  const claims = {
    tool: permit.target.remoteName,
    // The upstream takes no others.
    ...(method !== 'tools/call' && { method: method as HopMethod }),
    call: permit.callId,
    seq,
    audience,
    traceparent: formatTraceparent(hop.trace),
    ...(traceState !== undefined && { tracestate: traceState }),
    ...(baggage !== undefined && { baggage }),
    timeoutMs,
    transport: hop.transport,
    ...(hop.onProgress && { progress: true }),
    ...(permit.target.isRuledHere && { needs: permit.target.scopes }),
    principal: toHopPrincipal(permit.principal),
  };
  const frame = callFrame(claims, textsOf(permit, hop), sha256);
  if (frame.length > maxLineLength) throw new GatewayError('payload_too_large');
  return frame;
}

/** Of the arguments as they travel, base64url. The service compares it with what it is about to run. */
const sha256 = (text: string): string => hash('sha256', text, 'base64url');

/** Most calls are nothing but arguments. */
function textsOf({ argumentsText }: Permit, { client, retry, taskId }: Hop): string | CallTexts {
  const { capabilitiesText, logLevel } = client;
  const isAble = capabilitiesText !== '{}' && capabilitiesText.length <= maxCapabilitiesLength;
  const state = retry?.requestState;
  if (!isAble && logLevel === undefined && state === undefined && taskId === undefined) return argumentsText;
  return {
    // The caller knows the task by a name of the gateway's.
    argumentsText:
      taskId === undefined ? argumentsText : spliceMembers(argumentsText, { taskId: JSON.stringify(taskId) }),
    ...(isAble && { capabilitiesText }),
    ...(logLevel !== undefined && { logLevel }),
    ...(state !== undefined && {
      retry: {
        requestState: state,
        ...(retry?.inputResponsesText !== undefined && { inputResponsesText: retry.inputResponsesText }),
      },
    }),
  };
}
