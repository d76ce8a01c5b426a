import { type CallId, GatewayError, type JsonText, type Principal } from '@sallyport/core';
import {
  type Envelope,
  errorFrame,
  formatTraceparent,
  type HopError,
  type HopId,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  parseStrict,
  parseTraceparent,
  resultFrame,
  StrictJsonError,
  type TraceContext,
} from '@sallyport/protocol';

/** A service asks for a tool of another service. Who it is comes from its connection, not from what it says. */
export interface ServiceInvocation {
  readonly service: string;
  readonly instance: string;
  /** The principal of the call that the service is serving meanwhile; from the gateway's own memory. */
  readonly onBehalfOf?: Principal;
  /** The id of that call. */
  readonly parentCall?: CallId;
  /** The full name: `service.Handler.Method`. */
  readonly tool: string;
  readonly argumentsText: JsonText;
  readonly traceparent?: string;
  /** Of the call that it is serving. */
  readonly baggage?: string;
  readonly timeoutMs?: number;
  /** Fires when the service cancels, or its connection is gone. */
  readonly signal: AbortSignal;
}

/** What became of it: the `CallToolResult` as text, the other service's own JSON-RPC error as text, or the refusal. */
export type InvocationEnd = { readonly ok: string } | { readonly told: string } | { readonly error: GatewayError };

/** Sends a service's request down the one path. */
export type OnInvoke = (request: ServiceInvocation) => Promise<InvocationEnd>;

/** A request of a service that cannot be read as an invocation, or is one too many. */
export interface DeclinedInvocation {
  readonly service: string;
  readonly instance: string;
  readonly error: GatewayError;
}

/** Records a request that goes down no path. The service is answered when it resolves. */
export type OnDecline = (declined: DeclinedInvocation) => Promise<void>;

/** The requests of one connection. */
export interface Invocations {
  start(id: HopId, params: JsonValue | undefined): void;
  /** Records and refuses a request that is no invocation at all. */
  refuse(id: HopId, error: GatewayError): void;
  cancel(params: JsonValue | undefined): void;
  /** The connection is gone. */
  abortAll(): void;
}

/** What the invocations of one connection need. */
export interface InvocationsOptions {
  readonly service: string;
  readonly instance: string;
  readonly onInvoke: OnInvoke;
  readonly onDecline?: OnDecline;
  readonly send: (frame: string) => void;
  /** The call with this id, if it is in flight on this very connection. */
  readonly inFlight: (callId: string) => { readonly principal: Principal; readonly trace: TraceContext } | undefined;
}

const maxRunning = 256;

/** Serves `invoke` requests of one service instance, a bounded number at a time. */
export function createInvocations(options: InvocationsOptions): Invocations {
  const running = new Map<HopId, AbortController>();

  const decline = async (error: GatewayError): Promise<InvocationEnd> => {
    await options.onDecline?.({ service: options.service, instance: options.instance, error });
    return { error };
  };
  const invoke = async (params: JsonValue | undefined, controller: AbortController): Promise<InvocationEnd> => {
    const read = readInvocation(params, options, controller.signal);
    return read instanceof GatewayError ? decline(read) : options.onInvoke(read);
  };

  const run = async (id: HopId, work: (own: AbortController) => Promise<InvocationEnd>): Promise<string> => {
    const controller = new AbortController();
    const isOneTooMany = running.size >= maxRunning || running.has(id);
    if (!isOneTooMany) running.set(id, controller);
    try {
      const end = await (isOneTooMany ? decline(new GatewayError('peer_limited')) : work(controller));
      if ('ok' in end) return resultFrame(id, end.ok);
      return errorFrame(id, 'told' in end ? readTold(end.told) : toHopError(end.error));
    } catch (thrown) {
      return errorFrame(id, toHopError(GatewayError.from(thrown, 'read')));
    } finally {
      if (!isOneTooMany) running.delete(id);
    }
  };

  return {
    start(id, params) {
      void run(id, (own) => invoke(params, own)).then(options.send);
    },
    refuse(id, error) {
      void run(id, () => decline(error)).then(options.send);
    },
    cancel(params) {
      const { id } = members(params);
      if (typeof id === 'string') running.get(id)?.abort();
    },
    abortAll() {
      for (const controller of running.values()) controller.abort();
    },
  };
}

function readInvocation(
  params: JsonValue | undefined,
  { service, instance, inFlight }: InvocationsOptions,
  signal: AbortSignal,
): ServiceInvocation | GatewayError {
  const { tool, parent, traceparent, timeoutMs, arguments: args } = members(params);
  if (typeof tool !== 'string') return malformed('tool: a text is needed');
  if (!isJsonObject(args)) return malformed('arguments: an object is needed');
  const served = parent === undefined ? undefined : inFlight(String(parent));
  // Going on as the service itself would act for nobody where somebody was meant.
  if (parent !== undefined && !served) return malformed('parent: no such call is being served on this connection');
  const argumentsText = strictText(args);
  if (argumentsText instanceof GatewayError) return argumentsText;
  const trace = chooseTrace(traceparent, served?.trace);
  return {
    service,
    instance,
    ...(served && { onBehalfOf: served.principal, parentCall: String(parent) as CallId }),
    tool,
    argumentsText,
    ...(trace !== undefined && { traceparent: trace }),
    ...(served?.trace.baggage !== undefined && { baggage: served.trace.baggage }),
    ...(typeof timeoutMs === 'number' && timeoutMs > 0 && { timeoutMs }),
    signal,
  };
}

/** The arguments are no member of an envelope here: all names in them are the tool's own. */
const plainObject: Envelope = { members: [], inside: '', inner: [] };

/** Services get no laxer reading of JSON than agents: nothing too deep, no `__proto__`, no half characters. */
function strictText(args: JsonObject): JsonText | GatewayError {
  try {
    const text = JSON.stringify(args);
    parseStrict(text, { envelope: plainObject });
    return text as JsonText;
  } catch (thrown) {
    // What is too deep to be printed is no `StrictJsonError`, but a `RangeError` of the engine.
    return malformed(`arguments${thrown instanceof StrictJsonError ? thrown.message : ': nested too deeply'}`);
  }
}

/** The service's own span, if it belongs to the trace of the call it serves; else that call's span. */
function chooseTrace(said: JsonValue | undefined, served: TraceContext | undefined): string | undefined {
  const own = typeof said === 'string' ? parseTraceparent(said) : undefined;
  if (typeof said === 'string' && own && (served === undefined || served.traceId === own.traceId)) return said;
  return served && formatTraceparent(served);
}

function malformed(issue: string): GatewayError {
  return new GatewayError('malformed_params', { issues: [issue] });
}

/** What another service says of why it failed is for its caller: a service, here. */
function readTold(text: string): HopError {
  const { code, message, data } = members(JSON.parse(text) as JsonValue);
  return {
    code: typeof code === 'number' ? code : -32603,
    message: typeof message === 'string' ? message : 'The service failed.',
    data: { ...members(data), code: 'unknown', reason: 'told' },
  };
}

function toHopError({ jsonRpc, message, code, reason, details }: GatewayError): HopError {
  return {
    code: jsonRpc,
    message,
    data: {
      code,
      reason,
      ...(details.scopes && { scopes: details.scopes }),
      ...(details.intent !== undefined && { intent: details.intent }),
      ...(details.retryAfterMs !== undefined && { retryAfterMs: details.retryAfterMs }),
      ...(details.issues && { issues: details.issues }),
    },
  };
}

function members(value: JsonValue | undefined): Readonly<Record<string, JsonValue | undefined>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, JsonValue>>)
    : {};
}
