/*
 * What the operator of a service puts in front of it (`node --import`): an SDK of OpenTelemetry, and an instrumentation of the
 * SQL client. The service itself knows of neither.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { DatabaseSync, StatementSync } from 'node:sqlite';
import { type Context, context, ROOT_CONTEXT, SpanKind, trace } from '@opentelemetry/api';
import { OTLPExporterBase } from '@opentelemetry/otlp-exporter-base';
import { convertLegacyHttpOptions, createOtlpHttpExportDelegate } from '@opentelemetry/otlp-exporter-base/node-http';
import { JsonTraceSerializer, TraceExporterMetricsHelper } from '@opentelemetry/otlp-transformer';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { type ReadableSpan, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';

const options = convertLegacyHttpOptions({}, 'TRACES', 'v1/traces', { 'Content-Type': 'application/json' });
const exporter = new OTLPExporterBase<ReadableSpan[]>(
  createOtlpHttpExportDelegate(options, JsonTraceSerializer, 'test', TraceExporterMetricsHelper, undefined),
);
trace.setGlobalTracerProvider(
  new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': process.env.OTEL_SERVICE_NAME ?? 'service' }),
    spanProcessors: [new SimpleSpanProcessor({ exporter })],
  }),
);

const storage = new AsyncLocalStorage<Context>();
context.setGlobalContextManager({
  active: () => storage.getStore() ?? ROOT_CONTEXT,
  with: (active, work, self, ...args) => storage.run(active, () => work.call(self as never, ...args)),
  bind: (_, target) => target,
  enable() {
    return this;
  },
  disable() {
    return this;
  },
});

const prepare = DatabaseSync.prototype.prepare;
const texts = new WeakMap<StatementSync, string>();
DatabaseSync.prototype.prepare = function (this: DatabaseSync, text: string) {
  const statement = prepare.call(this, text);
  texts.set(statement, text);
  return statement;
};
for (const method of ['get', 'run', 'all'] as const) {
  const original = StatementSync.prototype[method] as (...args: unknown[]) => unknown;
  StatementSync.prototype[method] = function (this: StatementSync, ...args: unknown[]) {
    const [verb = ''] = (texts.get(this) ?? '').split(' ');
    const isOfCall = trace.getSpan(context.active()) !== undefined;
    if (!isOfCall) return original.apply(this, args);
    const span = trace.getTracer('sqlite').startSpan(verb, { kind: SpanKind.CLIENT });
    try {
      return original.apply(this, args);
    } finally {
      span.end();
    }
  } as never;
}
