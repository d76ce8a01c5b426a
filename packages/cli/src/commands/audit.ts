import { hostname } from 'node:os';
import type { AuditFilter, AuditSource, ExportFormat, FoundRow } from '@sallyport/gateway';
import { configOf } from '../client/admin-client.ts';
import { type Context, print, printJson, say } from '../context.ts';
import { parseTime } from '../duration.ts';
import { CliError } from '../exit.ts';
import { printableLine, type Style } from '../terminal/style.ts';
import { pad, table } from '../terminal/table.ts';
import { version } from '../version.ts';
import { auditLogIn, type LogOptions } from './audit-files.ts';
import { outcomeText, whoText } from './record-text.ts';
import { intentIdIn } from './trace.ts';

/** Options that choose records. */
export interface SearchOptions extends LogOptions {
  readonly tool?: string;
  readonly subject?: string;
  readonly outcome?: string;
  readonly reason?: string;
  readonly trace?: string;
  readonly intent?: string;
  readonly approval?: string;
  readonly policy?: string;
  readonly shadow?: string;
  readonly obligation?: string;
  readonly risk?: number;
  readonly since?: string;
  readonly until?: string;
  readonly limit?: number;
  readonly before?: string;
}

/** Options of `audit export`. */
export interface ExportOptions extends SearchOptions {
  readonly format: ExportFormat;
  readonly after?: number;
}

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
  const show = (row: FoundRow) =>
    options.json ? printJson(context, toJson(row)) : print(context, rowLine(row, context.style));
  if (!options.json)
    print(context, context.style.dim(lineOf(['seq', 'time', 'outcome', 'who', 'what', 'took', 'trace id'])));
  if (!options.follow) {
    const rows = await gateway.searchAudit(path, filterOf(options), { limit: last });
    for (const row of rows.reverse()) show(row);
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
  const page = { limit, ...(options.before !== undefined && { before: options.before }) };
  const { rows, next } = await gateway.findAudit(await auditPath(options, context), filterOf(options), page);
  if (options.json) return printJson(context, { records: rows.map(toJson), ...(next !== undefined && { next }) });
  if (rows.length === 0) return say(context, 'No record fits.');
  const { style } = context;
  const lines = rows.map((row) => cells(row, style));
  print(context, table(['seq', 'time', 'outcome', 'who', 'what', 'took', 'trace id'], lines, style.dim));
  if (next !== undefined) say(context, style.dim(`There are more: go on with --before ${next}.`));
}

/** `audit export` */
export async function exportAudit(options: ExportOptions, context: Context): Promise<void> {
  const gateway = await import('@sallyport/gateway');
  const path = await auditPath(options, context);
  const { format, after: afterSeq = 0 } = options;
  const source = { host: hostname(), version };
  let last = afterSeq;
  const lines = gateway.exportAudit(path, { filter: filterOf(options), format, afterSeq, source });
  for await (const { seq, line } of lines) {
    context.stdout.write(line);
    last = seq;
  }
  if (last > afterSeq) say(context, `Go on from here with --after ${last}.`);
}

async function auditPath(options: LogOptions, context: Context): Promise<AuditSource> {
  return auditLogIn(await configOf(options, context), options);
}

const outcomes = ['answered', 'suspended', 'refused', 'intended'] as const;

const effects = ['permit', 'deny'] as const;

function filterOf(options: SearchOptions): AuditFilter {
  const { tool, subject, outcome, reason, trace, intent, since, until } = options;
  const { approval, policy, shadow, obligation, risk } = options;
  const nowMs = Date.now();
  return {
    ...(tool !== undefined && { tool }),
    ...(subject !== undefined && { subject }),
    ...(outcome !== undefined && { outcome: oneOf(outcomes, { given: outcome, what: 'an outcome' }) }),
    ...(reason !== undefined && { reason }),
    ...(trace !== undefined && (trace.includes('-') ? { callId: trace } : { traceId: trace })),
    ...(intent !== undefined && { intent: intentIdIn(intent) }),
    ...(approval !== undefined && { approval }),
    ...(policy !== undefined && { policy }),
    ...(shadow !== undefined && { shadow: oneOf(effects, { given: shadow, what: 'what a policy decides' }) }),
    ...(obligation !== undefined && { obligation }),
    ...(risk !== undefined && { minRisk: risk }),
    ...(since !== undefined && { sinceMs: parseTime(since, nowMs) }),
    ...(until !== undefined && { untilMs: parseTime(until, nowMs) }),
  };
}

function oneOf<Word extends string>(words: readonly Word[], { given, what }: { given: string; what: string }): Word {
  const known = words.find((each) => each === given);
  if (known !== undefined) return known;
  throw new CliError('usage', `"${given}" is not ${what}.`, { hint: `One of ${words.join(', ')}.` });
}

function toJson({ origin: log, seq, hash, record }: FoundRow): Readonly<Record<string, unknown>> {
  return { ...(log !== undefined && { log }), seq, hash, ...record };
}

function rowLine(row: FoundRow, style: Style): string {
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

/** The number of a row; with the log's name where there are several. */
function numberText({ seq, origin }: FoundRow): string {
  return origin === undefined ? String(seq) : `${origin.replace(/^sallyport\/audit\//, '')}#${seq}`;
}

function cells(row: FoundRow, style: Style): readonly string[] {
  const { record } = row;
  if (record.kind === 'refusals') {
    const { count, reason, peer, fromMs } = record;
    return [
      numberText(row),
      timeText(fromMs),
      style.red(`${count} × ${reason}`),
      printableLine(peer),
      '(counted)',
      '',
      '',
    ];
  }
  const { timeMs, durationMs, verb, tool, callId } = record;
  return [
    numberText(row),
    timeText(timeMs),
    outcomeText(record, style),
    printableLine(whoText(record)),
    printableLine(tool ?? verb),
    record.kind === 'intent' ? '' : `${durationMs.toFixed(1)} ms`,
    // What the answer calls `trace_id`; the W3C trace is in the JSON.
    callId,
  ];
}

function timeText(ms: number): string {
  return new Date(ms).toISOString().replace('T', ' ').replace('Z', '');
}
