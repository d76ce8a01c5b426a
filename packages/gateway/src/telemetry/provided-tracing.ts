import {
  createTraceState,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TracerProvider,
  trace as traces,
} from '@opentelemetry/api';
import { type AuditRecord, type Call, GatewayError, type Observation } from '@sallyport/core';
import type { TraceContext } from '@sallyport/protocol';
import { type StageStart, serverSpan, toolSpan } from './call-spans.ts';
import type { Attributes, FinishedSpan } from './span.ts';
import { newTrace } from './trace.ts';
import { clientAttributes, createClock, type Tracing } from './tracing.ts';

/** Spans of calls in a tracer provider of an embedder's: it samples, names the spans, and sends them where it sends its own. */
export function createProvidedTracing(provider: TracerProvider, version: string): Tracing {
  const tracer = provider.getTracer('sallyport', version);
  const nowMs = createClock();
  /** Spans of calls by the trace that was made for each: begun with it, ended with the call. */
  const servers = new WeakMap<TraceContext, Span>();
  /** What an outgoing request is inside of. */
  const inner = new WeakMap<TraceContext, Span>();
  const inside = (span: Span) => traces.setSpan(ROOT_CONTEXT, span);

  return {
    newTrace: (traceparent, tracestate) => {
      const given = newTrace(traceparent, tracestate);
      const span = tracer.startSpan('mcp', { kind: SpanKind.SERVER, startTime: nowMs() }, contextOf(given));
      const { traceId, spanId, traceFlags } = span.spanContext();
      const made = { ...given, traceId, spanId, sampled: (traceFlags & 1) === 1 };
      servers.set(made, span);
      return made;
    },
    observe: (call) => {
      const server = servers.get(call.trace);
      if (!server?.isRecording()) return undefined;
      const isTool = call.request.verb === 'invoke' && call.request.method === 'tools/call';
      const startTime = nowMs();
      const tool = isTool ? tracer.startSpan('mcp.tool.call', { startTime }, inside(server)) : undefined;
      inner.set(call.trace, tool ?? server);
      return new ProvidedCall(call, { server, tool, nowMs });
    },
    dispatching: (dispatch) => async (permit, hop) => {
      const parent = inner.get(hop.trace);
      if (parent === undefined) return dispatch(permit, hop);
      const { target, method } = permit;
      const name = method === 'tools/call' ? `${method} ${target.name}` : method;
      const attributes = writable(clientAttributes(permit));
      const span = tracer.startSpan(name, { kind: SpanKind.CLIENT, startTime: nowMs(), attributes }, inside(parent));
      const { spanId } = span.spanContext();
      const trace = { ...hop.trace, spanId, parentSpanId: parent.spanContext().spanId };
      const end = (error: string | undefined): void => finish(span, { error, endMs: nowMs() });
      try {
        const answer = await dispatch(permit, { ...hop, trace });
        span.setAttribute('sallyport.service.instance', answer.instance);
        end(answer.isError ? 'tool_error' : undefined);
        return { ...answer, spanId };
      } catch (thrown) {
        end(thrown instanceof GatewayError ? thrown.reason : 'internal');
        throw thrown;
      }
    },
  };
}

interface ProvidedParts {
  readonly server: Span;
  readonly tool: Span | undefined;
  readonly nowMs: () => number;
}

/** Notes when stages begin, and ends the spans of a call. */
class ProvidedCall implements Observation {
  readonly #call: Call;
  readonly #parts: ProvidedParts;
  readonly #stages: StageStart[] = [];

  constructor(call: Call, parts: ProvidedParts) {
    this.#call = call;
    this.#parts = parts;
  }

  stage(name: StageStart[0]): void {
    this.#stages.push([name, this.#parts.nowMs()]);
  }

  end(record: AuditRecord): void {
    const { server, tool, nowMs } = this.#parts;
    const endMs = nowMs();
    const ended = { call: this.#call, record, stages: this.#stages, startMs: endMs, endMs };
    const inside = toolSpan({ ...ended, toolSpanId: tool?.spanContext().spanId ?? '' });
    if (tool !== undefined && inside !== undefined) complete(tool, inside);
    complete(server, serverSpan(ended));
  }
}

/** Says on a span what is known of it, and ends it. */
function complete(span: Span, { name, attributes, events, link, isFailed, endMs }: FinishedSpan): void {
  span.updateName(name);
  span.setAttributes(writable(attributes));
  for (const event of events) span.addEvent(event.name, writable(event.attributes), event.timeMs);
  if (link !== undefined) {
    const { traceId, spanId, sampled } = link;
    span.addLink({ context: { traceId, spanId, traceFlags: sampled ? 1 : 0, isRemote: true } });
  }
  if (isFailed) span.setStatus({ code: SpanStatusCode.ERROR });
  span.end(endMs);
}

function finish(span: Span, { error, endMs }: { readonly error: string | undefined; readonly endMs: number }): void {
  if (error !== undefined) {
    span.setAttribute('error.type', error);
    span.setStatus({ code: SpanStatusCode.ERROR });
  }
  span.end(endMs);
}

function contextOf({ traceId, parentSpanId, sampled, traceState }: TraceContext) {
  if (parentSpanId === undefined) return ROOT_CONTEXT;
  const state = traceState === undefined ? {} : { traceState: createTraceState(traceState) };
  const parent = { traceId, spanId: parentSpanId, traceFlags: sampled ? 1 : 0, isRemote: true, ...state };
  return traces.setSpanContext(ROOT_CONTEXT, parent);
}

/** Theirs may be written to; ours may not. */
function writable(attributes: Attributes): Record<string, string | number | boolean | string[]> {
  return Object.fromEntries(
    Object.entries(attributes).map(([name, value]) => [name, typeof value === 'object' ? [...value] : value]),
  );
}
