/*
 * What the operator of a service puts in front of it (`node --import`): an SDK of OpenTelemetry, and an instrumentation of the
 * SQL client. The service itself knows of neither.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { DatabaseSync, StatementSync } from 'node:sqlite';
import { type Context, context, ROOT_CONTEXT, SpanKind, trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';

trace.setGlobalTracerProvider(
  new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': process.env.OTEL_SERVICE_NAME ?? 'service' }),
    spanProcessors: [new SimpleSpanProcessor({ exporter: new OTLPTraceExporter() })],
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
