import type { JsonObject } from './json.ts';
import type { JsonRpcId } from './json-rpc.ts';
import { type Era, listTtlMs, metaKeys, modernRevisions, type ServerInfo } from './mcp.ts';
import { addToResult, type Insertions } from './splice.ts';
import { membersOf, memberText } from './strict-json.ts';

/** Completes results for one era and one gateway. All texts are JSON; `callId` becomes the trace id in `_meta`. */
export interface ResultStamp {
  /** A service's result: everything it says is kept. */
  service(resultText: string, callId: string): string;
  /** A result of the gateway's own, given as members without braces: `"tools":[]`. */
  own(membersText: string, callId: string, meta?: Insertions): string;
  /** The same for a result that modern clients may cache. */
  cacheable(membersText: string, callId: string, meta?: Insertions): string;
}

/** Modern results say that they are complete, who answers, and how long a list is good; legacy ones know none of it. */
export function createResultStamp(era: Era, serverInfo: ServerInfo): ResultStamp {
  const isModern = era === 'modern';
  const identity: Insertions = isModern ? { [metaKeys.serverInfo]: JSON.stringify(serverInfo) } : {};
  const defaults: Insertions = isModern ? { resultType: '"complete"' } : {};
  const caching: Insertions = isModern ? { ttlMs: String(listTtlMs), cacheScope: '"private"' } : {};
  const metaOf = (callId: string): Insertions => ({ ...identity, [metaKeys.traceId]: JSON.stringify(callId) });
  const own = (membersText: string, extra: Insertions, meta: Insertions): string => {
    const parts = [membersText, membersTextOf({ ...extra, _meta: `{${membersTextOf(meta)}}` })];
    return `{${parts.filter((part) => part !== '').join(',')}}`;
  };
  const start = `{${membersTextOf(defaults)}${isModern ? ',' : ''}"_meta":{${membersTextOf(identity)}${isModern ? ',' : ''}`;
  return {
    service: (text, callId) => {
      if (isPlain(text)) return `${start}"${metaKeys.traceId}":${JSON.stringify(callId)}},${text.slice(1)}`;
      return addToResult(text, { defaults, meta: { ...behind(text, isModern), ...metaOf(callId) } });
    },
    own: (text, callId, meta = {}) =>
      // Nothing is nothing: legacy clients may take no more for the answer to a ping.
      text === '' && !isModern ? '{}' : own(text, defaults, { ...metaOf(callId), ...meta }),
    cacheable: (text, callId, meta = {}) => own(text, { ...defaults, ...caching }, { ...metaOf(callId), ...meta }),
  };
}

/**
 * Nearly every result: it certainly has none of the members that are added, so they can go in front. Escapes may hide one; a
 * search that begins with a rare letter is a fast one.
 */
function isPlain(text: string): boolean {
  return text.startsWith('{"') && !text.includes('resultType"') && !text.includes('_meta"') && !/\\[u/]/.test(text);
}

/** What the server says of itself, where the gateway says it of itself. */
function behind(text: string, isModern: boolean): Insertions {
  if (!isModern || !text.includes(metaKeys.serverInfo)) return {};
  const meta = memberText(text, membersOf(text), '_meta') ?? '{}';
  const info = memberText(meta, membersOf(meta), metaKeys.serverInfo);
  return info === undefined ? {} : { [metaKeys.behind]: info };
}

/** What a gateway offers at one endpoint, to one caller. */
export interface Offer {
  /** MCP `ServerCapabilities`. */
  readonly capabilities: JsonObject;
  readonly instructions?: string;
}

/** The members of the result of `initialize`: the version that will be spoken, and what is offered. */
export function initializeMembers(version: string, serverInfo: ServerInfo, offer: Offer): string {
  const { capabilities, instructions } = offer;
  return JSON.stringify({ protocolVersion: version, capabilities, serverInfo, instructions }).slice(1, -1);
}

/** The members of the result of `server/discover`. */
export function discoverMembers({ capabilities, instructions }: Offer): string {
  return JSON.stringify({ supportedVersions: modernRevisions, capabilities, instructions }).slice(1, -1);
}

/** The params text of a notification that belongs to a subscription. */
export function subscriptionParams(subscription: JsonRpcId, params: Insertions = {}): string {
  return `{${membersTextOf({ ...params, _meta: `{"${metaKeys.subscriptionId}":${JSON.stringify(subscription)}}` })}}`;
}

function membersTextOf(members: Insertions): string {
  return Object.entries(members)
    .map(([key, value]) => `${JSON.stringify(key)}:${value}`)
    .join(',');
}
