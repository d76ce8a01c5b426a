import { everything, GatewayError, type Presented, type WireFacts } from '@sallyport/core';
import {
  createResultStamp,
  type Era,
  errorMessage,
  isJsonObject,
  legacyRevisions,
  metaKeys,
  modernRevisions,
  type ResultStamp,
  resultMessage,
  splitParams,
} from '@sallyport/protocol';
import type { TransportDeps } from './deps.ts';
import { answerCall, answerCompletion, answerPrompt, answerRead, answerTask, answerVendor } from './mcp-call.ts';
import { answerDiscover, answerInitialize, answerPing, answerSetLevel } from './mcp-handshake.ts';
import { answerList } from './mcp-list.ts';
import { answerListen } from './mcp-listen.ts';
import { takeNotification, takeReply } from './mcp-notified.ts';
import {
  type ReadableMessage,
  type ReadableRequest,
  type SentTrace,
  traceOf,
  type UnreadableMessage,
} from './mcp-read.ts';
import type { McpAnswer, McpExchange, McpReceived, McpRequest } from './mcp-request.ts';
import { answerSubscribe, answerUnsubscribe } from './mcp-subscribe.ts';
import { callAgain, type Reception, toCall } from './reception.ts';
import { refusalCode, refusalData, refusalHeaders, refusalStatus, refusalText, traceIdHeader } from './refusal.ts';
import { maxCapabilitiesLength } from './session-state.ts';

/** Serves messages that were read. The one way in for every transport that speaks MCP. */
export type McpAnswerer = (exchange: McpExchange, read: ReadableMessage | UnreadableMessage) => Promise<McpAnswer>;

type Serve = (request: McpRequest) => Promise<McpAnswer>;

/** What both eras have. */
const common: readonly (readonly [string, Serve])[] = [
  ['tools/list', answerList('tool', 'tools')],
  ['tools/call', answerCall],
  ['prompts/list', answerList('prompt', 'prompts')],
  ['prompts/get', answerPrompt],
  ['resources/list', answerList('resource', 'resources')],
  ['resources/templates/list', answerList('template', 'resourceTemplates')],
  ['resources/read', answerRead],
  ['completion/complete', answerCompletion],
];

const methods: Readonly<Record<Era, ReadonlyMap<string, Serve>>> = {
  legacy: new Map([
    ...common,
    ['initialize', answerInitialize],
    ['ping', answerPing],
    ['logging/setLevel', answerSetLevel],
    ['resources/subscribe', answerSubscribe],
    ['resources/unsubscribe', answerUnsubscribe],
  ]),
  modern: new Map([
    ...common,
    ['server/discover', answerDiscover],
    ['subscriptions/listen', answerListen],
    ['tasks/get', answerTask('tasks/get')],
    ['tasks/update', answerTask('tasks/update')],
    ['tasks/cancel', answerTask('tasks/cancel')],
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
    const received = receive(deps, exchange, read);
    if ('error' in read) return decline(received, read.error);
    const { message } = read;
    if (message.kind === 'response') return takeReply(received, message);
    if (message.kind === 'request') return serve(received, { ...read, message }, stamps[era]);
    if (message.method.startsWith('notifications/')) return takeNotification(received, message);
    return decline(received, new GatewayError('malformed_request', { issues: ['/id: is missing'] }));
  };
}

/** Which credential a message is sent under: what the connection presented comes first, and a token in the message only without it. */
export function presentedBy(connection: Presented, token: unknown): Presented {
  return connection.kind === 'none' && typeof token === 'string' ? { kind: 'bearer', token } : connection;
}

interface Received extends McpReceived {
  readonly reception: Reception;
}

function receive(deps: TransportDeps, exchange: McpExchange, read: ReadableMessage | UnreadableMessage): Received {
  const { era } = read;
  // A trace context in the message is closer to the caller than one in the headers, which a proxy may have put there.
  const trace = 'message' in read && read.message.kind !== 'response' ? traceOf(read.message) : undefined;
  const wire = 'message' in read ? wireFacts(exchange, read, trace) : {};
  const reception: Reception = { ...exchange, ...trace, wire, origin: { ...exchange.origin, era } };
  const idText = 'error' in read ? read.idText : read.message.kind === 'request' ? read.message.idText : undefined;
  return {
    ...{ deps, exchange, reception },
    endpoint: exchange.endpoint ?? everything,
    call: (request) => toCall(deps, reception, request),
    refuse: (error) => refusal({ deps, exchange, era, idText }, error),
  };
}

/** What is of interest to whoever reads the call's trace. */
function wireFacts(
  { session, traceparent }: McpExchange,
  read: ReadableMessage,
  own: SentTrace | undefined,
): WireFacts {
  const { era, message } = read;
  if (message.kind === 'response') return {};
  const { method, params } = message;
  const meta = params?._meta;
  const stated = isJsonObject(meta) ? meta[metaKeys.protocolVersion] : params?.protocolVersion;
  const protocolVersion = session?.version ?? revisions.find((revision) => revision === stated);
  return {
    ...(methods[era].has(method) && { method }),
    ...(message.kind === 'request' && { requestId: String(message.id).slice(0, longestId) }),
    ...(session && { sessionId: session.id }),
    ...(protocolVersion !== undefined && { protocolVersion }),
    ...(own && traceparent !== undefined && { httpTraceparent: traceparent }),
  };
}

const revisions = [...legacyRevisions, ...modernRevisions];
const longestId = 100;

/** Whoever sent what cannot be served is authenticated and recorded first, like everybody. */
async function decline(received: Received, error: GatewayError): Promise<McpAnswer> {
  const { deps, call, refuse } = received;
  return refuse((await deps.pipeline.decline(call({ verb: 'unreadable', error }))).error);
}

async function serve(received: Received, read: ReadableRequest, stamp: ResultStamp): Promise<McpAnswer> {
  const { era, message, json, paramHeaders } = read;
  const { deps, exchange, endpoint, reception } = received;
  const serveMethod = methods[era].get(message.method) ?? (endpoint.kind === 'mount' ? answerVendor : undefined);
  if (serveMethod === undefined) return decline(received, new GatewayError('method_unknown'));
  const params = splitParams(json, message.method);
  if (params.kind !== 'params') return decline(received, new GatewayError(params.kind, { issues: [params.issue] }));
  if (params.clientCapabilitiesText.length > maxCapabilitiesLength) {
    return decline(
      received,
      new GatewayError('malformed_params', { issues: ['/params/_meta: capabilities too long'] }),
    );
  }
  const headers = { 'Content-Type': 'application/json', [traceIdHeader]: exchange.callId };
  return serveMethod({
    ...received,
    ...{ era, request: message, json, params, paramHeaders, stamp },
    callAfter: (earlier, request) => callAgain(deps, reception, { ...earlier, request }),
    answer: (resultText, more) => ({
      status: 200,
      headers: more === undefined ? headers : { ...headers, ...more },
      body: resultMessage(message.idText, resultText),
    }),
    fail: ({ status, text }) => ({
      ...{ status, headers },
      body: `{"jsonrpc":"2.0","id":${message.idText},"error":${text}}`,
    }),
    decline: (reason, details) => decline(received, new GatewayError(reason, details)),
  });
}

interface Refusing {
  readonly deps: TransportDeps;
  readonly exchange: Pick<McpExchange, 'callId' | 'endpoint'>;
  readonly era: Era;
  readonly idText: string | undefined;
}

function refusal({ deps, exchange, era, idText }: Refusing, error: GatewayError): McpAnswer {
  const { callId } = exchange;
  return {
    status: refusalStatus(error, era),
    headers: {
      'Content-Type': 'application/json',
      [traceIdHeader]: callId,
      ...refusalHeaders(error, deps, exchange.endpoint),
    },
    body: errorMessage(idText, {
      code: refusalCode(error, era),
      message: refusalText(error),
      data: refusalData(error, callId),
    }),
    refusal: error,
  };
}
