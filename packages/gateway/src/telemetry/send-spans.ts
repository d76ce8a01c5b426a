import { setTimeout } from 'node:timers/promises';
import type { HrTime, SpanContext } from '@opentelemetry/api';
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace';
import { type ExportFacts, resourceOf } from './open-telemetry.ts';
import type { FinishedSpan } from './span.ts';
import type { SpanSink } from './tracing.ts';

/** Who sends, and who is told when that fails. */
export interface SendingFacts extends ExportFacts {
  readonly onTrouble?: (trouble: { readonly why: string }) => void;
}

/** Spans that wait while the code that sends them is loaded. */
const mostWaiting = 2048;

/**
 * Sends spans by OTLP (HTTP, JSON) in batches, as the standard variables say: `OTEL_EXPORTER_OTLP_*`, `OTEL_BSP_*`. What cannot
 * be sent or waits in too long a queue is dropped: no call waits for its spans.
 */
export function startSending(facts: SendingFacts): SpanSink {
  const waiting: FinishedSpan[] = [];
  let add = (span: FinishedSpan): void => {
    if (waiting.length < mostWaiting) waiting.push(span);
  };
  const opened = open(facts).then((sender) => {
    add = sender.add;
    for (const span of waiting.splice(0)) add(span);
    return sender;
  });
  // Whoever closes it hears of it.
  opened.catch(() => undefined);
  return {
    add: (span) => add(span),
    close: () =>
      atMost(
        longestCloseMs,
        opened.then(({ close }) => close()).catch(() => facts.onTrouble?.({ why: 'the last ones are lost' })),
      ),
  };
}

const longestCloseMs = 3_000;

/** A collector that is away keeps nobody from stopping. */
async function atMost(ms: number, work: Promise<void>): Promise<void> {
  const over = new AbortController();
  await Promise.race([work, setTimeout(ms, undefined, { signal: over.signal })]);
  over.abort();
}

async function open(facts: SendingFacts): Promise<SpanSink> {
  const [{ BatchSpanProcessor }, { OTLPTraceExporter }] = await Promise.all([
    import('@opentelemetry/sdk-trace'),
    import('@opentelemetry/exporter-trace-otlp-http'),
  ]);
  const exporter = new OTLPTraceExporter();
  const processor = new BatchSpanProcessor({ exporter: telling(exporter, facts.onTrouble), ...batching(facts.env) });
  const convert = await createConverter(facts);
  return { add: (span) => processor.onEnd(convert(span)), close: () => processor.shutdown() };
}

/** Says when spans could not be sent; once, until some could be again. Errors are named and not quoted: they hold addresses. */
function telling(exporter: SpanExporter, onTrouble: SendingFacts['onTrouble']): SpanExporter {
  let isTroubled = false;
  return {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        const { error } = result;
        if (error !== undefined && !isTroubled) onTrouble?.({ why: 'code' in error ? String(error.code) : error.name });
        isTroubled = error !== undefined;
        done(result);
      }),
    shutdown: () => exporter.shutdown(),
  };
}

/** https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/#batch-span-processor */
function batching(env: ExportFacts['env']) {
  const read = (name: string, fallback: number): number => {
    const given = Number(env[name] ?? '');
    return Number.isInteger(given) && given > 0 ? given : fallback;
  };
  return {
    scheduledDelayMillis: read('OTEL_BSP_SCHEDULE_DELAY', 5_000),
    exportTimeoutMillis: read('OTEL_BSP_EXPORT_TIMEOUT', 30_000),
    maxQueueSize: read('OTEL_BSP_MAX_QUEUE_SIZE', 2_048),
    maxExportBatchSize: read('OTEL_BSP_MAX_EXPORT_BATCH_SIZE', 512),
  };
}

async function createConverter(facts: ExportFacts): Promise<(span: FinishedSpan) => ReadableSpan> {
  const { createTraceState, SpanKind, SpanStatusCode, TraceFlags } = await import('@opentelemetry/api');
  const kinds = { server: SpanKind.SERVER, client: SpanKind.CLIENT, internal: SpanKind.INTERNAL };
  const shared = {
    ...{ ended: true, droppedAttributesCount: 0, droppedEventsCount: 0, droppedLinksCount: 0 },
    resource: await resourceOf(facts),
    instrumentationScope: { name: 'sallyport', version: facts.version },
  };
  return (span) => {
    const { traceId, spanId, parentSpanId, traceState } = span.trace;
    const traceFlags = TraceFlags.SAMPLED;
    const state = traceState === undefined ? {} : { traceState: createTraceState(traceState) };
    const context: SpanContext = { traceId, spanId, traceFlags, ...state };
    const parent = { traceId, spanId: parentSpanId ?? '', traceFlags, isRemote: span.isParentRemote };
    return {
      ...shared,
      ...{ name: span.name, kind: kinds[span.kind], spanContext: () => context },
      ...(parentSpanId !== undefined && { parentSpanContext: parent }),
      startTime: hrTime(span.startMs),
      endTime: hrTime(span.endMs),
      duration: hrTime(Math.max(0, span.endMs - span.startMs)),
      status: { code: span.isFailed ? SpanStatusCode.ERROR : SpanStatusCode.UNSET },
      attributes: toAttributes(span.attributes),
      events: span.events.map(({ name, timeMs, attributes }) => ({
        ...{ name, time: hrTime(timeMs), attributes: toAttributes(attributes), droppedAttributesCount: 0 },
      })),
      links: span.link === undefined ? [] : [{ context: linkedContext(span.link) }],
    };
  };
}

function linkedContext({ sampled, ...ids }: NonNullable<FinishedSpan['link']>): SpanContext {
  return { ...ids, traceFlags: sampled ? 1 : 0, isRemote: true };
}

/** Theirs may be written to; ours may not. */
function toAttributes(attributes: FinishedSpan['attributes']): ReadableSpan['attributes'] {
  return Object.fromEntries(
    Object.entries(attributes).map(([name, value]) => [name, typeof value === 'object' ? [...value] : value]),
  );
}

function hrTime(ms: number): HrTime {
  const seconds = Math.floor(ms / 1000);
  return [seconds, Math.round((ms - seconds * 1000) * 1e6)];
}
