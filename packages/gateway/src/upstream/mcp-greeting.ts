import { GatewayError, type OutboundCredential } from '@sallyport/core';
import {
  isJsonObject,
  type JsonValue,
  legacyRevisions,
  metaKeys,
  modernRevisions,
  type ServerInfo,
} from '@sallyport/protocol';
import type { Reply } from './http-exchange.ts';
import type { Manner, Poster } from './mcp-post.ts';

/** How to talk to a server, and who it says it is. */
export interface Greeting extends Manner {
  readonly serverInfo: ServerInfo;
}

/** What a greeting is sent with. */
export interface GreetingOptions {
  readonly clientInfo: ServerInfo;
  readonly credential: OutboundCredential;
  readonly signal: AbortSignal;
}

const modern: Manner = { era: 'modern', version: modernRevisions[0] ?? '' };
const legacy: Manner = { era: 'legacy', version: legacyRevisions[0] ?? '' };

/**
 * Finds out which era a server speaks: the modern one if it answers `server/discover`, else the legacy one, with its
 * handshake. That it wants a token, or is broken, says nothing about its era.
 *
 * @throws GatewayError when it speaks neither, or cannot be reached.
 */
export async function greet(poster: Poster, options: GreetingOptions): Promise<Greeting> {
  return (await discover(poster, options)) ?? (await initialize(poster, options));
}

async function discover(poster: Poster, { credential, signal }: GreetingOptions): Promise<Greeting | undefined> {
  const probe = { method: 'server/discover', params: '{}', credential, signal };
  const { reply, answer } = await poster.request(modern, probe);
  if ([401, 403, 429].includes(reply.status) || reply.status >= 500)
    throw unavailable(`it answered HTTP ${reply.status}`);
  if (answer?.kind !== 'result') return undefined;
  const { supportedVersions, _meta } = answer.value;
  if (!Array.isArray(supportedVersions) || !supportedVersions.includes(modern.version)) return undefined;
  return { ...modern, serverInfo: toServerInfo(isJsonObject(_meta) ? _meta[metaKeys.serverInfo] : undefined) };
}

async function initialize(poster: Poster, { clientInfo, credential, signal }: GreetingOptions): Promise<Greeting> {
  const params = JSON.stringify({ protocolVersion: legacy.version, capabilities: {}, clientInfo });
  const { reply, answer } = await poster.request(legacy, { method: 'initialize', params, credential, signal });
  if (answer?.kind !== 'result') throw unavailable(`it speaks no known MCP; it answered HTTP ${reply.status}`);
  const { protocolVersion, serverInfo } = answer.value;
  if (typeof protocolVersion !== 'string' || !legacyRevisions.includes(protocolVersion)) {
    throw unavailable('it wants a version of MCP that is not known here');
  }
  const sessionId = headerOf(reply, 'mcp-session-id');
  const manner: Manner = { era: 'legacy', version: protocolVersion, ...(sessionId !== undefined && { sessionId }) };
  await poster.notify(manner, { method: 'notifications/initialized', params: '{}', credential, signal });
  return { ...manner, serverInfo: toServerInfo(serverInfo) };
}

function unavailable(cause: string): GatewayError {
  return new GatewayError('upstream_unavailable', {}, { cause });
}

function headerOf({ headers }: Reply, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' ? value : value?.[0];
}

function toServerInfo(value: JsonValue | undefined): ServerInfo {
  const { name, version } = isJsonObject(value) ? value : {};
  return {
    name: typeof name === 'string' ? name : 'unknown',
    version: typeof version === 'string' ? version : '0.0.0',
  };
}
