import type { TraceContext } from '@sallyport/protocol';

/** What makes the trace of a call, of what its caller sent. */
export type NewTrace = (traceparent?: string, tracestate?: string, baggage?: string) => TraceContext;

const longestBaggage = 8_192;
const mostMembers = 64;
/** A key is a token (RFC 9110 §5.6.2); a value, and properties after it, printable ASCII without what ends them (W3C Baggage §3.3.1). */
const member = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ \t]*[!#-+\--:<-[\]-~]*([ \t]*;[ \t]*[!#-+\--[\]-~]+)*$/;

/**
 * Of a `baggage` header (W3C Baggage) the members with these keys, as they were sent; `undefined` where nothing is left. What
 * breaks the grammar is left out, as is all of a header that is too long.
 */
export function allowedBaggage(text: string | undefined, keys: readonly string[]): string | undefined {
  if (text === undefined || keys.length === 0 || text.length > longestBaggage) return undefined;
  const allowed = text
    .split(',')
    .map((each) => each.trim())
    .filter((each) => keys.includes(member.exec(each)?.[1] ?? ''));
  return allowed.length === 0 ? undefined : allowed.slice(0, mostMembers).join(',');
}

/** Lets the allowed part of callers' baggage go on with their traces. */
export function withBaggage(newTrace: NewTrace, keys: () => readonly string[]): NewTrace {
  return (traceparent, tracestate, baggage) => {
    const made = newTrace(traceparent, tracestate);
    const kept = allowedBaggage(baggage, keys());
    return kept === undefined ? made : { ...made, baggage: kept };
  };
}
