/** W3C Trace Context, as it travels in `traceparent` and `tracestate` headers and in MCP's `_meta`. */
export interface TraceContext {
  /** 32 lower-case hex digits. */
  readonly traceId: string;
  /** 16 lower-case hex digits: the span of whoever sends it on. */
  readonly spanId: string;
  /** The span that this one is a child of, if the caller sent one. */
  readonly parentSpanId?: string;
  readonly sampled: boolean;
  readonly traceState?: string;
  /** W3C Baggage: what of the caller's may go on. */
  readonly baggage?: string;
}

const pattern = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/**
 * Reads a `traceparent` (W3C Trace Context §3.2). Returns `undefined` for anything invalid: a broken header starts a new
 * trace, it is never an error.
 */
export function parseTraceparent(
  text: string,
): { readonly traceId: string; readonly spanId: string; readonly sampled: boolean } | undefined {
  const [, version, traceId, spanId, flags, rest] = pattern.exec(text) ?? [];
  if (version === undefined || traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  if (version === 'ff' || (version === '00' && rest !== undefined)) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

/** Writes the `traceparent` under which the next hop is a child of this span. */
export function formatTraceparent(trace: TraceContext): string {
  return `00-${trace.traceId}-${trace.spanId}-${trace.sampled ? '01' : '00'}`;
}
