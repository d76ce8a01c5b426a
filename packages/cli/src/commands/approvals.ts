import { type AdminOptions, administer, type Facts } from '../client/admin-client.ts';
import { type Context, print, printJson, say } from '../context.ts';
import { durationText } from '../duration.ts';
import { CliError } from '../exit.ts';
import { approvalText, type Listed, needsText, type Shown, whoText } from '../terminal/approval.ts';
import { printableLine } from '../terminal/style.ts';
import { table } from '../terminal/table.ts';

/** Options of `approvals list`. */
export interface ListOptions extends AdminOptions {
  readonly all?: boolean;
}

/** Options of `approvals approve` and `approvals reject`. */
export interface DecideOptions extends AdminOptions {
  readonly reason?: string;
  readonly tell?: boolean;
}

/** `approvals list` */
export async function listApprovals(options: ListOptions, context: Context): Promise<void> {
  const answer = await asPerson(options, context, 'approvals.list', { all: options.all === true });
  if (options.json) return printJson(context, answer);
  const { approvals } = answer as unknown as { readonly approvals: readonly Listed[] };
  if (approvals.length === 0) return say(context, 'Nothing waits for anybody.');
  const nowMs = Date.now();
  const rows = approvals.map((one) => [
    ...[one.id, one.state, whoText(one.requester), printableLine(one.tool), needsText(one)],
    ...[durationText(Date.parse(one.expiresAt) - nowMs), one.mayDecide ? 'yes' : ''],
  ]);
  print(context, table(['id', 'state', 'who', 'wants', 'approvals', 'time left', 'yours'], rows, context.style.dim));
}

/** `approvals show` */
export async function showApproval(id: string, options: AdminOptions, context: Context): Promise<void> {
  const answer = await asPerson(options, context, 'approvals.show', { id: approvalIdIn(id) });
  if (options.json) return printJson(context, answer);
  const shown = answer as unknown as Shown;
  print(context, approvalText(shown, { style: context.style, nowMs: Date.now() }));
  if (!shown.mayDecide) return;
  const { dim } = context.errorStyle;
  say(context, dim(`\nsallyport approvals approve ${id}\nsallyport approvals reject ${id} --reason …`));
}

/** `approvals approve` */
export async function approve(id: string, options: DecideOptions, context: Context): Promise<void> {
  const { reason } = options;
  const args = { id: approvalIdIn(id), ...(reason !== undefined && { reason }) };
  const answer = await asPerson(options, context, 'approvals.approve', args);
  if (options.json) return printJson(context, answer);
  if (answer.changed !== true) return print(context, `You had approved ${id} already; it is ${String(answer.state)}.`);
  const isGranted = answer.state === 'granted';
  print(
    context,
    isGranted ? `${id} is granted: the call may be made, once.` : `You approve ${id}. It waits for others.`,
  );
}

/** `approvals reject` */
export async function reject(id: string, options: DecideOptions, context: Context): Promise<void> {
  const args = { id: approvalIdIn(id), reason: options.reason, tell: options.tell === true };
  const answer = await asPerson(options, context, 'approvals.reject', args);
  if (options.json) return printJson(context, answer);
  print(context, `${id} is rejected: the call is refused.`);
}

/** `approvals watch` */
export async function watchApprovals(options: AdminOptions, context: Context): Promise<void> {
  const stopped = new AbortController();
  void context.untilStopped(stopped.signal).then(() => stopped.abort());
  const known = new Map<string, string>();
  let etag: unknown;
  while (!stopped.signal.aborted) {
    const args = { all: true, ...(typeof etag === 'string' && { etag }) };
    const answer = await Promise.race([asPerson(options, context, 'approvals.watch', args), aborted(stopped.signal)]);
    if (answer === undefined) return;
    const approvals = answer.approvals as readonly Listed[];
    for (const one of [...approvals].reverse())
      tellNew(one, { known, isFirst: etag === undefined }, { options, context });
    etag = answer.etag;
  }
}

interface Seen {
  readonly known: Map<string, string>;
  /** Then what is over already is no news. */
  readonly isFirst: boolean;
}

function tellNew(
  one: Listed,
  { known, isFirst }: Seen,
  to: { readonly options: AdminOptions; readonly context: Context },
) {
  const stands = `${one.state} ${needsText(one)}`;
  if (known.get(one.id) === stands) return;
  known.set(one.id, stands);
  if (isFirst && one.state !== 'pending') return;
  const { options, context } = to;
  if (options.json) return printJson(context, one);
  print(context, `${one.id}  ${stands}  ${printableLine(one.tool)}  ${whoText(one.requester)}`);
}

/** Over HTTP where that is wanted: over the socket everybody is the owner, and one person. */
function asPerson(
  options: AdminOptions,
  context: Context,
  ...asked: readonly [operation: string, args: Facts]
): Promise<Facts> {
  const url = options.url ?? context.env.SALLYPORT_ADMIN_URL;
  return administer({ ...options, ...(url !== undefined && { url }) }, context, ...asked);
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(undefined), { once: true }));
}

function approvalIdIn(text: string): string {
  if (/^apr_[1-9A-HJ-NP-Za-km-z]{16}$/.test(text)) return text;
  throw new CliError('usage', `"${text}" is not the id of an approval.`, {
    hint: 'It begins with apr_; `sallyport approvals` shows those there are.',
  });
}
