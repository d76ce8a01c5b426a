import type { Collected, Meters, MetricFacts } from './meters.ts';

/** Metrics handed to other programs by OpenTelemetry's own code, which is loaded when the first of them asks. */
export interface MetricsExport {
  /** In the text format of Prometheus, version 0.0.4. */
  prometheus(): Promise<string>;
  /** Ends sending. */
  close(): Promise<void>;
}

/** Who sends, and where from. */
export interface ExportFacts {
  readonly version: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * Begins to send metrics by OTLP where the standard variables ask for it (`OTEL_METRICS_EXPORTER=otlp`, or an
 * `OTEL_EXPORTER_OTLP_ENDPOINT`), and answers Prometheus when it asks.
 */
export function exportMetrics(meters: Meters, facts: ExportFacts): MetricsExport {
  const sending = wantsOtlp(facts.env) ? startSending(meters, facts) : undefined;
  return {
    prometheus: async () => {
      const { PrometheusSerializer } = await import('@opentelemetry/exporter-prometheus');
      const serializer = new PrometheusSerializer('', false, undefined, false, true);
      return serializer.serialize(await resourceMetrics(meters, facts, prometheusNames));
    },
    close: async () => (await sending)?.(),
  };
}

/** https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/ */
function wantsOtlp(env: ExportFacts['env']): boolean {
  if (env.OTEL_SDK_DISABLED === 'true') return false;
  const exporters = env.OTEL_METRICS_EXPORTER?.split(',').map((name) => name.trim());
  if (exporters !== undefined) return exporters.includes('otlp');
  return Boolean(env.OTEL_EXPORTER_OTLP_METRICS_ENDPOINT ?? env.OTEL_EXPORTER_OTLP_ENDPOINT);
}

async function startSending(meters: Meters, facts: ExportFacts): Promise<() => Promise<void>> {
  const { MeterProvider, PeriodicExportingMetricReader } = await import('@opentelemetry/sdk-metrics');
  const { OTLPMetricExporter } = await import('@opentelemetry/exporter-metrics-otlp-http');
  const everyMs = Number(facts.env.OTEL_METRIC_EXPORT_INTERVAL ?? 60_000);
  const reader = new PeriodicExportingMetricReader({
    exporter: new OTLPMetricExporter(),
    exportIntervalMillis: everyMs > 0 ? everyMs : 60_000,
    exportTimeoutMillis: Math.min(everyMs > 0 ? everyMs : 60_000, 30_000),
    metricProducers: [{ collect: async () => ({ resourceMetrics: await resourceMetrics(meters, facts), errors: [] }) }],
  });
  const provider = new MeterProvider({ readers: [reader], resource: await resourceOf(facts) });
  return () => provider.shutdown();
}

/** What sends, by `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES`. */
export async function resourceOf({ version, env }: ExportFacts) {
  const { resourceFromAttributes } = await import('@opentelemetry/resources');
  const given = (env.OTEL_RESOURCE_ATTRIBUTES ?? '').split(',').flatMap((pair) => {
    const at = pair.indexOf('=');
    return at > 0 ? [[pair.slice(0, at).trim(), pair.slice(at + 1).trim()] as const] : [];
  });
  const name = env.OTEL_SERVICE_NAME ?? 'sallyport';
  return resourceFromAttributes({ 'service.version': version, ...Object.fromEntries(given), 'service.name': name });
}

/** Prometheus wants units spelled out, and at the end of names (https://prometheus.io/docs/practices/naming/). */
function prometheusNames({ name, unit }: MetricFacts): Pick<MetricFacts, 'name' | 'unit'> {
  const word = { s: 'seconds', By: 'bytes' }[unit];
  return word === undefined ? { name, unit: '' } : { name: `${name}.${word}`, unit: word };
}

async function resourceMetrics(
  meters: Meters,
  facts: ExportFacts,
  named: (metric: MetricFacts) => Pick<MetricFacts, 'name' | 'unit'> = ({ name, unit }) => ({ name, unit }),
) {
  const sdk = await import('@opentelemetry/sdk-metrics');
  const { ValueType } = await import('@opentelemetry/api');
  const now = Date.now();
  const times = { startTime: hrTime(meters.startedAtMs), endTime: hrTime(now) };
  const toMetric = (metric: Collected): import('@opentelemetry/sdk-metrics').MetricData => {
    const descriptor = { ...named(metric), description: metric.description, valueType: ValueType.DOUBLE };
    const common = { descriptor, aggregationTemporality: sdk.AggregationTemporality.CUMULATIVE };
    if (metric.kind === 'histogram') {
      const buckets = (counts: readonly number[]) => ({ boundaries: [...metric.boundaries], counts: [...counts] });
      const dataPoints = metric.points.map(({ labels, value: { counts, ...rest } }) => ({
        ...{ ...times, attributes: labels, value: { ...rest, buckets: buckets(counts) } },
      }));
      return { ...common, dataPointType: sdk.DataPointType.HISTOGRAM, dataPoints };
    }
    const dataPoints = metric.points.map(({ labels, value }) => ({ ...times, attributes: labels, value }));
    if (metric.kind === 'gauge') return { ...common, dataPointType: sdk.DataPointType.GAUGE, dataPoints };
    return { ...common, dataPointType: sdk.DataPointType.SUM, isMonotonic: true, dataPoints };
  };
  return {
    resource: await resourceOf(facts),
    scopeMetrics: [{ scope: { name: 'sallyport', version: facts.version }, metrics: meters.collect().map(toMetric) }],
  };
}

function hrTime(ms: number): [number, number] {
  return [Math.floor(ms / 1000), Math.round((ms % 1000) * 1e6)];
}
