import type { AccessRequest, AuditRecord } from '@sallyport/core';
import { type Columns, columnsOf, type Loggable, recordText } from './row.ts';

/** One value of a packed entry. */
export type Cell = string | number | null;

/** How many cells an entry takes. Flat cells cross to the writer's thread at a third of the cost of objects. */
export const cellsPerEntry = 14;

/** An entry as the writer sees it: everything of a row that does not need a key or the chain. */
export interface Entry extends Columns {
  readonly text: string;
  readonly tenant: string | null;
  /** JSON of the access request, and of the answer where that is to be sealed; without `context.arguments` where `argumentsText` says the same. */
  readonly requestText: string | null;
  readonly argumentsText: string | null;
  /** The keyed hash of the answer. Made before the entry crosses over: answers can be large, and many can wait. */
  readonly outputHash: string | null;
  /** How sensitive the target is: what is sealed of it may have keys of its own. */
  readonly classification: string | null;
}

/**
 * Appends one record's cells; returns how much memory it takes, in bytes, roughly.
 *
 * A refusal of somebody unknown is kept without arguments: strangers get no room in the log beyond a bounded line.
 */
export function pack(record: Loggable, cells: Cell[], hashOutput: (text: string) => string): number {
  const text = recordText(record);
  const columns = columnsOf(record);
  const known = record.kind !== 'refusals' && record.subject !== undefined;
  const requestText = known ? accessText(record) : null;
  const argumentsText = known ? (record.argumentsText ?? null) : null;
  cells.push(text, columns.call_id, columns.time_ms, columns.kind, columns.outcome, columns.reason);
  cells.push(columns.subject, columns.tool, columns.trace_id);
  cells.push(known ? (record.tenant ?? null) : null, requestText, argumentsText);
  cells.push(known && record.outputText !== undefined ? hashOutput(record.outputText) : null);
  cells.push(known ? (record.classification ?? null) : null);
  return 500 + text.length + (requestText?.length ?? 0) + (argumentsText?.length ?? 0);
}

/** The arguments are in the record as text already; parsed they would only be sealed twice. */
function accessText({ request, argumentsText, outputText, outputSealed }: AuditRecord): string | null {
  const output = outputSealed === true && outputText !== undefined ? { outputText } : {};
  if (request === undefined) return outputSealed === true && outputText !== undefined ? JSON.stringify(output) : null;
  if (argumentsText === undefined || request.context.arguments === undefined) {
    return JSON.stringify({ request, ...output });
  }
  const { arguments: _, ...context } = request.context;
  return JSON.stringify({ request: { ...request, context }, argumentsInText: true, ...output });
}

/** Reads the entry whose cells begin at `start`. */
export function unpack(cells: readonly Cell[], start: number): Entry {
  return {
    text: cells[start] as string,
    call_id: cells[start + 1] as string | null,
    time_ms: cells[start + 2] as number,
    kind: cells[start + 3] as string,
    outcome: cells[start + 4] as string,
    reason: cells[start + 5] as string | null,
    subject: cells[start + 6] as string | null,
    tool: cells[start + 7] as string | null,
    trace_id: cells[start + 8] as string | null,
    tenant: cells[start + 9] as string | null,
    requestText: cells[start + 10] as string | null,
    argumentsText: cells[start + 11] as string | null,
    outputHash: cells[start + 12] as string | null,
    classification: cells[start + 13] as string | null,
  };
}

/** The text to seal for an entry, or nothing. */
export function plainText({ requestText, argumentsText }: Entry): string | undefined {
  if (argumentsText === null) return requestText ?? undefined;
  const member = `"argumentsText":${JSON.stringify(argumentsText)}}`;
  return requestText === null ? `{${member}` : `${requestText.slice(0, -1)},${member}`;
}

/** Reads what `plainText` wrote, with the parsed arguments back in the request. */
export function readPlainText(text: string): {
  request?: AccessRequest;
  argumentsText?: string;
  outputText?: string;
} {
  const { argumentsInText, request, argumentsText, outputText } = JSON.parse(text);
  const known = {
    ...(argumentsText !== undefined && { argumentsText }),
    ...(outputText !== undefined && { outputText }),
  };
  if (!request) return known;
  if (!argumentsInText) return { ...known, request };
  return { ...known, request: { ...request, context: { ...request.context, arguments: JSON.parse(argumentsText) } } };
}
