import type { Hop, JsonText, Permit, ServiceMethod } from '@sallyport/core';
import {
  buildParams,
  type CompletionRef,
  type Era,
  encodeHeaderValue,
  formatTraceparent,
  isJsonObject,
  mcpHeaders,
  membersOf,
  memberText,
  metaKeys,
  nameSource,
  spliceMembers,
} from '@sallyport/protocol';
import type { ConversationRequest } from './conversation.ts';

/** What of a request follows from the call; the rest is for whoever waits for it. */
export type Outgoing = Pick<
  ConversationRequest,
  'method' | 'paramsText' | 'meta' | 'name' | 'headers' | 'capabilitiesText' | 'credential' | 'assertion'
>;

/**
 * Writes the request to a server for a permitted call. The permit's text is what is sent as arguments, byte for byte; a
 * modern server is told in `_meta` and headers what it needs besides.
 */
export function toOutgoing(permit: Permit, hop: Hop, era: Era): Outgoing {
  const { target, argumentsText } = permit;
  const method = permit.method === 'vendor' ? target.remoteName : permit.method;
  const isModern = era === 'modern';
  const trace = traceOf(hop);
  const { retry, client } = hop;
  const ref = refOf(permit);
  const paramsText = buildParams({
    method,
    argumentsText: hop.taskId === undefined ? argumentsText : withTaskId(argumentsText, hop.taskId),
    ...(ref ? { ref } : { name: target.remoteName }),
    // Only modern servers ask in this way.
    ...(isModern && { inputResponsesText: retry?.inputResponsesText, requestState: retry?.requestState }),
    restText: permit.restText,
    metaText: client.metaText,
  });
  const name = nameFor(permit.method, hop, target.remoteName);
  return {
    method,
    paramsText: paramsText as JsonText,
    ...(name !== undefined && { name }),
    headers: { ...trace, ...(isModern && paramHeaders(permit)) },
    meta: {
      ...Object.fromEntries(Object.entries(trace).map(([key, value]) => [key, JSON.stringify(value)])),
      ...(isModern && logMeta(hop)),
    },
    capabilitiesText: client.capabilitiesText,
    credential: hop.credential,
    ...(hop.assertion && { assertion: hop.assertion }),
  };
}

/**
 * What the gateway can bring to a caller that can be asked: it claims that when it asks for itself what a modern server
 * offers. Calls claim what their callers can.
 */
export const mediated =
  '{"elicitation":{"form":{},"url":{}},"sampling":{},"roots":{},"extensions":{"io.modelcontextprotocol/tasks":{}}}' as JsonText;

/** Whether there is anything that a server may ask a caller who can do this. */
export function canBeAsked(capabilitiesText: string): boolean {
  return ['"elicitation"', '"sampling"', '"roots"'].some((name) => capabilitiesText.includes(name));
}

/** What a legacy server is told of a client: what can be brought to it, and nothing that it would have to be told of later. */
export function legacyCapabilities(capabilitiesText: JsonText): JsonText {
  const known = legacyTexts.get(capabilitiesText);
  if (known !== undefined) return known;
  const members = membersOf(capabilitiesText);
  const kept = ['elicitation', 'sampling', 'roots', 'experimental', 'extensions'].flatMap((key) => {
    const text = key === 'roots' ? rootsText(capabilitiesText) : memberText(capabilitiesText, members, key);
    return text === undefined ? [] : [[key, text] as const];
  });
  const made = spliceMembers('{}', Object.fromEntries(kept)) as JsonText;
  if (legacyTexts.size >= maxTexts) legacyTexts.clear();
  legacyTexts.set(capabilitiesText, made);
  return made;
}

const maxTexts = 100;
const legacyTexts = new Map<string, JsonText>();

function rootsText(capabilitiesText: string): string | undefined {
  return membersOf(capabilitiesText).some(({ key }) => key === 'roots') ? '{}' : undefined;
}

/** Modern servers tell of their log only who asks for it. Legacy clients that said nothing are used to hearing it. */
function logMeta({ client, era, onNotification }: Hop): Readonly<Record<string, string>> {
  const level = client.logLevel ?? (era === 'legacy' && onNotification ? 'info' : undefined);
  return level === undefined ? {} : { [metaKeys.logLevel]: JSON.stringify(level) };
}

function traceOf({ trace }: Hop): Readonly<Record<string, string>> {
  const { traceState, baggage } = trace;
  return {
    traceparent: formatTraceparent(trace),
    ...(traceState !== undefined && { tracestate: traceState }),
    ...(baggage !== undefined && { baggage }),
  };
}

function refOf({ method, target }: Permit): CompletionRef | undefined {
  if (method !== 'completion/complete') return undefined;
  const { capability, remoteName } = target;
  return capability === 'prompt' ? { kind: 'prompt', name: remoteName } : { kind: 'template', uri: remoteName };
}

function withTaskId(paramsText: string, taskId: string): string {
  return spliceMembers(paramsText, { taskId: JSON.stringify(taskId) });
}

function nameFor(method: ServiceMethod, { taskId }: Hop, remoteName: string): string | undefined {
  switch (nameSource(method)) {
    case undefined:
      return undefined;
    case 'taskId':
      return taskId ?? '';
    default:
      return remoteName;
  }
}

const headerName = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** Properties that their schema marks with `x-mcp-header` travel in a header too (MCP 2026-07-28, Streamable HTTP). */
function paramHeaders({ target, method, argumentsText }: Permit): Readonly<Record<string, string>> {
  if (target.capability !== 'tool' || method !== 'tools/call') return {};
  const { properties } = target.inputSchema;
  if (!isJsonObject(properties)) return {};
  const marked = Object.entries(properties).flatMap(([property, schema]) => {
    const header = isJsonObject(schema) ? schema['x-mcp-header'] : undefined;
    return typeof header === 'string' && headerName.test(header) ? [{ property, header }] : [];
  });
  if (marked.length === 0) return {};
  const args = JSON.parse(argumentsText) as Readonly<Record<string, unknown>>;
  return Object.fromEntries(
    marked.flatMap(({ property, header }) => {
      const value = Object.hasOwn(args, property) ? args[property] : undefined;
      if (!['string', 'number', 'boolean'].includes(typeof value)) return [];
      return [[`${mcpHeaders.paramPrefix}${header.toLowerCase()}`, encodeHeaderValue(String(value))]];
    }),
  );
}
