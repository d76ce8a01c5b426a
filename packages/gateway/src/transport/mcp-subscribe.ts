import { GatewayError, type ListenEvent, type ListenFilter } from '@sallyport/core';
import { isJsonObject, type JsonObject, notificationMessage } from '@sallyport/protocol';
import { eventMessage } from './mcp-event.ts';
import { emptyAnswer, type McpAnswer, type McpReceived, type McpRequest, unanswered } from './mcp-request.ts';
import type { Session } from './session.ts';

/** What is kept for a session as long as it lasts. */
interface Kept {
  /** Which lists it was promised news of. */
  readonly news: Pick<ListenFilter, 'tools' | 'prompts' | 'resources'>;
  /** How to stop what it listens to: by URI, the lists by ''. */
  readonly stops: Map<string, () => void>;
  isOver: boolean;
}

const keptFor = new WeakMap<Session, Kept>();

/** Resources that one session may be subscribed to. */
const maxSubscriptions = 1_000;

/** Remembers what a session was promised when it began: the `listChanged` of its capabilities. */
export function expectNews(session: Session, capabilities: JsonObject): void {
  const isPromised = (name: string): boolean => {
    const capability = capabilities[name];
    return isJsonObject(capability) && capability.listChanged === true;
  };
  const news = { tools: isPromised('tools'), prompts: isPromised('prompts'), resources: isPromised('resources') };
  const kept: Kept = { news, stops: new Map(), isOver: false };
  keptFor.set(session, kept);
  session.onEnd(() => {
    kept.isOver = true;
    for (const stop of kept.stops.values()) stop();
    kept.stops.clear();
  });
}

/** Starts telling a session of changed lists. Says why not, if it may not. */
export async function listenForNews(received: McpReceived, session: Session): Promise<GatewayError | undefined> {
  const news = keptFor.get(session)?.news ?? { tools: false, prompts: false, resources: false };
  return listen(received, { session, key: '', filter: { ...news, resourceUris: [], taskIds: [] } });
}

/** Whether a session is told of changed lists already. */
export function isListening(session: Session): boolean {
  return keptFor.get(session)?.stops.has('') !== false;
}

/** Serves `resources/subscribe` (MCP 2025-11-25, resources): the session is told when the resource changes. */
export async function answerSubscribe(request: McpRequest): Promise<McpAnswer> {
  const { uri } = request.request.params ?? {};
  const { session } = request.exchange;
  if (typeof uri !== 'string')
    return request.decline('malformed_params', { issues: ['/params/uri: must be a string'] });
  if (session === undefined)
    return request.decline('session_missing', { issues: ['a subscription belongs to a session'] });
  const filter = { tools: false, prompts: false, resources: false, resourceUris: [uri], taskIds: [] };
  const refusal = await listen(request, { session, key: uri, filter });
  if (refusal !== undefined) return request.refuse(refusal);
  session.resourceUris.add(uri);
  return request.answer(request.stamp.own('', request.exchange.callId));
}

/** Serves `resources/unsubscribe`. */
export async function answerUnsubscribe(request: McpRequest): Promise<McpAnswer> {
  const { uri } = request.request.params ?? {};
  const { session } = request.exchange;
  if (typeof uri !== 'string')
    return request.decline('malformed_params', { issues: ['/params/uri: must be a string'] });
  return emptyAnswer(request, () => {
    if (session === undefined || uri === '') return;
    stop(session, uri);
    session.resourceUris.delete(uri);
  });
}

interface Listening {
  readonly session: Session;
  readonly key: string;
  readonly filter: ListenFilter;
}

async function listen(received: McpReceived, { session, key, filter }: Listening): Promise<GatewayError | undefined> {
  const kept = keptFor.get(session);
  if (kept === undefined) return new GatewayError('unknown_session');
  if (kept.stops.size >= maxSubscriptions && !kept.stops.has(key)) return new GatewayError('rate_limited');
  const { deps, endpoint } = received;
  const onEvent = (event: ListenEvent): void => {
    const { method, paramsText } = eventMessage(endpoint, event);
    session.tell(notificationMessage(method, paramsText));
  };
  const onClosed = (): void => void kept.stops.delete(key);
  const request = { verb: 'listen', filter, isWhole: true, onEvent, onClosed } as const;
  const outcome = await deps.pipeline.listen(received.call(request));
  if (outcome.kind !== 'answered') return unanswered(outcome);
  const { close } = outcome.content;
  // A second subscription replaces the first, which may stand on an older credential.
  stop(session, key);
  if (kept.isOver) close();
  else kept.stops.set(key, close);
  return undefined;
}

function stop(session: Session, key: string): void {
  const kept = keptFor.get(session);
  kept?.stops.get(key)?.();
  kept?.stops.delete(key);
}
