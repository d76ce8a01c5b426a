import type { TraceContext } from '@sallyport/protocol';

/** What is known of a span. Never arguments, results, tokens or what else a caller wrote freely. */
export type Attributes = Readonly<Record<string, string | number | boolean | readonly string[]>>;

/** Something that happened in a span, at milliseconds since the epoch. */
export interface SpanEvent {
  readonly name: string;
  readonly timeMs: number;
  readonly attributes: Attributes;
}

/** A span of OpenTelemetry that has ended; times in milliseconds since the epoch, with fractions. */
export interface FinishedSpan {
  readonly name: string;
  readonly kind: 'server' | 'client' | 'internal';
  readonly trace: Omit<TraceContext, 'sampled'>;
  /** Whether the parent is somebody else's. */
  readonly isParentRemote: boolean;
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Attributes;
  readonly events: readonly SpanEvent[];
  /** Another span that this one has to do with. */
  readonly link?: { readonly traceId: string; readonly spanId: string; readonly sampled: boolean };
  readonly isFailed: boolean;
}
