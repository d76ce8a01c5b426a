import { isJsonObject, metaKeys, notificationMessage, subscriptionParams } from '@sallyport/protocol';
import { type McpAnswer, type McpRequest, unanswered } from './mcp-request.ts';

/**
 * Serves `subscriptions/listen`: acknowledges what it will tell of, tells of changes of the caller's catalog, and answers
 * when the subscription ends. It stays open until the caller goes, the credential is no longer good, or the gateway closes.
 */
export async function answerListen(request: McpRequest): Promise<McpAnswer> {
  const { deps, exchange, stamp } = request;
  const { id } = request.request;
  const { notify } = exchange;
  const filter = request.request.params?.notifications;
  if (!isJsonObject(filter)) return request.decline('malformed_params', '/params/notifications: must be an object');
  if (notify === undefined) return request.decline('malformed_request', 'Accept: must allow text/event-stream');

  const isWanted = filter.toolsListChanged === true;
  const ended = Promise.withResolvers<void>();
  // The acknowledgement must be the first message, and a change may come before it.
  const early: string[] = [];
  let send = (message: string): void => void early.push(message);
  const changed = notificationMessage('notifications/tools/list_changed', subscriptionParams(id));
  const tellChange = (): void => {
    if (isWanted) send(changed);
  };
  const outcome = await deps.pipeline.listen(
    request.call({
      verb: 'listen',
      filter: { tools: true, prompts: false, resources: false, resourceUris: [], taskIds: [] },
      onEvent: tellChange,
      onClosed: () => ended.resolve(),
    }),
  );
  if (outcome.kind !== 'answered') return request.refuse(unanswered(outcome));

  const honored = JSON.stringify(isWanted ? { toolsListChanged: true } : {});
  notify(
    notificationMessage('notifications/subscriptions/acknowledged', subscriptionParams(id, { notifications: honored })),
  );
  for (const message of early) notify(message);
  send = notify;
  if (isWanted) await Promise.race([ended.promise, fired(exchange.signal), fired(exchange.ending)]);
  outcome.content.close();
  return request.answer(stamp.own('', exchange.callId, { [metaKeys.subscriptionId]: JSON.stringify(id) }));
}

/** Resolves when the signal fires; never if there is none. */
function fired(signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) resolve();
    else signal?.addEventListener('abort', () => resolve(), { once: true });
  });
}
