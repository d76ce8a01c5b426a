import { randomBytes, randomUUID } from 'node:crypto';
import {
  CLIENT_CAPABILITIES_META_KEY,
  type JSONRPCRequest,
  LOG_LEVEL_META_KEY,
  ProtocolError,
  Server,
  type ServerContext,
} from '@modelcontextprotocol/server';
import {
  formatTraceparent,
  type HopClient,
  type HopMethod,
  hopMethods,
  type JsonObject,
  parseTraceparent,
  type ServiceManifest,
} from '@sallyport/protocol';
import type { Answer } from '../answer.ts';
import type { IncomingCall } from '../call-context.ts';
import { meantBy } from '../meaning.ts';
import type { Principal } from '../tool-options.ts';
import { askClient } from './ask-client.ts';
import type { McpEndpointOptions } from './endpoint.ts';
import { listFor } from './lists.ts';
import type { Vouched } from './statement.ts';
import { answersTasks } from './task-methods.ts';

/** What is remembered of a client of the old era between its requests. Absent for whoever has no session, and in the new era. */
export interface ClientSession {
  /** The least severe log message it wants to hear. */
  logLevel: string | undefined;
  /** What it wants to be told of when it changes. */
  readonly subscriptions: Set<string>;
}

/** Nobody vouches for more than this about whoever holds the endpoint's token. */
const direct: Principal = { subject: 'direct', client: 'mcp', kind: 'agent', scopes: [], attributes: {} };

const defaultTimeoutMs = 30_000;

/** One request that is being served. */
interface Served {
  readonly server: Server;
  readonly context: ServerContext;
  readonly session: ClientSession | undefined;
}

/**
 * Makes the SDK's server over the service's own handlers. The SDK wants a fresh one for every request of the new era, and for
 * every session of the old one. Requests are served as they came, all in one place: what the service answers is not parsed
 * into the SDK's own types, which would lose what they do not know.
 */
export function createMcpServer(options: McpEndpointOptions, session?: ClientSession): Server {
  const { manifest } = options;
  const { service: name, version } = manifest;
  const capabilities = { ...(manifest.mcp?.capabilities ?? { tools: {} }), logging: {} };
  const server = new Server({ name, version }, { capabilities });
  const start = createStarter(options);

  server.fallbackRequestHandler = async (request, context) => {
    const listed = listFor(manifest, request.method);
    if (listed !== undefined) return listed;
    const method = hopMethods.find((known) => known === request.method);
    if (method === undefined || method.startsWith('tasks/')) throw new ProtocolError(-32601, 'Method not found');
    return start(method, paramsOf(request), { server, context, session });
  };
  answersTasks(server, manifest, (method, params, context) => start(method, params, { server, context, session }));
  if (session !== undefined) keepSession(server, session, manifest);
  return server;
}

/** Starts calls, and in the old era asks the client what they ask. */
function createStarter({ manifest, runner, callTool }: McpEndpointOptions) {
  const timeouts = timeoutsOf(manifest);
  const run = (incoming: IncomingCall, { signal }: ServerContext['mcpReq']): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const cancel = runner.start(incoming, resolve);
      signal.addEventListener('abort', () => {
        cancel();
        reject(signal.reason);
      });
    });
  return async (method: HopMethod, params: JsonObject, served: Served): Promise<JsonObject> => {
    const { context } = served;
    const { arguments: args } = params;
    if (args !== undefined && (typeof args !== 'object' || args === null || Array.isArray(args))) {
      throw new ProtocolError(-32602, 'arguments: an object is needed');
    }
    const meant = meantBy(method, params);
    const client = clientOf(served);
    const retry = retryOf(context);
    const onProgress = progressTo(context);
    const incoming: IncomingCall = {
      ...{ ...meant, ...callerIn(context), callTool },
      timeoutMs: timeouts.get(meant.tool) ?? defaultTimeoutMs,
      ...(method !== 'tools/call' && { method }),
      ...(client && { client }),
      ...(client?.logLevel !== undefined && { onLog: logTo(context) }),
      ...(retry && { retry }),
      ...(onProgress && { onProgress }),
    };
    let answer = await run(incoming, context.mcpReq);
    while (served.session !== undefined && answer.kind === 'result' && answer.resultType === 'input_required') {
      const answers = await askClient(answer.text, context);
      answer = await run({ ...incoming, retry: answers }, context.mcpReq);
    }
    if (answer.kind === 'error') throw new ProtocolError(answer.error.code, answer.error.message, answer.error.data);
    return JSON.parse(answer.text) as JsonObject;
  };
}

/** Who calls, and what a gateway says of it; without one, nobody knows. */
function callerIn(
  context: ServerContext,
): Pick<IncomingCall, 'id' | 'traceparent' | 'principal' | 'statement' | 'needs'> {
  const vouched = context.http?.authInfo?.extra?.vouched as Vouched | undefined;
  if (vouched === undefined) return { id: randomUUID(), traceparent: childTrace(context), principal: direct };
  const { principal, statement, needs } = vouched;
  return { id: statement.callId, traceparent: statement.trace, principal, statement, ...(needs && { needs }) };
}

function paramsOf({ params }: JSONRPCRequest): JsonObject {
  return (params ?? {}) as JsonObject;
}

function timeoutsOf({ tools, prompts = [], resources = [] }: ServiceManifest): ReadonlyMap<string, number | undefined> {
  return new Map([
    ...[...tools, ...prompts].map(({ name, timeoutMs }) => [name, timeoutMs] as const),
    ...resources.map(({ uri, timeoutMs }) => [uri, timeoutMs] as const),
  ]);
}

/** What the client said that it can do: with every request in the new era, once in the old one. */
function clientOf({ server, context, session }: Served): HopClient | undefined {
  const { envelope } = context.mcpReq;
  const declared =
    envelope === undefined
      ? session && server.getClientCapabilities()
      : (envelope as Envelope)[CLIENT_CAPABILITIES_META_KEY];
  const wanted = envelope === undefined ? session?.logLevel : (envelope as Envelope)[LOG_LEVEL_META_KEY];
  if (declared === undefined && wanted === undefined) return undefined;
  return {
    ...(declared !== undefined && { capabilities: declared as JsonObject }),
    ...(typeof wanted === 'string' && { logLevel: wanted }),
  };
}

type Envelope = Readonly<Record<string, unknown>>;

function retryOf({ mcpReq }: ServerContext): IncomingCall['retry'] {
  const requestState = mcpReq.requestState<unknown>();
  if (requestState === undefined) return undefined;
  const { inputResponses } = mcpReq;
  return {
    requestState: String(requestState),
    ...(inputResponses !== undefined && { inputResponses: inputResponses as unknown as JsonObject }),
  };
}

/** The caller's trace goes on; without one, or with a broken one, a new trace begins. */
function childTrace({ mcpReq }: ServerContext): string {
  const sent = mcpReq._meta?.traceparent;
  const parent = typeof sent === 'string' ? parseTraceparent(sent) : undefined;
  return formatTraceparent({
    traceId: parent?.traceId ?? randomBytes(16).toString('hex'),
    spanId: randomBytes(8).toString('hex'),
    sampled: parent?.sampled ?? false,
  });
}

function progressTo({ mcpReq }: ServerContext): IncomingCall['onProgress'] {
  const progressToken = mcpReq._meta?.progressToken;
  if (progressToken === undefined) return undefined;
  return (progress): void => {
    // A caller that is gone hears nothing; its call ends by its own signal.
    mcpReq.notify({ method: 'notifications/progress', params: { progressToken, ...progress } }).catch(() => undefined);
  };
}

function logTo({ mcpReq }: ServerContext): NonNullable<IncomingCall['onLog']> {
  return (level, data, logger): void => {
    const params = { level, data, ...(logger !== undefined && { logger }) };
    mcpReq.notify({ method: 'notifications/message', params }).catch(() => undefined);
  };
}

/** More than this nobody needs to be told of in one session. */
const maxSubscriptions = 1_000;

function keepSession(server: Server, session: ClientSession, { mcp }: ServiceManifest): void {
  server.setRequestHandler('logging/setLevel', ({ params }) => {
    session.logLevel = params.level;
    return {};
  });
  if (mcp?.capabilities.resources === undefined) return;
  server.setRequestHandler('resources/subscribe', ({ params }) => {
    if (session.subscriptions.size >= maxSubscriptions) throw new ProtocolError(-32603, 'Too many subscriptions');
    session.subscriptions.add(params.uri);
    return {};
  });
  server.setRequestHandler('resources/unsubscribe', ({ params }) => {
    session.subscriptions.delete(params.uri);
    return {};
  });
}
