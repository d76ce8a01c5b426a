import type { JsonRpcId } from './json-rpc.ts';
import { type Era, listTtlMs, metaKeys, modernRevisions, type ServerInfo } from './mcp.ts';
import { addToResult, type Insertions } from './splice.ts';

/** What every result of one gateway carries, per era; made once, since it is the same for all calls but for the call id. */
export interface ResultStamp {
  /** Adds to the text of a `CallToolResult`, or of any result that is not a list, what this era wants. */
  plain(resultText: string, callId: string): string;
  /** The same for results that a client may cache. */
  cacheable(resultText: string, callId: string): string;
}

/** Modern results say that they are complete, who answers, and how long a list is good; legacy ones know none of it. */
export function createResultStamp(era: Era, serverInfo: ServerInfo): ResultStamp {
  const isModern = era === 'modern';
  const identity: Insertions = isModern ? { [metaKeys.serverInfo]: JSON.stringify(serverInfo) } : {};
  const plain: Insertions = isModern ? { resultType: '"complete"' } : {};
  const cacheable: Insertions = isModern ? { ...plain, ttlMs: String(listTtlMs), cacheScope: '"private"' } : {};
  const meta = (callId: string): Insertions => ({ ...identity, [metaKeys.traceId]: JSON.stringify(callId) });
  return {
    plain: (text, callId) => addToResult(text, { defaults: plain, meta: meta(callId) }),
    cacheable: (text, callId) => addToResult(text, { defaults: cacheable, meta: meta(callId) }),
  };
}

/** The text of the result of `initialize`: the version asked for if it is served, else the newest legacy one. */
export function initializeResult(version: string, serverInfo: ServerInfo): string {
  return JSON.stringify({ protocolVersion: version, capabilities: { tools: {} }, serverInfo });
}

/** The text of the result of `server/discover`. */
export function discoverResult(): string {
  return JSON.stringify({ supportedVersions: modernRevisions, capabilities: { tools: { listChanged: true } } });
}

/** The params text of a notification that belongs to a subscription. */
export function subscriptionParams(subscription: JsonRpcId, params: Insertions = {}): string {
  const members = Object.entries(params).map(([key, value]) => `${JSON.stringify(key)}:${value},`);
  return `{${members.join('')}"_meta":{"${metaKeys.subscriptionId}":${JSON.stringify(subscription)}}}`;
}
