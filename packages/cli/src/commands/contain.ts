import { type AdminOptions, administer } from '../client/admin-client.ts';
import { type Context, print, printJson, say } from '../context.ts';
import { parseDuration } from '../duration.ts';
import { CliError } from '../exit.ts';
import { table } from '../terminal/table.ts';

/** What is to be contained, and for how long. */
export interface ContainOptions extends AdminOptions {
  readonly kind: string;
  readonly value?: string;
  readonly reason?: string;
  /** A duration. */
  readonly for?: string;
}

interface Containment {
  readonly id: string;
  readonly kind: string;
  readonly value: string;
  readonly by: string;
  readonly at: string;
  readonly state: string;
  readonly reason?: string;
  readonly expiresAt?: string;
}

const kinds = ['principal', 'account', 'tenant', 'client', 'agent', 'agent-class', 'tool', 'upstream', 'class'];

/** `contain` */
export async function contain({ kind, value, ...options }: ContainOptions, context: Context): Promise<void> {
  if (!kinds.includes(kind)) {
    throw new CliError('usage', `"${kind}" is nothing that can be contained.`, { hint: `One of ${kinds.join(', ')}.` });
  }
  if (value === undefined) throw new CliError('usage', `Say which ${kind}.`, { hint: 'Add --help for examples.' });
  const forS = options.for === undefined ? undefined : Math.ceil(parseDuration(options.for) / 1_000);
  const answer = await administer(options, context, 'containment.contain', {
    ...{ kind, value },
    ...(options.reason !== undefined && { reason: options.reason }),
    ...(forS !== undefined && { forS }),
  });
  if (options.json) return printJson(context, answer);
  const { id, expiresAt } = answer as unknown as Containment;
  print(context, id);
  const until = expiresAt === undefined ? '' : ` until ${expiresAt}`;
  say(
    context,
    `${kind} ${value} is contained${until}: what was under way has ended. Undo with: sallyport restore ${id}`,
  );
}

/** `restore` */
export async function restore(id: string, options: AdminOptions, context: Context): Promise<void> {
  if (!/^ctn_[0-9A-Za-z]{16}$/.test(id)) {
    throw new CliError('usage', `"${id}" is no id of a containment.`, { hint: 'See `sallyport contain list`.' });
  }
  const answer = await administer(options, context, 'containment.restore', { id });
  if (options.json) return printJson(context, answer);
  const { kind, value } = answer as unknown as Containment;
  print(context, `${kind} ${value} may go on: the next call goes through.`);
}

/** `contain list` */
export async function listContainments(
  options: AdminOptions & { readonly ended?: true },
  context: Context,
): Promise<void> {
  const answer = await administer(options, context, 'containment.list', { ended: options.ended === true });
  if (options.json) return printJson(context, answer);
  const { containments } = answer as unknown as { readonly containments: readonly Containment[] };
  if (containments.length === 0) return say(context, 'Nothing is contained.');
  const rows = containments.map(({ id, kind, value, state, by, at, expiresAt = '', reason = '' }) => [
    ...[id, kind, value, state, by, at, expiresAt, reason],
  ]);
  print(context, table(['id', 'kind', 'value', 'state', 'by', 'at', 'until', 'reason'], rows, context.style.dim));
}
