import { GatewayError, type Presented } from '@sallyport/core';
import {
  createResultStamp,
  discoverMembers,
  type Era,
  errorMessage,
  initializeMembers,
  isJsonRpcId,
  legacyRevisions,
  resultMessage,
} from '@sallyport/protocol';
import type { TransportDeps } from './deps.ts';
import { answerCall } from './mcp-call.ts';
import { answerListen } from './mcp-listen.ts';
import { type ReadableMessage, traceOf, type UnreadableMessage } from './mcp-read.ts';
import { type McpAnswer, type McpExchange, type McpRequest, unanswered } from './mcp-request.ts';
import { type Reception, toCall } from './reception.ts';
import { refusalData, refusalHeaders, traceIdHeader } from './refusal.ts';

/** Serves messages that were read. The one way in for every transport that speaks MCP. */
export type McpAnswerer = (exchange: McpExchange, read: ReadableMessage | UnreadableMessage) => Promise<McpAnswer>;

type Serve = (request: McpRequest) => Promise<McpAnswer>;

const methods: Readonly<Record<Era, ReadonlyMap<string, Serve>>> = {
  legacy: new Map<string, Serve>([
    ['initialize', initialize],
    ['ping', ping],
    ['tools/list', listTools],
    ['tools/call', answerCall],
  ]),
  modern: new Map<string, Serve>([
    ['server/discover', discover],
    ['tools/list', listTools],
    ['tools/call', answerCall],
    ['subscriptions/listen', answerListen],
  ]),
};

/** Makes the function that answers MCP messages for these dependencies. It never throws. */
export function createMcpAnswerer(deps: TransportDeps): McpAnswerer {
  const stamps = {
    legacy: createResultStamp('legacy', deps.serverInfo),
    modern: createResultStamp('modern', deps.serverInfo),
  };
  return async (exchange, read) => {
    const { era } = read;
    // A trace context in the message is closer to the caller than one in the headers, which a proxy may have put there.
    const trace = 'message' in read ? traceOf(read.message) : undefined;
    const reception: Reception = { ...exchange, ...trace, origin: { ...exchange.origin, era } };
    const call: McpRequest['call'] = (request) => toCall(deps, reception, request);
    const idText = 'error' in read ? read.idText : read.message.kind === 'request' ? read.message.idText : undefined;
    const refuse = (error: GatewayError): McpAnswer => refusal({ deps, exchange, era, idText }, error);
    const declined = async (error: GatewayError): Promise<McpAnswer> =>
      refuse((await deps.pipeline.decline(call({ verb: 'unreadable', error }))).error);

    if ('error' in read) return declined(read.error);
    const { message, json, paramHeaders } = read;
    if (message.kind === 'notification') return notified({ deps, exchange, message, call, refuse, declined });
    const serve = methods[era].get(message.method);
    if (serve === undefined) return declined(new GatewayError('method_unknown'));
    const headers = { 'Content-Type': 'application/json', [traceIdHeader]: exchange.callId };
    return serve({
      ...{ deps, exchange, era, request: message, json, paramHeaders, stamp: stamps[era], call, refuse },
      answer: (resultText) => ({ status: 200, headers, body: resultMessage(message.idText, resultText) }),
      decline: (reason, issue) => declined(new GatewayError(reason, { issues: [issue] })),
    });
  };
}

/** Which credential a message is sent under: what the connection presented comes first, and a token in the message only without it. */
export function presentedBy(connection: Presented, token: unknown): Presented {
  return connection.kind === 'none' && typeof token === 'string' ? { kind: 'bearer', token } : connection;
}

interface Notified extends Pick<McpRequest, 'deps' | 'exchange' | 'call' | 'refuse'> {
  readonly message: Extract<ReadableMessage['message'], { kind: 'notification' }>;
  readonly declined: (error: GatewayError) => Promise<McpAnswer>;
}

async function notified({ deps, exchange, message, call, refuse, declined }: Notified): Promise<McpAnswer> {
  if (!message.method.startsWith('notifications/')) {
    return declined(new GatewayError('malformed_request', { issues: ['/id: is missing'] }));
  }
  const outcome = await deps.pipeline.list(call(nothingListed));
  if (outcome.kind === 'refused') return refuse(outcome.error);
  const id = message.params?.requestId;
  if (message.method === 'notifications/cancelled' && isJsonRpcId(id)) exchange.cancel?.(id);
  return { status: 202, headers: { [traceIdHeader]: exchange.callId } };
}

/**
 * Handshakes, pings and notifications ask for nothing that exists. They go through the pipeline as lists of no tools, so
 * that their sender is admitted, authenticated and recorded like any other.
 */
const nothingListed = { verb: 'list', capability: 'tool', limit: 0 } as const;

async function initialize(request: McpRequest): Promise<McpAnswer> {
  const { deps, exchange, stamp } = request;
  const outcome = await deps.pipeline.list(request.call(nothingListed));
  if (outcome.kind === 'refused') return request.refuse(outcome.error);
  const asked = request.request.params?.protocolVersion;
  const version = legacyRevisions.find((revision) => revision === asked) ?? legacyRevisions[0] ?? '';
  return request.answer(stamp.own(initializeMembers(version, deps.serverInfo), exchange.callId));
}

async function ping(request: McpRequest): Promise<McpAnswer> {
  const outcome = await request.deps.pipeline.list(request.call(nothingListed));
  if (outcome.kind === 'refused') return request.refuse(outcome.error);
  return request.answer(request.stamp.own('', request.exchange.callId));
}

async function discover(request: McpRequest): Promise<McpAnswer> {
  const outcome = await request.deps.pipeline.list(request.call(nothingListed));
  if (outcome.kind === 'refused') return request.refuse(outcome.error);
  return request.answer(request.stamp.cacheable(discoverMembers(), request.exchange.callId));
}

async function listTools(request: McpRequest): Promise<McpAnswer> {
  const { deps, exchange, stamp } = request;
  const cursor = request.request.params?.cursor;
  if (cursor !== undefined && typeof cursor !== 'string') {
    return request.decline('malformed_params', '/params/cursor: must be a string');
  }
  const outcome = await deps.pipeline.list(
    request.call({ verb: 'list', capability: 'tool', limit: deps.pageSize, ...(cursor !== undefined && { cursor }) }),
  );
  if (outcome.kind !== 'answered') return request.refuse(unanswered(outcome));
  const { targets, nextCursor } = outcome.content;
  const next = nextCursor === undefined ? '' : `,"nextCursor":${JSON.stringify(nextCursor)}`;
  return request.answer(
    stamp.cacheable(
      `"tools":[${targets.map((target) => deps.entryText(target, 'full')).join(',')}]${next}`,
      exchange.callId,
    ),
  );
}

interface Refusing {
  readonly deps: TransportDeps;
  readonly exchange: Pick<McpExchange, 'callId'>;
  readonly era: Era;
  readonly idText: string | undefined;
}

function refusal({ deps, exchange, era, idText }: Refusing, error: GatewayError): McpAnswer {
  const { callId } = exchange;
  return {
    status: statusOf(error, era),
    headers: {
      'Content-Type': 'application/json',
      [traceIdHeader]: callId,
      ...refusalHeaders(error, deps.resourceMetadataUrl),
    },
    body: errorMessage(idText, { code: error.jsonRpc, message: error.message, data: refusalData(error, callId) }),
    refusal: error,
  };
}

/** What concerns the tool, not the exchange, is an answer in HTTP's eyes; legacy clients expect that of methods too. */
function statusOf(error: GatewayError, era: Era): number {
  if (error.reason === 'unknown_tool') return 200;
  return error.reason === 'method_unknown' && era === 'legacy' ? 200 : error.http;
}
