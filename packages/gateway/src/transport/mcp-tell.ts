import type { InvokeRequest, Progress, ServiceNotification } from '@sallyport/core';
import {
  type JsonRpcId,
  loggingLevels,
  membersOf,
  memberText,
  notificationMessage,
  rewriteNotification,
} from '@sallyport/protocol';
import { namingAt } from './mcp-naming.ts';
import type { McpRequest } from './mcp-request.ts';

/** What is told to a caller ahead of the answer to its request. */
export interface Telling {
  /** What a service may tell in its course. */
  readonly hooks: Pick<InvokeRequest, 'onProgress' | 'onNotification' | 'onPause'>;
  /** Ends it: nothing may follow the answer. */
  stop(): void;
}

/** Passes on what a service tells in the course of a request, as far as the caller asked for it and its protocol has it. */
export function tellingOf(request: McpRequest): Telling {
  const { notify, pause } = request.exchange;
  const { progressToken } = request.params;
  let isOpen = true;
  const send = (message: string): void => {
    if (isOpen) notify?.(message);
  };
  return {
    hooks: {
      ...(notify && progressToken !== undefined && { onProgress: progressTo(progressToken, send) }),
      ...(notify && { onNotification: (told) => isForCaller(request, told) && send(messageOf(request, told)) }),
      ...(pause && { onPause: (retryMs) => isOpen && pause(retryMs) }),
    },
    stop: () => {
      isOpen = false;
    },
  };
}

/** Progress reaches the caller under its own token, strictly increasing (MCP 2026-07-28, progress). */
function progressTo(progressToken: JsonRpcId, send: (message: string) => void): (progress: Progress) => void {
  let last = Number.NEGATIVE_INFINITY;
  return ({ progress, total, message }) => {
    if (!(progress > last)) return;
    last = progress;
    send(notificationMessage('notifications/progress', JSON.stringify({ progressToken, progress, total, message })));
  };
}

/** What is told elsewhere, or to nobody: it would come without being asked for. */
const elsewhere: ReadonlySet<string> = new Set([
  'notifications/progress',
  'notifications/cancelled',
  'notifications/initialized',
  'notifications/tools/list_changed',
  'notifications/prompts/list_changed',
  'notifications/resources/list_changed',
  'notifications/resources/updated',
  'notifications/subscriptions/acknowledged',
  'notifications/tasks',
]);

function isForCaller({ era, params, exchange }: McpRequest, { method, paramsText }: ServiceNotification): boolean {
  // Nothing that a careless client could take for a request.
  if (!method.startsWith('notifications/') || elsewhere.has(method)) return false;
  if (method === 'notifications/elicitation/complete') return era === 'legacy';
  if (method !== 'notifications/message') return true;
  // Old servers may choose what to send to those that never said how much they want; new ones send nothing unasked.
  if (era === 'legacy') return isSevereEnough(paramsText, exchange.session?.logLevel ?? 'debug');
  return params.logLevel !== undefined && isSevereEnough(paramsText, params.logLevel);
}

function isSevereEnough(paramsText: string, least: string): boolean {
  const level = memberText(paramsText, membersOf(paramsText), 'level')?.slice(1, -1);
  const severity = loggingLevels.indexOf(level ?? '');
  return severity === -1 || severity >= loggingLevels.indexOf(least);
}

function messageOf({ endpoint }: McpRequest, { service, method, paramsText }: ServiceNotification): string {
  return notificationMessage(method, rewriteNotification(namingAt(endpoint, service), method, paramsText));
}
