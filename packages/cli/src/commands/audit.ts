import { hostname } from 'node:os';
import type { AuditFilter, ExportFormat, searchAudit as search } from '@sallyport/gateway';
import { type AdminOptions, configOf } from '../client/admin-client.ts';
import { type Context, print, printJson, say } from '../context.ts';
import { parseTime } from '../duration.ts';
import { CliError } from '../exit.ts';
import { printableLine, type Style } from '../terminal/style.ts';
import { pad, table } from '../terminal/table.ts';
import { version } from '../version.ts';
import { auditFile } from './audit-files.ts';
import { intentIdIn } from './trace.ts';

/** Options that choose records. */
export interface SearchOptions extends AdminOptions {
  readonly tool?: string;
  readonly subject?: string;
  readonly outcome?: string;
  readonly reason?: string;
  readonly trace?: string;
  readonly intent?: string;
  readonly since?: string;
  readonly limit?: number;
}

/** Options of `audit export`. */
export interface ExportOptions extends SearchOptions {
  readonly format: ExportFormat;
  readonly after?: number;
}

type AuditRow = ReturnType<typeof search>[number];

const shownAtFirst = 20;
const foundAtMost = 100;

/** `audit tail` */
export async function tailAudit(
  options: SearchOptions & { readonly follow: boolean },
  context: Context,
): Promise<void> {
  const gateway = await import('@sallyport/gateway');
  const path = await auditPath(options, context);
  const last = options.limit ?? shownAtFirst;
  const show = (row: AuditRow) =>
    options.json ? printJson(context, toJson(row)) : print(context, rowLine(row, context.style));
  if (!options.json)
    print(context, context.style.dim(lineOf(['seq', 'time', 'outcome', 'who', 'what', 'took', 'trace id'])));
  if (!options.follow) {
    for (const row of gateway.searchAudit(path, filterOf(options), { limit: last }).reverse()) show(row);
    return;
  }
  const ended = new AbortController();
  void context.untilStopped(ended.signal).then(() => ended.abort());
  for await (const row of gateway.tailAudit(path, { filter: filterOf(options), last, signal: ended.signal })) show(row);
}

/** `audit search` */
export async function searchAudit(options: SearchOptions, context: Context): Promise<void> {
  const gateway = await import('@sallyport/gateway');
  const limit = options.limit ?? foundAtMost;
  const rows = gateway.searchAudit(await auditPath(options, context), filterOf(options), { limit });
  if (options.json) return printJson(context, { records: rows.map(toJson) });
  if (rows.length === 0) return say(context, 'No record fits.');
  const { style } = context;
  const lines = rows.map((row) => cells(row, style));
  print(context, table(['seq', 'time', 'outcome', 'who', 'what', 'took', 'trace id'], lines, style.dim));
  if (rows.length === limit) say(context, style.dim(`The newest ${limit}; --limit shows more.`));
}

/** `audit export` */
export async function exportAudit(options: ExportOptions, context: Context): Promise<void> {
  const gateway = await import('@sallyport/gateway');
  const path = await auditPath(options, context);
  const { format, after: afterSeq = 0 } = options;
  const source = { host: hostname(), version };
  let last = afterSeq;
  for (const { seq, line } of gateway.exportAudit(path, { filter: filterOf(options), format, afterSeq, source })) {
    context.stdout.write(line);
    last = seq;
  }
  if (last > afterSeq) say(context, `Go on from here with --after ${last}.`);
}

async function auditPath(options: AdminOptions, context: Context): Promise<string> {
  return auditFile(await configOf(options, context));
}

const outcomes = ['answered', 'suspended', 'refused', 'intended'] as const;

function filterOf({ tool, subject, outcome, reason, trace, intent, since }: SearchOptions): AuditFilter {
  const known = outcomes.find((each) => each === outcome);
  if (outcome !== undefined && known === undefined) {
    throw new CliError('usage', `"${outcome}" is not an outcome.`, { hint: `One of ${outcomes.join(', ')}.` });
  }
  return {
    ...(tool !== undefined && { tool }),
    ...(subject !== undefined && { subject }),
    ...(known !== undefined && { outcome: known }),
    ...(reason !== undefined && { reason }),
    ...(trace !== undefined && (trace.includes('-') ? { callId: trace } : { traceId: trace })),
    ...(intent !== undefined && { intent: intentIdIn(intent) }),
    ...(since !== undefined && { sinceMs: parseTime(since, Date.now()) }),
  };
}

function toJson({ seq, hash, record }: AuditRow): Readonly<Record<string, unknown>> {
  return { seq, hash, ...record };
}

function rowLine(row: AuditRow, style: Style): string {
  const line = cells(row, style);
  return lineOf(line.map((cell, at) => (at === 0 || at === line.length - 1 ? style.dim(cell) : cell)));
}

/** Cells in columns of a fixed width: a line that is printed today does not know the next one. */
function lineOf([
  seq = '',
  time = '',
  outcome = '',
  who = '',
  what = '',
  took = '',
  id = '',
]: readonly string[]): string {
  return `${pad(seq, 6)}  ${pad(time, 23)}  ${pad(outcome, 28)}  ${pad(who, 18)}  ${pad(what, 32)}  ${pad(took, 9)}  ${id}`;
}

function cells({ seq, record }: AuditRow, style: Style): readonly string[] {
  if (record.kind === 'refusals') {
    const { count, reason, peer, fromMs } = record;
    return [String(seq), timeText(fromMs), style.red(`${count} × ${reason}`), printableLine(peer), '(counted)', '', ''];
  }
  const { timeMs, durationMs, verb, tool, callId } = record;
  return [
    String(seq),
    timeText(timeMs),
    outcomeText(record, style),
    printableLine(whoText(record)),
    printableLine(tool ?? verb),
    record.kind === 'intent' ? '' : `${durationMs.toFixed(1)} ms`,
    // What the answer calls `trace_id`; the W3C trace is in the JSON.
    callId,
  ];
}

type CallRecord = Exclude<AuditRow['record'], { readonly kind: 'refusals' }>;

function outcomeText({ outcome, reason, toolError }: CallRecord, style: Style): string {
  if (outcome === 'refused') return style.red(`refused ${reason ?? ''}`);
  if (outcome === 'answered') return toolError ? style.yellow('answered (tool error)') : style.green('answered');
  return style.yellow(outcome);
}

function whoText({ subject, actor, origin }: CallRecord): string {
  const chain: string[] = [];
  for (let next = actor; next !== undefined; next = next.actor) chain.push(next.subject);
  if (subject === undefined) return `? (${origin.peer})`;
  return chain.length === 0 ? subject : `${subject} via ${chain.join(' via ')}`;
}

function timeText(ms: number): string {
  return new Date(ms).toISOString().replace('T', ' ').replace('Z', '');
}
