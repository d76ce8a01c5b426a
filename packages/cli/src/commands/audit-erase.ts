import { type AdminOptions, administer } from '../client/admin-client.ts';
import { type Context, print, printJson } from '../context.ts';
import { CliError } from '../exit.ts';

/** What to erase: one of `tenant` and `--no-tenant` (`false`), and one of the days. */
export interface EraseOptions extends AdminOptions {
  readonly tenant?: string | boolean;
  readonly day?: string;
  readonly before?: string;
}

/** `audit erase` */
export async function eraseAudit(options: EraseOptions, context: Context): Promise<void> {
  const { tenant, day, before } = options;
  if (tenant === undefined || tenant === true || (day === undefined) === (before === undefined)) {
    throw new CliError('usage', 'Name the tenant and the day to erase.', {
      hint: 'One of --tenant and --no-tenant, and one of --day and --before.',
    });
  }
  const who = tenant === false ? null : tenant;
  const answer = await administer(options, context, 'audit.erase', { tenant: who, day, before });
  if (options.json) return printJson(context, answer);
  const keys = Number(answer.keys);
  if (keys === 0)
    return print(context, 'There was no key to destroy: nothing was sealed then, or it is erased already.');
  const what = `What was sealed for ${who === null ? 'callers without a tenant' : `the tenant ${who}`}`;
  const when = day === undefined ? `before ${before}` : `on ${day}`;
  print(
    context,
    `${what} ${when} can be opened by nobody any more: ${keys === 1 ? 'its key is' : `${keys} keys are`} destroyed.`,
  );
  print(context, 'Copies of audit-keys.db that you made before still hold the keys.');
}
