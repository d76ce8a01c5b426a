import { GatewayError, type ListenEvent, type ListenFilter, type Subscription } from '@sallyport/core';
import {
  addToResult,
  isJsonObject,
  type JsonObject,
  type JsonRpcId,
  type JsonValue,
  metaKeys,
  notificationMessage,
  subscriptionParams,
} from '@sallyport/protocol';
import { eventMessage } from './mcp-event.ts';
import { type McpAnswer, type McpRequest, unanswered } from './mcp-request.ts';

/**
 * Serves `subscriptions/listen`: acknowledges what it will tell of, tells of it, and answers when the subscription ends. It
 * stays open until the caller goes, the credential is no longer good, or the gateway closes.
 */
export async function answerListen(request: McpRequest): Promise<McpAnswer> {
  const { deps, exchange, stamp } = request;
  const { id } = request.request;
  const { notify } = exchange;
  const asked = request.request.params?.notifications;
  if (!isJsonObject(asked))
    return request.decline('malformed_params', { issues: ['/params/notifications: must be an object'] });
  const filter = filterOf(asked);
  if (typeof filter === 'string')
    return request.decline('malformed_params', { issues: [`/params/notifications/${filter}`] });
  if (notify === undefined)
    return request.decline('malformed_request', { issues: ['Accept: must allow text/event-stream'] });

  const ended = Promise.withResolvers<void>();
  // The acknowledgement must be the first message, and a change may come before it.
  const early: string[] = [];
  let send = (message: string): void => void early.push(message);
  const onEvent = (event: ListenEvent): void => send(taggedMessage(request, event));
  const onClosed = (): void => ended.resolve();
  const outcome = await deps.pipeline.listen(request.call({ verb: 'listen', filter, onEvent, onClosed }));
  if (outcome.kind !== 'answered') return request.refuse(unanswered(outcome));

  const release = exchange.hold === undefined ? () => undefined : exchange.hold(outcome.content.account);
  if (release === undefined) {
    outcome.content.close();
    return request.refuse(new GatewayError('rate_limited', { retryAfterMs }));
  }

  const honored = honoredOf(filter, outcome.content);
  const acknowledged = subscriptionParams(id, { notifications: JSON.stringify(honored) });
  notify(notificationMessage('notifications/subscriptions/acknowledged', acknowledged));
  for (const message of early) notify(message);
  send = notify;
  const isEmpty = Object.keys(honored).length === 0;
  if (!isEmpty) await Promise.race([ended.promise, fired(exchange.signal), fired(exchange.ending)]);
  outcome.content.close();
  release();
  return request.answer(stamp.own('', exchange.callId, tag(id)));
}

/** When to come back for a stream while too many are open, in milliseconds. */
const retryAfterMs = 10_000;

/** Names that one subscription may be about. */
const maxNamed = 1_000;

/** What is asked for, or what is wrong with it. */
function filterOf(asked: JsonObject): ListenFilter | string {
  const resourceUris = namesOf(asked.resourceSubscriptions);
  const taskIds = namesOf(asked.taskIds);
  if (resourceUris === undefined) return `resourceSubscriptions: ${notNames}`;
  if (taskIds === undefined) return `taskIds: ${notNames}`;
  return {
    tools: asked.toolsListChanged === true,
    prompts: asked.promptsListChanged === true,
    resources: asked.resourcesListChanged === true,
    ...{ resourceUris, taskIds },
  };
}

const notNames = `must be an array of at most ${maxNamed} strings`;

function namesOf(value: JsonValue | undefined): readonly string[] | undefined {
  if (value === undefined) return [];
  if (!Array.isArray(value) || value.length > maxNamed) return undefined;
  const names = new Set<string>();
  for (const name of value as readonly JsonValue[]) {
    if (typeof name !== 'string') return undefined;
    names.add(name);
  }
  return [...names];
}

/** What of a filter will be told of: all lists, and those resources and tasks that exist for this caller. */
function honoredOf(filter: ListenFilter, { resourceUris, taskIds }: Subscription): JsonObject {
  return {
    ...(filter.tools && { toolsListChanged: true }),
    ...(filter.prompts && { promptsListChanged: true }),
    ...(filter.resources && { resourcesListChanged: true }),
    ...(resourceUris.length > 0 && { resourceSubscriptions: resourceUris }),
    ...(taskIds.length > 0 && { taskIds }),
  };
}

function taggedMessage(request: McpRequest, event: ListenEvent): string {
  const { method, paramsText } = eventMessage(request.endpoint, event);
  return notificationMessage(method, addToResult(paramsText, { defaults: {}, meta: tag(request.request.id) }));
}

function tag(id: JsonRpcId): Readonly<Record<string, string>> {
  return { [metaKeys.subscriptionId]: JSON.stringify(id) };
}

/** Resolves when the signal fires; never if there is none. */
function fired(signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) resolve();
    else signal?.addEventListener('abort', () => resolve(), { once: true });
  });
}
