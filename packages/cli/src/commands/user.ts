import { type AdminOptions, administer } from '../client/admin-client.ts';
import { type Context, print, printJson, say } from '../context.ts';
import { CliError } from '../exit.ts';
import { table } from '../terminal/table.ts';

/** Options of the commands that say what a user may allow. */
export interface ScopeOptions extends AdminOptions {
  readonly scope?: readonly string[];
}

/** A user as the admin API tells of it. */
interface User {
  readonly name: string;
  readonly state: string;
  readonly scopes: readonly string[];
  readonly secondFactor: boolean;
  readonly changedAt: string;
}

/** `user add` */
export async function addUser(name: string, options: ScopeOptions, context: Context): Promise<void> {
  const scopes = scopesOf(options);
  const password = await passwordFor(`Password for ${name}`, context);
  const user = await administer(options, context, 'users.add', { name, password, scopes });
  if (options.json) return printJson(context, user);
  print(context, `${name} can sign in, and may allow clients: ${scopes.join(' ') || 'nothing that needs a scope'}.`);
  say(context, `A second factor: \`sallyport user totp ${name}\`.`);
}

/** `user list` */
export async function listUsers(options: AdminOptions, context: Context): Promise<void> {
  const { users } = (await administer(options, context, 'users.list')) as unknown as {
    readonly users: readonly User[];
  };
  if (options.json) return printJson(context, { users });
  if (users.length === 0) return say(context, 'There are no users. `sallyport user add <name>` makes one.');
  const { style } = context;
  const rows = users.map(({ name, state, secondFactor, scopes }) => [
    name,
    state === 'active' ? style.green(state) : style.dim(state),
    secondFactor ? 'yes' : 'no',
    scopes.join(' '),
  ]);
  print(context, table(['name', 'state', 'second factor', 'may allow'], rows, style.dim));
}

/** `user allow` */
export async function allowUser(name: string, options: ScopeOptions, context: Context): Promise<void> {
  const scopes = scopesOf(options);
  const user = await administer(options, context, 'users.allow', { name, scopes });
  if (options.json) return printJson(context, user);
  print(
    context,
    `${name} may allow clients: ${scopes.join(' ') || 'nothing that needs a scope'}. Sign-ins so far have ended.`,
  );
}

/** `user disable` */
export async function disableUser(name: string, options: AdminOptions, context: Context): Promise<void> {
  const user = await administer(options, context, 'users.disable', { name });
  if (options.json) return printJson(context, user);
  print(context, `${name} is shut out: the next call with a token of theirs is refused.`);
}

/** `user enable` */
export async function enableUser(name: string, options: AdminOptions, context: Context): Promise<void> {
  const user = await administer(options, context, 'users.enable', { name });
  if (options.json) return printJson(context, user);
  print(context, `${name} can sign in again.`);
}

/** `user reset-password` */
export async function resetPassword(name: string, options: AdminOptions, context: Context): Promise<void> {
  const password = await passwordFor(`New password for ${name}`, context);
  const user = await administer(options, context, 'users.reset', { name, password });
  if (options.json) return printJson(context, user);
  print(context, `${name} has a new password. What was signed in with the one before has ended.`);
}

/** `user totp` */
export async function secondFactor(
  name: string,
  options: AdminOptions & { readonly remove?: boolean },
  context: Context,
): Promise<void> {
  if (options.remove) {
    const user = await administer(options, context, 'users.untotp', { name });
    if (options.json) return printJson(context, user);
    return print(context, `${name} signs in with the password alone.`);
  }
  const drawn = await administer(options, context, 'users.totp', { name });
  if (options.json) return printJson(context, drawn);
  print(context, String(drawn.url));
  say(context, `For typing: ${String(drawn.secret)}`);
  say(
    context,
    'Put it into an authenticator app now: it is not shown again. From now on its codes are needed to sign in.',
  );
}

/** `user delete` */
export async function deleteUser(name: string, options: AdminOptions, context: Context): Promise<void> {
  const answer = await administer(options, context, 'users.delete', { name });
  if (options.json) return printJson(context, answer);
  if (answer.changed !== true) throw new CliError('failure', `There is no user ${name}.`);
  print(context, `${name} cannot sign in any more.`);
  say(context, `Tokens made for the account ${name} stay good: see \`sallyport token list\`.`);
}

async function passwordFor(question: string, context: Context): Promise<string> {
  const password = await context.readPassword(question);
  if (password !== '') return password;
  throw new CliError('usage', 'No password was given.', {
    hint: 'Type it at a terminal, or pipe it in: printf %s "$PASSWORD" | sallyport user …',
  });
}

function scopesOf({ scope = [] }: ScopeOptions): readonly string[] {
  return scope.flatMap((each) => each.split(',')).filter((each) => each !== '');
}
