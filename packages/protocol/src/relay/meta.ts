import type { JsonObject } from '../json.ts';
import { isJsonRpcId, type JsonRpcId } from '../json-rpc.ts';
import { metaKeys } from '../mcp.ts';
import { foldName, suspiciousKeys } from '../similar.ts';
import { removeMembers } from '../splice.ts';
import { isJsonObject, membersOf, memberText } from '../strict-json.ts';

/** The severities of log messages, least first (MCP, logging). */
export const loggingLevels: readonly string[] = [
  'debug',
  'info',
  'notice',
  'warning',
  'error',
  'critical',
  'alert',
  'emergency',
];

/** A `_meta` of a request, taken apart. */
export interface SplitMeta {
  readonly progressToken?: JsonRpcId;
  /** One of `loggingLevels`. */
  readonly logLevel?: string;
  /** MCP `ClientCapabilities`; `{}` when the request says none. */
  readonly clientCapabilitiesText: string;
  readonly clientInfoText?: string;
  /** What is meant for the server: all but what every hop says for itself. Absent when nothing is left. */
  readonly metaText?: string;
}

/** Why params cannot be taken apart. The kinds are reasons of the gateway's error table. */
export interface ParamsProblem {
  readonly kind: 'malformed_params' | 'malformed_request';
  readonly issue: string;
}

/** Names that every hop says for itself; below these prefixes all names are reserved. */
const ownNames: readonly string[] = ['progressToken', 'traceparent', 'tracestate', 'baggage'];
const ownPrefixes: readonly string[] = ['io.modelcontextprotocol/', 'dev.sallyport/'];
const foldedPrefixes = ownPrefixes.map(foldName);

/** Takes the `_meta` of a request apart. `metaText` and `meta` are the same object; both absent when there is none. */
export function splitMeta(metaText: string | undefined, meta: JsonObject | undefined): SplitMeta | ParamsProblem {
  if (metaText === undefined || meta === undefined) return noMeta;
  const members = membersOf(metaText);
  const [suspicious] = [...suspiciousKeys(members, ownNames), ...members.map(({ key }) => key).filter(isDisguised)];
  if (suspicious !== undefined) return smuggled(`/params/_meta/${suspicious}`);
  const { progressToken } = meta;
  if (progressToken !== undefined && !isJsonRpcId(progressToken)) {
    return malformed('/params/_meta/progressToken: must be a string or an integer');
  }
  const logLevel = meta[metaKeys.logLevel];
  if (logLevel !== undefined && (typeof logLevel !== 'string' || !loggingLevels.includes(logLevel))) {
    return malformed(
      `/params/_meta/${metaKeys.logLevel.replace('/', '~1')}: must be one of ${loggingLevels.join(', ')}`,
    );
  }
  const capabilities = isJsonObject(meta[metaKeys.clientCapabilities])
    ? memberText(metaText, members, metaKeys.clientCapabilities)
    : undefined;
  const clientInfo = memberText(metaText, members, metaKeys.clientInfo);
  const isAllOwn = members.every(({ key }) => isOwn(key));
  return {
    ...(progressToken !== undefined && { progressToken }),
    ...(logLevel !== undefined && { logLevel }),
    clientCapabilitiesText: capabilities ?? '{}',
    ...(clientInfo !== undefined && { clientInfoText: clientInfo }),
    ...(!isAllOwn && { metaText: removeMembers(metaText, isOwn) }),
  };
}

/** A problem of the sender's: a member of the wrong kind. */
export function malformed(issue: string): ParamsProblem {
  return { kind: 'malformed_params', issue };
}

/** A problem that only an attacker has: a member that others may read as one that matters. */
export function smuggled(pointer: string): ParamsProblem {
  return { kind: 'malformed_request', issue: `${pointer}: a member that differs from an expected one in case only` };
}

const noMeta: SplitMeta = { clientCapabilitiesText: '{}' };

function isOwn(key: string): boolean {
  return ownNames.includes(key) || ownPrefixes.some((prefix) => key.startsWith(prefix));
}

function isDisguised(key: string): boolean {
  const folded = foldName(key);
  return !isOwn(key) && foldedPrefixes.some((prefix) => folded.startsWith(prefix));
}
