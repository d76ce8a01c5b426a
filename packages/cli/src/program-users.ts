import type { Command } from 'commander';
import type { Context } from './context.ts';

/** What all nouns have in common. */
export interface Shared {
  withAdmin(command: Command): Command;
  examples(...lines: readonly string[]): string;
}

/** Adds `user`: the people who sign in at the built-in authorization server. */
export function addUsers(program: Command, context: Context, { withAdmin, examples }: Shared): void {
  const load = () => import('./commands/user.ts');
  const user = program
    .command('user')
    .summary('add, list and shut out people who sign in with a password')
    .description(
      'The users of the built-in authorization server (`auth.server`). Talks to the running gateway over its admin ' +
        'socket, which only you can open. Passwords are asked for, or read from stdin; never from the command line.',
    )
    .addHelpText(
      'after',
      examples(
        "sallyport user add ada --scope 'posts:*' users:read",
        'printf \'%s\' "$PASSWORD" | sallyport user add ada --scope posts:read --json',
        'sallyport user totp ada',
        'sallyport user disable ada',
      ),
    );
  withAdmin(user.command('add'))
    .description('Make somebody who can sign in. The password has 12 to 256 characters.')
    .argument('<name>', 'of the account; made when there is none')
    .option('--scope <scope...>', "what they may allow clients, such as posts:read or 'posts:*'; * is every tool scope")
    .action(async (name, options) => (await load()).addUser(name, options, context));
  withAdmin(user.command('list'))
    .description('List all who can sign in.')
    .action(async (options) => (await load()).listUsers(options, context));
  withAdmin(user.command('allow'))
    .description('Replace what somebody may allow clients. They have to sign in again.')
    .argument('<name>', 'as `user list` shows it')
    .option('--scope <scope...>', 'all of what they may allow from now on')
    .action(async (name, options) => (await load()).allowUser(name, options, context));
  withAdmin(user.command('disable'))
    .description('Shut somebody out, from the next call on: no sign-in and no token, until enabled.')
    .argument('<name>', 'as `user list` shows it')
    .action(async (name, options) => (await load()).disableUser(name, options, context));
  withAdmin(user.command('enable'))
    .description('Let somebody in again, with a new sign-in.')
    .argument('<name>', 'as `user list` shows it')
    .action(async (name, options) => (await load()).enableUser(name, options, context));
  withAdmin(user.command('reset-password'))
    .description('Give somebody another password. What was signed in with the one before ends.')
    .argument('<name>', 'as `user list` shows it')
    .action(async (name, options) => (await load()).resetPassword(name, options, context));
  withAdmin(user.command('totp'))
    .description('Draw the secret of a second factor, for an authenticator app. It is shown once.')
    .argument('<name>', 'as `user list` shows it')
    .option('--remove', 'take the second factor away instead')
    .action(async (name, options) => (await load()).secondFactor(name, options, context));
  withAdmin(user.command('delete'))
    .description('Remove a user. The account stays, with the tokens that were made for it.')
    .argument('<name>', 'as `user list` shows it')
    .action(async (name, options) => (await load()).deleteUser(name, options, context));
}
