import type { AuditSource, FoundRow } from '@sallyport/gateway';
import { type AdminOptions, configOf } from '../client/admin-client.ts';
import { type Context, print, printJson } from '../context.ts';
import { CliError } from '../exit.ts';
import { printableLine, type Style } from '../terminal/style.ts';
import { pad } from '../terminal/table.ts';
import { auditLogIn } from './audit-files.ts';
import { type CallRecord, outcomeText, whoText } from './record-text.ts';

/** A call, and the calls that were made inside of it. */
export interface TracedCall {
  readonly record: CallRecord;
  readonly calls: readonly TracedCall[];
}

/** A trace of more calls than this is looked at elsewhere. */
const mostCalls = 10_000;

/** `trace` of a trace id, or of the id of a call: the calls of its trace, by the records of the audit log. */
export async function traceCalls(id: string, options: AdminOptions, context: Context): Promise<void> {
  const { searchAudit } = await import('@sallyport/gateway');
  const path = await auditLogIn(await configOf(options, context));
  const traceId = id.includes('-') ? await traceOf(path, id) : id.toLowerCase();
  const rows = await searchAudit(path, { traceId }, { limit: mostCalls });
  const records = callsIn(rows);
  if (records.length === 0) throw none(`There is no call of the trace ${traceId} in the audit log.`);
  const calls = treeOf(records);
  if (options.json) return printJson(context, { traceId, calls: calls.map(toJson) });
  print(context, treeText(traceId, calls, context.style));
}

/** Whether this is the id of a trace (32 hexadecimal digits) or of a call (a UUID). */
export function isTraceOrCall(id: string): boolean {
  return /^[0-9a-f]{32}$/i.test(id) || /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id);
}

async function traceOf(path: AuditSource, callId: string): Promise<string> {
  const { searchAudit } = await import('@sallyport/gateway');
  const [row] = await searchAudit(path, { callId }, { limit: 1 });
  if (row === undefined || row.record.kind === 'refusals') throw none(`There is no call ${callId} in the audit log.`);
  return row.record.traceId;
}

function none(text: string): CliError {
  return new CliError('failure', text, {
    hint: 'Answers name their call as `trace_id`; the trace is what the agent sent as `traceparent`, else one that began here.',
  });
}

/** How calls ended, oldest first; that one was about to leave says nothing more. */
function callsIn(rows: readonly FoundRow[]): readonly CallRecord[] {
  return rows
    .flatMap(({ record }) => (record.kind === 'outcome' ? [record] : []))
    .toSorted((a, b) => a.timeMs - b.timeMs);
}

/**
 * Puts calls below those that they were made in: what a service did while it served one, by the gateway's own memory; else by
 * their spans.
 */
export function treeOf(records: readonly CallRecord[]): readonly TracedCall[] {
  const ids = new Set(records.map(({ callId }) => callId));
  const bySpan = new Map(
    records.flatMap(({ callId, spanId, upstreamSpanId }) => [
      [spanId, callId] as const,
      ...(upstreamSpanId === undefined ? [] : [[upstreamSpanId, callId] as const]),
    ]),
  );
  const parentOf = ({ callId, parentCall, parentSpanId = '' }: CallRecord): string | undefined => {
    const parent = parentCall !== undefined && ids.has(parentCall) ? parentCall : bySpan.get(parentSpanId);
    return parent === callId ? undefined : parent;
  };
  const children = Map.groupBy(records, parentOf);
  const seen = new Set<string>();
  const below = (parent: string | undefined): readonly TracedCall[] =>
    (children.get(parent as never) ?? []).flatMap((record) => {
      // Spans are what callers say they are: a circle of them ends.
      if (seen.has(record.callId)) return [];
      seen.add(record.callId);
      return [{ record, calls: below(record.callId) }];
    });
  const tree = below(undefined);
  const lost = records.filter(({ callId }) => !seen.has(callId));
  return [...tree, ...lost.map((record) => ({ record, calls: [] }))];
}

function treeText(traceId: string, calls: readonly TracedCall[], style: Style): string {
  const lines = calls.flatMap((call) => linesOf(call, ['', '']));
  const width = Math.max(...lines.map(([name]) => name.length));
  const count = lines.length === 1 ? 'one call' : `${lines.length} calls`;
  return [
    `${style.bold(`trace ${traceId}`)} ${style.dim(count)}`,
    ...lines.map(([name, record]) => {
      const cells = [pad(outcomeText(record, style), 22), pad(`${record.durationMs.toFixed(1)} ms`, 10)];
      const who = printableLine(whoText(record));
      return `${pad(name, width)}  ${cells.join('  ')}  ${pad(who, 24)}  ${style.dim(record.callId)}`;
    }),
  ].join('\n');
}

/** `first` stands before the call's own line, `rest` before those of what it made. */
function linesOf({ record, calls }: TracedCall, [first, rest]: readonly [string, string]): [string, CallRecord][] {
  const inside = calls.flatMap((call, at) => {
    const isLast = at === calls.length - 1;
    return linesOf(call, [`${rest}${isLast ? '└─ ' : '├─ '}`, `${rest}${isLast ? '   ' : '│  '}`]);
  });
  return [[`${first}${printableLine(record.tool ?? record.verb)}`, record], ...inside];
}

function toJson({ record, calls }: TracedCall): Readonly<Record<string, unknown>> {
  return { ...record, calls: calls.map(toJson) };
}
