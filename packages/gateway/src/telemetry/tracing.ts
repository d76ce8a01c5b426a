import type { AuditRecord, Call, Hop, Observation, Permit, Stages } from '@sallyport/core';
import { GatewayError } from '@sallyport/core';
import type { TraceContext } from '@sallyport/protocol';
import { type StageStart, serverSpan, toolSpan } from './call-spans.ts';
import { samplerOf } from './sampling.ts';
import { type SendingFacts, startSending } from './send-spans.ts';
import type { Attributes, FinishedSpan } from './span.ts';
import { newSpanId, newTrace } from './trace.ts';

/** Spans of calls. */
export interface Tracing {
  /** The trace of a call; says whether it is kept. */
  readonly newTrace: typeof newTrace;
  /** Watches a call whose trace is kept. */
  readonly observe: NonNullable<Stages['observe']>;
  /** The dispatch stage, with a CLIENT span round it: the parent that the service is told of. */
  dispatching(dispatch: Stages['dispatch']): Stages['dispatch'];
}

/** Where spans go once they have ended. */
export interface SpanSink {
  readonly add: (span: FinishedSpan) => void;
  /** Sends what is left. */
  readonly close: () => Promise<void>;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Who traces, where to, and by which clock (milliseconds since the epoch, with fractions). */
export interface TracingOptions {
  readonly env: Environment;
  readonly sink: Pick<SpanSink, 'add'>;
  readonly nowMs: () => number;
}

/** What nobody wants to see in traces is switched off by these words. */
const off = new Set(['false', 'off', '0', 'no']);

/**
 * Whether the standard variables ask for traces: `OTEL_TRACES_EXPORTER=otlp`, or an endpoint of OTLP.
 * https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
 */
export function wantsTraces(env: Environment): boolean {
  if (env.OTEL_SDK_DISABLED?.toLowerCase() === 'true') return false;
  const exporters = env.OTEL_TRACES_EXPORTER?.split(',').map((name) => name.trim());
  if (exporters !== undefined) return exporters.includes('otlp');
  return Boolean(env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT ?? env.OTEL_EXPORTER_OTLP_ENDPOINT);
}

/** Begins to send spans by OTLP where the environment asks for that; undefined where it does not, and nothing is loaded then. */
export function openTracing(facts: SendingFacts): (Tracing & Pick<SpanSink, 'close'>) | undefined {
  if (!wantsTraces(facts.env)) return undefined;
  const sink = startSending(facts);
  return { ...createTracing({ env: facts.env, sink, nowMs: createClock() }), close: sink.close };
}

/** Makes spans of calls: SERVER, go-micro's `mcp.tool.call` in it, and CLIENT. */
export function createTracing({ env, sink, nowMs }: TracingOptions): Tracing {
  const isSampled = samplerOf(env);
  const hasToolSpan = !off.has(env.SALLYPORT_TRACE_TOOL_CALL?.toLowerCase() ?? '');
  /** What an outgoing request is inside of, by the trace of its call. */
  const inner = new WeakMap<TraceContext, string>();
  return {
    newTrace: (traceparent, tracestate) => {
      const trace = newTrace(traceparent, tracestate);
      const parentSampled = trace.parentSpanId === undefined ? undefined : trace.sampled;
      return { ...trace, sampled: isSampled(trace.traceId, parentSampled) };
    },
    observe: (call) => {
      if (!call.trace.sampled) return undefined;
      const isTool = call.request.verb === 'invoke' && call.request.method === 'tools/call';
      const toolSpanId = hasToolSpan && isTool ? newSpanId() : undefined;
      if (toolSpanId !== undefined) inner.set(call.trace, toolSpanId);
      return new ObservedCall(call, { sink, nowMs, toolSpanId });
    },
    dispatching: (dispatch) => (permit, hop) => {
      if (!hop.trace.sampled) return dispatch(permit, hop);
      const parentSpanId = inner.get(hop.trace) ?? hop.trace.spanId;
      const trace = { ...hop.trace, spanId: newSpanId(), parentSpanId };
      return traced({ sink, nowMs }, { permit, hop: { ...hop, trace }, dispatch });
    },
  };
}

interface Sending {
  readonly permit: Permit;
  readonly hop: Hop;
  readonly dispatch: Stages['dispatch'];
}

async function traced({ sink, nowMs }: Pick<TracingOptions, 'sink' | 'nowMs'>, { permit, hop, dispatch }: Sending) {
  const startMs = nowMs();
  const { target, method } = permit;
  const isTool = method === 'tools/call';
  const end = (error: string | undefined, instance?: string): void =>
    sink.add({
      name: isTool ? `${method} ${target.name}` : method,
      ...{ kind: 'client', trace: hop.trace, isParentRemote: false, startMs, endMs: nowMs() },
      attributes: {
        ...clientAttributes(permit),
        ...(instance !== undefined && { 'sallyport.service.instance': instance }),
        ...(error !== undefined && { 'error.type': error }),
      },
      events: [],
      isFailed: error !== undefined,
    });
  try {
    const answer = await dispatch(permit, hop);
    end(answer.isError ? 'tool_error' : undefined, answer.instance);
    return { ...answer, spanId: hop.trace.spanId };
  } catch (thrown) {
    end(thrown instanceof GatewayError ? thrown.reason : 'internal');
    throw thrown;
  }
}

/** What is known of a request to a service before it leaves. */
export function clientAttributes({ target, method }: Permit): Attributes {
  const isTool = method === 'tools/call';
  return {
    'mcp.method.name': method,
    ...(isTool && { 'gen_ai.tool.name': target.name, 'gen_ai.operation.name': 'execute_tool' }),
    'sallyport.service': target.service,
    'sallyport.service.version': target.version,
  };
}

interface ObservedParts extends Pick<TracingOptions, 'sink' | 'nowMs'> {
  readonly toolSpanId: string | undefined;
}

/** Notes when stages begin. */
class ObservedCall implements Observation {
  readonly #call: Call;
  readonly #stages: StageStart[] = [];
  readonly #startMs: number;
  readonly #parts: ObservedParts;

  constructor(call: Call, parts: ObservedParts) {
    this.#call = call;
    this.#parts = parts;
    this.#startMs = parts.nowMs();
  }

  stage(name: StageStart[0]): void {
    this.#stages.push([name, this.#parts.nowMs()]);
  }

  end(record: AuditRecord): void {
    const { sink, nowMs, toolSpanId } = this.#parts;
    const ended = {
      ...{ call: this.#call, record, stages: this.#stages, startMs: this.#startMs, endMs: nowMs() },
      ...(toolSpanId !== undefined && { toolSpanId }),
    };
    sink.add(serverSpan(ended));
    const inside = toolSpan(ended);
    if (inside !== undefined) sink.add(inside);
  }
}

/** A day is this much too long for a clock that counts and never looks: it is set when the clock of the machine was. */
const longestDriftMs = 20;

/** Milliseconds since the epoch with fractions: the clock that counts, brought back to the one that tells the time. */
export function createClock(): () => number {
  let origin = performance.timeOrigin;
  return () => {
    const now = origin + performance.now();
    const drift = Date.now() - now;
    if (Math.abs(drift) < longestDriftMs) return now;
    origin += drift;
    return now + drift;
  };
}
