import { GatewayError, type JsonText } from '@sallyport/core';
import {
  discoverMembers,
  initializeMembers,
  isJsonObject,
  legacyRevisions,
  loggingLevels,
  memberText,
  metaKeys,
  removeMembers,
} from '@sallyport/protocol';
import { type EndpointOffer, offerAt } from './mcp-capabilities.ts';
import { emptyAnswer, type McpAnswer, type McpRequest, unanswered } from './mcp-request.ts';
import { expectNews } from './mcp-subscribe.ts';
import type { Introduction, Session } from './session.ts';

/** What a caller sees of: not the things, but who has any. */
const anythingListed = { verb: 'list', capability: 'any', limit: 0 } as const;

/** Serves `initialize` (MCP 2025-11-25, lifecycle) and opens the session. */
export async function answerInitialize(request: McpRequest): Promise<McpAnswer> {
  const { deps, exchange, stamp } = request;
  const { capabilities, protocolVersion } = request.request.params ?? {};
  if (capabilities !== undefined && !isJsonObject(capabilities)) {
    return request.decline('malformed_params', { issues: ['/params/capabilities: must be an object'] });
  }
  const outcome = await deps.pipeline.list(request.call(anythingListed));
  if (outcome.kind !== 'answered') return request.refuse(unanswered(outcome));
  const version = legacyRevisions.find((revision) => revision === protocolVersion) ?? legacyRevisions[0] ?? '';
  const session = exchange.openSession?.(introduction(request, version));
  if (session instanceof GatewayError) return request.refuse(session);
  const offer = offerAt(outcome.content, { ...request, isLasting: session !== undefined });
  if (session !== undefined) expectNews(session, offer.capabilities);
  return request.answer(
    stamp.own(initializeMembers(version, deps.serverInfo, offer), exchange.callId, metaOf(offer)),
    session === undefined ? {} : { [sessionIdHeader]: session.id },
  );
}

/** The header that carries the id of a session (MCP 2025-11-25, Streamable HTTP). */
const sessionIdHeader = 'Mcp-Session-Id';

/** What a client says of itself. Its own tasks (2025-11-25, experimental) are left out: nobody could ask it for them later. */
function introduction({ json }: McpRequest, version: string): Introduction {
  const text = memberText(json.text, json.inner, 'capabilities') ?? '{}';
  return { version, capabilitiesText: removeMembers(text, (key) => key === 'tasks') as JsonText };
}

function metaOf({ behind }: EndpointOffer): Readonly<Record<string, string>> {
  return behind === undefined ? {} : { [metaKeys.behind]: JSON.stringify(behind) };
}

/** Serves `server/discover` (MCP 2026-07-28). */
export async function answerDiscover(request: McpRequest): Promise<McpAnswer> {
  const outcome = await request.deps.pipeline.list(request.call(anythingListed));
  if (outcome.kind !== 'answered') return request.refuse(unanswered(outcome));
  const mayWait = request.deps.patience?.mayWait() ?? false;
  const offer = offerAt(outcome.content, { ...request, isLasting: true, mayWait });
  return request.answer(request.stamp.cacheable(discoverMembers(offer), request.exchange.callId, metaOf(offer)));
}

/** Serves `ping`. */
export async function answerPing(request: McpRequest): Promise<McpAnswer> {
  return emptyAnswer(request, () => undefined);
}

/** Serves `logging/setLevel` (MCP 2025-11-25, logging): the level holds for the session. */
export async function answerSetLevel(request: McpRequest): Promise<McpAnswer> {
  const { level } = request.request.params ?? {};
  const { session } = request.exchange;
  if (typeof level !== 'string' || !loggingLevels.includes(level)) {
    return request.decline('malformed_params', {
      issues: [`/params/level: must be one of ${loggingLevels.join(', ')}`],
    });
  }
  if (session === undefined)
    return request.decline('session_missing', { issues: ['a log level belongs to a session'] });
  return emptyAnswer(request, () => setLevel(session, level));
}

function setLevel(session: Session, level: string): void {
  session.logLevel = level;
}
