import { randomFillSync, randomUUID } from 'node:crypto';
import type { CallId } from '@sallyport/core';
import { parseTraceparent, type TraceContext } from '@sallyport/protocol';

const longestState = 512;
/** One `key=value` of a tracestate: any value that is printable ASCII without comma and equals sign (W3C Trace Context §3.3.1). */
const stateMember = /^[a-z\d][a-z\d_\-*/@]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;

/**
 * The trace of a call: a new span in the caller's trace, or in a new trace when there is none or a broken one. Of a
 * `tracestate` that is longer than 512 bytes, has more than 32 members or breaks the grammar nothing is kept.
 */
export function newTrace(traceparent?: string, tracestate?: string): TraceContext {
  const parent = traceparent === undefined ? undefined : parseTraceparent(traceparent);
  const spanId = randomId(8);
  if (!parent) return { traceId: randomId(16), spanId, sampled: false };
  const { traceId, spanId: parentSpanId, sampled } = parent;
  const traceState = validState(tracestate);
  return { traceId, spanId, parentSpanId, sampled, ...(traceState !== undefined && { traceState }) };
}

/** A random id of a span: 16 lower-case hex digits. */
export function newSpanId(): string {
  return randomId(8);
}

/** A random UUID (version 4). */
export function newCallId(): CallId {
  return randomUUID() as CallId;
}

/** Random bytes are drawn in stock: asking the system for eight at a time costs more than everything else in a trace. */
const stock = Buffer.alloc(4_096);
let used = stock.length;

/** Random hex, never all zeros: that would be no id at all. */
function randomId(bytes: number): string {
  if (used + bytes > stock.length) {
    randomFillSync(stock);
    used = 0;
  }
  const id = stock.toString('hex', used, used + bytes);
  used += bytes;
  return /^0+$/.test(id) ? randomId(bytes) : id;
}

function validState(text: string | undefined): string | undefined {
  if (text === undefined || text.length > longestState) return undefined;
  const members = text
    .split(',')
    .map((member) => member.trim())
    .filter((member) => member !== '');
  const keys = new Set(members.map((member) => member.slice(0, member.indexOf('='))));
  const valid = members.length > 0 && members.length <= 32 && keys.size === members.length;
  return valid && members.every((member) => stateMember.test(member)) ? members.join(',') : undefined;
}
