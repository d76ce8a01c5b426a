import {
  type BaggageEntry,
  baggageEntryMetadataFromString,
  type Context,
  context,
  ProxyTracerProvider,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { formatTraceparent, parseTraceparent } from '@sallyport/protocol';
import type { Answer } from './answer.ts';
import type { IncomingCall } from './call-context.ts';
import type { Cancel, Done } from './running-call.ts';

/** What is there where no program has registered an SDK of OpenTelemetry. */
const nobody = new ProxyTracerProvider().getDelegate();

/** A call about to be served. */
export interface Serving {
  readonly service: string;
  /** Whether what is called exists here: names that do not are anybody's words. */
  readonly isKnown: boolean;
  readonly incoming: IncomingCall;
  readonly done: Done;
}

/** Whether the program has registered an SDK of OpenTelemetry: without one there is nothing to do, and nothing is done. */
export function isTraced(): boolean {
  const provider = trace.getTracerProvider();
  return !(provider instanceof ProxyTracerProvider) || provider.getDelegate() !== nobody;
}

/**
 * Serves a call inside a SERVER span, in the caller's trace: what the handler's HTTP and SQL clients tell OpenTelemetry goes on
 * from there, and so does what it calls through the gateway.
 */
export function serveInSpan(serving: Serving, serve: (incoming: IncomingCall, done: Done) => Cancel): Cancel {
  const { incoming, done } = serving;
  const parent = withBaggage(parentOf(incoming), incoming.baggage);
  const span = startSpan(serving, parent);
  const { traceId, spanId, traceFlags } = span.spanContext();
  const traceparent = formatTraceparent({ traceId, spanId, sampled: (traceFlags & 1) === 1 });
  const cancel = context.with(trace.setSpan(parent, span), () =>
    serve({ ...incoming, traceparent }, (answer) => {
      end(span, answer);
      done(answer);
    }),
  );
  return () => {
    span.end();
    cancel();
  };
}

function parentOf({ traceparent }: IncomingCall): Context {
  const { sampled = false, ...ids } = parseTraceparent(traceparent) ?? {};
  if (!('traceId' in ids)) return ROOT_CONTEXT;
  return trace.setSpanContext(ROOT_CONTEXT, { ...ids, traceFlags: sampled ? 1 : 0, isRemote: true });
}

/** What the handler's HTTP clients send on, where their SDK propagates baggage. */
function withBaggage(parent: Context, baggage: string | undefined): Context {
  if (baggage === undefined) return parent;
  const entries = baggage.split(',').map((member): [string, BaggageEntry] => {
    const [pair = '', ...properties] = member.split(';');
    const at = pair.indexOf('=');
    const metadata = properties.length === 0 ? {} : { metadata: baggageEntryMetadataFromString(properties.join(';')) };
    return [pair.slice(0, at).trim(), { value: decoded(pair.slice(at + 1).trim()), ...metadata }];
  });
  return propagation.setBaggage(parent, propagation.createBaggage(Object.fromEntries(entries)));
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

function startSpan({ service, isKnown, incoming }: Serving, parent: Context): Span {
  const { method = 'tools/call', tool, id } = incoming;
  const isTool = isKnown && method === 'tools/call';
  const attributes = {
    'mcp.method.name': method,
    ...(isTool && { 'gen_ai.tool.name': `${service}.${tool}`, 'gen_ai.operation.name': 'execute_tool' }),
    'sallyport.service': service,
    'sallyport.call.id': id,
  };
  const name = isTool ? `${method} ${tool}` : method;
  return trace.getTracer('@sallyport/kit').startSpan(name, { kind: SpanKind.SERVER, attributes }, parent);
}

function end(span: Span, answer: Answer): void {
  if (answer.kind === 'error') {
    span.setAttribute('error.type', String(answer.error.data?.reason ?? 'internal'));
    span.setStatus({ code: SpanStatusCode.ERROR });
  } else if (isToolError(answer.text)) {
    span.setAttribute('error.type', 'tool_error');
    span.setStatus({ code: SpanStatusCode.ERROR });
  }
  span.end();
}

/** The handler, or whoever wrote the whole result, says that it failed. */
function isToolError(text: string): boolean {
  return text.includes('"isError":true') && (JSON.parse(text) as { readonly isError?: unknown }).isError === true;
}
