import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import {
  type Answer,
  type Call,
  type CallId,
  everything,
  GatewayError,
  type JsonText,
  type Origin,
  type Outcome,
  type Pipeline,
  type Presented,
  toolCall,
} from '@sallyport/core';
import type { TraceContext } from '@sallyport/protocol';
import type { AnswerReader } from '../approval/index.ts';
import { sendDocument, sendFrontPage, sendMetrics, sendOutcome, sendState } from './answer.ts';
import { metricsOperation } from './gateway-operations.ts';
import { type LoopbackAddress, listenOnLoopback, listenOnSocket } from './listen.ts';
import { openApiOperation } from './openapi.ts';
import { adminService } from './operations.ts';
import { answeredWebhook, pathOf, readBearer, readBody, readOperation } from './request.ts';

/** What the admin listener leans on. */
export interface AdminHttpDeps {
  /** The pipeline that administration, and nothing else, is behind. */
  readonly pipeline: Pick<Pipeline, 'invoke' | 'decline'>;
  readonly newCallId: () => CallId;
  /** Milliseconds since the epoch. */
  readonly nowMs: () => number;
  /** The trace of a call, from the `traceparent` and `tracestate` headers if there were any. */
  readonly newTrace: (traceparent?: string, tracestate?: string) => TraceContext;
  /** Whether the gateway can serve calls. */
  readonly isReady: () => boolean;
  /** Reads what a webhook brought as somebody's answer to an approval; it checks the signature. Absent: nobody answers so. */
  readonly readAnswer?: AnswerReader['read'] | undefined;
}

/** Where to listen. */
export interface AdminAddresses {
  /** Absent: administration is reached over the socket only. */
  readonly tcp?: LoopbackAddress;
  /** Path of `admin.sock`. */
  readonly socketPath: string;
  /** The user of the operating system that this process runs as: the peer of the socket. */
  readonly user: string;
}

/** Administration, listening. */
export interface AdminListener {
  /** `http://host:port`; absent without TCP. */
  readonly url?: string;
  /** Takes no new requests and resolves when those in progress are answered. */
  close(): Promise<void>;
}

/** Facts of one way in. */
interface Entrance {
  readonly present: (request: IncomingMessage) => Presented;
  readonly isLocal: boolean;
}

/**
 * Listens for administration on a 0600 Unix socket, whose peer is the owner, and on a loopback port, whose peers need a
 * token. Both lead to the same pipeline.
 *
 * @throws Error when it cannot listen; nothing is left listening then.
 */
export async function listenForAdmin(deps: AdminHttpDeps, addresses: AdminAddresses): Promise<AdminListener> {
  const { tcp, socketPath, user } = addresses;
  const local = serverFor(deps, { present: () => ({ kind: 'local-owner', user }), isLocal: true });
  const remote = serverFor(deps, { present: readBearer, isLocal: false });
  await listenOnSocket(local, socketPath);
  try {
    const url = tcp && (await listenOnLoopback(remote, tcp));
    return {
      ...(url !== undefined && { url }),
      close: async () => {
        await Promise.all([closed(local), url === undefined ? undefined : closed(remote)]);
      },
    };
  } catch (error) {
    await closed(local);
    throw error;
  }
}

function serverFor(deps: AdminHttpDeps, entrance: Entrance): Server {
  const limits = { headersTimeout: 10_000, requestTimeout: 30_000, keepAliveTimeout: 5_000, maxHeaderSize: 16_384 };
  const server = createServer({ ...limits, connectionsCheckingInterval: 5_000 }, (request, response) => {
    // A socket that breaks while the answer is written is the caller's loss: the call is on record already.
    response.on('error', () => undefined);
    serve(deps, entrance, { request, response }).catch(() => response.destroy());
  });
  server.maxConnections = 100;
  return server;
}

/** Operations whose results are documents for programs that only know how to GET. */
const documents: ReadonlyMap<string, { readonly operation: string; readonly send: typeof sendMetrics }> = new Map([
  ['/metrics', { operation: metricsOperation, send: sendMetrics }],
  ['/admin/v1/openapi.json', { operation: openApiOperation, send: sendDocument }],
]);

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

async function serve(deps: AdminHttpDeps, entrance: Entrance, { request, response }: Exchange): Promise<void> {
  if (request.method === 'GET') {
    const path = pathOf(request);
    if (path === '/') return sendFrontPage(response);
    if (path === '/health') return sendState(response, true, 'ok');
    if (path === '/ready') return sendState(response, deps.isReady(), deps.isReady() ? 'ready' : 'starting');
  }
  const facts = { ...callFacts(deps, entrance, request), signal: abortedWith(response) };
  const shown = request.method === 'GET' ? documents.get(pathOf(request)) : undefined;
  if (shown !== undefined) {
    const call = toolCall(`${adminService}.${shown.operation}`, '{}' as JsonText);
    return shown.send(response, facts.id, await deps.pipeline.invoke({ ...facts, request: call, receivedBytes: 0 }));
  }
  const webhook = answeredWebhook(request);
  const asked = { request, facts };
  const outcome = webhook === undefined ? outcomeOf(deps, entrance, asked) : answered(deps, webhook, asked);
  sendOutcome(response, facts.id, await outcome);
}

/** An answer is an operation like any other, of whoever gave it. One that is not signed is nobody's, wherever it comes in. */
async function answered(deps: AdminHttpDeps, webhook: string, { request, facts }: Asked): Promise<Outcome<Answer>> {
  let bytes = 0;
  try {
    const body = await readBody(request);
    bytes = body.length;
    const header = (name: string): string | undefined => single(request.headers[name]);
    const answer = deps.readAnswer?.(webhook, { body, header });
    if (answer === undefined) throw new GatewayError('method_unknown');
    const { id, decision, approver, reason = decision === 'reject' ? 'No reason was given.' : undefined } = answer;
    const name = `${adminService}.approvals.${decision}`;
    const argumentsText = JSON.stringify({ id, reason }) as JsonText;
    const presented = { kind: 'answer', channel: webhook, approver } as const;
    return await deps.pipeline.invoke({
      ...{ ...facts, presented, request: toolCall(name, argumentsText), receivedBytes: bytes },
    });
  } catch (thrown) {
    const error = GatewayError.from(thrown, 'read');
    const presented = { kind: 'answer', channel: webhook, approver: '' } as const;
    return deps.pipeline.decline({
      ...{ ...facts, presented, request: { verb: 'unreadable', error }, receivedBytes: bytes },
    });
  }
}

type CallFacts = Omit<Call, 'request' | 'receivedBytes'>;

interface Asked {
  readonly request: IncomingMessage;
  readonly facts: CallFacts;
}

async function outcomeOf(deps: AdminHttpDeps, entrance: Entrance, { request, facts }: Asked): Promise<Outcome<Answer>> {
  const read = await readOperation(request, entrance.isLocal).catch((thrown) => GatewayError.from(thrown, 'read'));
  if (read instanceof GatewayError) {
    return deps.pipeline.decline({ ...facts, request: { verb: 'unreadable', error: read }, receivedBytes: 0 });
  }
  const { operation, argumentsText, bytes } = read;
  const name = `${adminService}.${operation}`;
  return deps.pipeline.invoke({ ...facts, request: toolCall(name, argumentsText), receivedBytes: bytes });
}

function callFacts(deps: AdminHttpDeps, entrance: Entrance, request: IncomingMessage): Omit<CallFacts, 'signal'> {
  const { host, origin: browserOrigin, traceparent, tracestate } = request.headers;
  const origin: Origin = {
    transport: 'admin',
    peer: entrance.isLocal ? 'local' : (request.socket.remoteAddress ?? 'unknown'),
    era: 'none',
    ...(host !== undefined && { host }),
    ...(browserOrigin !== undefined && { browserOrigin }),
  };
  return {
    id: deps.newCallId(),
    presented: entrance.present(request),
    endpoint: everything,
    origin,
    trace: deps.newTrace(single(traceparent), single(tracestate)),
    receivedAtMs: deps.nowMs(),
  };
}

function single(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' ? header : undefined;
}

function abortedWith(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) controller.abort();
  });
  return controller.signal;
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
  });
}
