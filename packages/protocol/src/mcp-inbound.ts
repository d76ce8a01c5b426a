import { decodeHeaderValue } from './header-value.ts';
import type { JsonObject, JsonValue } from './json.ts';
import type { JsonRpcNotification, JsonRpcRequest } from './json-rpc.ts';
import {
  type Era,
  isModernVersion,
  legacyRevisions,
  mcpHeaders,
  metaKeys,
  modernRevisions,
  nameSource,
} from './mcp.ts';
import { isJsonObject } from './strict-json.ts';

/** The headers of one request. Names are lower case; a repeated header reads as its values joined, or not at all. */
export interface WireHeaders {
  get(name: string): string | undefined;
  names(): Iterable<string>;
}

/** Why a message cannot be served in its era. The kinds are reasons of the gateway's error table. */
export interface InboundProblem {
  readonly kind: 'malformed_params' | 'version_unsupported' | 'header_mismatch';
  readonly issue: string;
  readonly supported?: readonly string[];
  readonly requested?: string;
}

/** Which generation of MCP a message belongs to, and whether it keeps that generation's rules. */
export interface Classified {
  readonly era: Era;
  readonly problem?: InboundProblem;
}

type Message = JsonRpcRequest | JsonRpcNotification;

/**
 * Tells the era of a message from its body, and checks the envelope and the headers of modern ones (2026-07-28, versioning
 * and Streamable HTTP). Headers are only ever compared with the body, never decided from. Transports without headers pass
 * none, and the header rules do not apply.
 */
export function classifyInbound(message: Message, headers?: WireHeaders): Classified {
  const meta = message.params?._meta;
  const claimed = isJsonObject(meta) ? meta[metaKeys.protocolVersion] : undefined;
  const headerVersion = headers?.get(mcpHeaders.protocolVersion);
  const isClaim = claimed !== undefined;
  if (message.method === 'initialize' && !isValidModernClaim(meta)) return initialize(headerVersion);
  if (isClaim && isJsonObject(meta)) return modern(message, meta, headers);
  if (headerVersion === undefined) return { era: 'legacy' };
  if (isModernVersion(headerVersion)) return headerWithoutClaim(message, headers, headerVersion);
  if (legacyRevisions.includes(headerVersion)) return { era: 'legacy' };
  return { era: 'legacy', problem: unsupported(headerVersion, [...modernRevisions, ...legacyRevisions]) };
}

/** Reads the `Mcp-Param-*` headers: lower-case suffix → decoded value. `undefined` when one cannot be decoded. */
export function readParamHeaders(headers: WireHeaders): ReadonlyMap<string, string> | undefined {
  let found: Map<string, string> | undefined;
  for (const name of headers.names()) {
    if (!name.startsWith(mcpHeaders.paramPrefix)) continue;
    const value = decodeHeaderValue(headers.get(name) ?? '');
    if (value === undefined) return undefined;
    found ??= new Map();
    found.set(name.slice(mcpHeaders.paramPrefix.length), value);
  }
  return found ?? noParamHeaders;
}

const noParamHeaders: ReadonlyMap<string, string> = new Map();

/** The handshake is legacy by definition, unless a complete modern envelope says that the name is used by mistake. */
function initialize(headerVersion: string | undefined): Classified {
  if (headerVersion === undefined || !isModernVersion(headerVersion)) return { era: 'legacy' };
  return { era: 'legacy', problem: mismatch('MCP-Protocol-Version: names a revision without initialize') };
}

function headerWithoutClaim(message: Message, headers: WireHeaders | undefined, version: string): Classified {
  if (message.kind === 'notification') {
    const problem = modernRevisions.includes(version)
      ? methodProblem(message, headers)
      : unsupported(version, modernRevisions);
    return { era: 'modern', ...(problem && { problem }) };
  }
  const issue = `/params/_meta/${pointerToken(metaKeys.protocolVersion)}: is missing`;
  return { era: 'modern', problem: { kind: 'malformed_params', issue } };
}

function modern(message: Message, meta: JsonObject, headers: WireHeaders | undefined): Classified {
  const problem =
    envelopeProblem(meta) ??
    versionProblem(meta[metaKeys.protocolVersion] as string, headers) ??
    (message.kind === 'request' ? headerProblem(message, headers) : methodProblem(message, headers));
  return { era: 'modern', ...(problem && { problem }) };
}

function isValidModernClaim(meta: JsonValue | undefined): boolean {
  if (!isJsonObject(meta)) return false;
  const version = meta[metaKeys.protocolVersion];
  return typeof version === 'string' && isModernVersion(version) && envelopeProblem(meta) === undefined;
}

function envelopeProblem(meta: JsonObject): InboundProblem | undefined {
  const at = (key: string, issue: string): InboundProblem => ({
    kind: 'malformed_params',
    issue: `/params/_meta/${pointerToken(key)}: ${issue}`,
  });
  const version = meta[metaKeys.protocolVersion];
  if (typeof version !== 'string') return at(metaKeys.protocolVersion, 'must be a string');
  const capabilities = meta[metaKeys.clientCapabilities];
  if (capabilities === undefined) return at(metaKeys.clientCapabilities, 'is missing');
  if (!isJsonObject(capabilities)) return at(metaKeys.clientCapabilities, 'must be an object');
  const info = meta[metaKeys.clientInfo];
  if (info !== undefined && !isJsonObject(info)) return at(metaKeys.clientInfo, 'must be an object');
  return undefined;
}

function versionProblem(claimed: string, headers: WireHeaders | undefined): InboundProblem | undefined {
  const header = headers?.get(mcpHeaders.protocolVersion);
  if (header !== undefined && header.trim() !== claimed) {
    return mismatch('MCP-Protocol-Version: differs from the protocol version in the body');
  }
  return modernRevisions.includes(claimed) ? undefined : unsupported(claimed, modernRevisions);
}

function headerProblem(request: JsonRpcRequest, headers: WireHeaders | undefined): InboundProblem | undefined {
  if (headers === undefined) return undefined;
  if (headers.get(mcpHeaders.protocolVersion) === undefined) return mismatch('MCP-Protocol-Version: is missing');
  if (headers.get(mcpHeaders.method) === undefined) return mismatch('Mcp-Method: is missing');
  return methodProblem(request, headers) ?? nameProblem(request, headers);
}

function methodProblem(message: Message, headers: WireHeaders | undefined): InboundProblem | undefined {
  const header = headers?.get(mcpHeaders.method);
  if (header === undefined || decodeHeaderValue(header) === message.method) return undefined;
  return mismatch('Mcp-Method: differs from the method in the body');
}

function nameProblem(request: JsonRpcRequest, headers: WireHeaders): InboundProblem | undefined {
  const source = nameSource(request.method);
  if (source === undefined) return undefined;
  const value = request.params?.[source];
  const header = headers.get(mcpHeaders.name);
  if (header === undefined) return typeof value === 'string' ? mismatch('Mcp-Name: is missing') : undefined;
  const decoded = decodeHeaderValue(header);
  if (decoded === undefined) return mismatch('Mcp-Name: cannot be decoded');
  return typeof value === 'string' && decoded !== value ? mismatch('Mcp-Name: differs from the body') : undefined;
}

function mismatch(issue: string): InboundProblem {
  return { kind: 'header_mismatch', issue };
}

/** A modern client is told what it may put where it put what is not supported. */
function unsupported(requested: string, supported: readonly string[]): InboundProblem {
  return { kind: 'version_unsupported', issue: 'this protocol version is not supported', supported, requested };
}

function pointerToken(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1');
}
