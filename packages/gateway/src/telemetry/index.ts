export { type CountCall, createCallMetrics } from './call-metrics.ts';
export { createLogger, type LogOptions, logFor, wantsColour } from './log.ts';
export { createMeters, type Meters } from './meters.ts';
export { exportMetrics, type MetricsExport } from './open-telemetry.ts';
export { formatLine } from './pretty.ts';
export { addProcessMetrics } from './process-metrics.ts';
export { createProvidedTracing } from './provided-tracing.ts';
export { newCallId, newTrace } from './trace.ts';
export { createTracing, openTracing, type Tracing } from './tracing.ts';
