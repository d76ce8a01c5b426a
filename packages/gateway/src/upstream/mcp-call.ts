import { type Answer, GatewayError, type Hop, type Permit, spendPermit } from '@sallyport/core';
import { encodeHeaderValue, formatTraceparent, isJsonObject, mcpHeaders } from '@sallyport/protocol';
import type { Greeting } from './mcp-greeting.ts';
import { toGatewayError, toStatusError } from './mcp-message.ts';
import type { McpRequest, Posted, Poster } from './mcp-post.ts';

/** Where a call goes. */
export interface McpCall {
  readonly poster: Poster;
  readonly greeting: Greeting;
  readonly instance: string;
  /** Fires with the `GatewayError` to end with. */
  readonly signal: AbortSignal;
  /** The server does not know the session any more. */
  readonly onSessionLost: () => void;
}

/**
 * Calls a tool of an MCP server. The permit is spent on a connected socket, right before the first byte; its text is
 * what is sent as arguments, and what comes back as the result is passed on as it is.
 *
 * @throws GatewayError as `Upstream.open` says.
 */
export async function callForeignTool(permit: Permit, hop: Hop, call: McpCall): Promise<Answer> {
  const { poster, greeting, signal, instance } = call;
  let sentId: number | undefined;
  const request = toRequest(permit, hop, signal);
  const posting = poster.request(greeting, {
    ...request,
    onStart(id) {
      spendPermit(permit);
      sentId = id;
      hop.sent();
    },
  });
  try {
    return toAnswer(await posting, call, instance);
  } catch (error) {
    // Modern servers understand the end of the connection; legacy ones must be told.
    if (signal.aborted && sentId !== undefined && greeting.era === 'legacy') tellCancelled(call, request, sentId);
    throw error;
  }
}

function toRequest(permit: Permit, hop: Hop, signal: AbortSignal): McpRequest {
  const { remoteName } = permit.target;
  const { traceState } = hop.trace;
  const trace = {
    traceparent: formatTraceparent(hop.trace),
    ...(traceState !== undefined && { tracestate: traceState }),
  };
  return {
    method: 'tools/call',
    name: remoteName,
    params: `{"name":${JSON.stringify(remoteName)},"arguments":${permit.argumentsText}}`,
    headers: { ...trace, ...paramHeaders(permit) },
    meta: Object.fromEntries(Object.entries(trace).map(([key, value]) => [key, JSON.stringify(value)])),
    credential: hop.credential,
    signal,
    ...(hop.onProgress && { onProgress: hop.onProgress }),
  };
}

/** Properties that their schema marks with `x-mcp-header` travel in a header too (MCP 2026-07-28, Streamable HTTP). */
function paramHeaders({ target, argumentsText }: Permit): Readonly<Record<string, string>> {
  if (target.capability !== 'tool') return {};
  const { properties } = target.inputSchema;
  if (!isJsonObject(properties)) return {};
  const marked = Object.entries(properties).flatMap(([property, schema]) => {
    const header = isJsonObject(schema) ? schema['x-mcp-header'] : undefined;
    return typeof header === 'string' && /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(header) ? [{ property, header }] : [];
  });
  if (marked.length === 0) return {};
  const args = JSON.parse(argumentsText) as Readonly<Record<string, unknown>>;
  return Object.fromEntries(
    marked.flatMap(({ property, header }) => {
      const value = args[property];
      if (!['string', 'number', 'boolean'].includes(typeof value)) return [];
      return [[`${mcpHeaders.paramPrefix}${header.toLowerCase()}`, encodeHeaderValue(String(value))]];
    }),
  );
}

function toAnswer({ reply, answer }: Posted, { greeting, onSessionLost }: McpCall, instance: string): Answer {
  if (reply.status === 404 && greeting.sessionId !== undefined) {
    onSessionLost();
    throw new GatewayError('upstream_unavailable', {}, { cause: 'the server has forgotten the session' });
  }
  if (answer === undefined) throw toStatusError(reply.status);
  if (answer.kind === 'error') throw toGatewayError(answer);
  const { resultType, isError } = answer.value;
  if (resultType !== undefined && resultType !== 'complete') {
    throw new GatewayError('upstream_failed', {}, { cause: 'the server wants something that nobody offered it' });
  }
  return { text: answer.text, isError: isError === true, instance };
}

function tellCancelled({ poster, greeting }: McpCall, { credential }: McpRequest, requestId: number): void {
  const params = JSON.stringify({ requestId });
  const signal = AbortSignal.timeout(2_000);
  poster
    .notify(greeting, { method: 'notifications/cancelled', params, credential, signal })
    // Best effort: the call has ended here either way.
    .catch(() => undefined);
}
