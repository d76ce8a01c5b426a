import type { Command } from 'commander';
import type { Context } from './context.ts';
import type { Shared } from './program-users.ts';

/** Adds `keys`. */
export function addKeys(program: Command, context: Context, { withAdmin, examples }: Shared): void {
  const load = () => import('./commands/keys.ts');
  const keys = program
    .command('keys')
    .summary('list the keys of a gateway, and have new ones follow them')
    .description('The master key, what it wraps, and the keys that sign. Nothing secret is printed.');
  withAdmin(keys.command('list'))
    .description('List all keys: what for, since when, and which one signs.')
    .action(async (options) => (await load()).listKeys(options, context));
  withAdmin(keys.command('rotate'))
    .description(
      'Have a new key follow one. What was signed or kept before stays good: the old signing key of the audit log vouches ' +
        'for the new one, others stay published for as long as they may be asked for, and the master key wraps anew what it wraps.',
    )
    .argument('<key>', 'master, audit-signing, assertion or sign-in')
    .option('--now', 'assertion: sign at once with a key that services have not been told of before')
    .option('--to <place>', 'master: where the new one is, file:<path> (made if need be) or env:<NAME>')
    .addHelpText(
      'after',
      examples(
        'sallyport keys rotate audit-signing',
        'sallyport keys rotate master',
        'sallyport keys rotate master --to env:SALLYPORT_MASTER_KEY',
      ),
    )
    .action(async (key, options) => (await load()).rotateKey(key, options, context));
}
