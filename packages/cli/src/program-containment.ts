import type { Command } from 'commander';
import type { Context } from './context.ts';

/** What all commands share. */
interface Shared {
  readonly withAdmin: (command: Command) => Command;
  readonly examples: (...lines: readonly string[]) => string;
}

/** `contain`, which is `kill` too, and `restore` */
export function addContainment(program: Command, context: Context, { withAdmin, examples }: Shared): void {
  const load = () => import('./commands/contain.ts');
  withAdmin(program.command('contain').alias('kill'))
    .summary('block a caller, an agent, a tool or a service, at once and everywhere')
    .description(
      'From the next call on everywhere; calls under way are aborted, streams closed, tasks and questions dropped. Nothing is ' +
        'revoked: `restore` lets all go on. With `list` alone: what is contained now.',
    )
    .argument('<kind>', 'principal, account, tenant, client, agent, agent-class, tool, upstream or class; or list')
    .argument('[value]', 'who or what: a name, a pattern of tools, kind:agent, destructive@kind:agent')
    .option('--reason <text>', 'why, for people; the caller is not told')
    .option('--for <duration>', 'it ends by itself after so long, such as 1h')
    .option('--ended', 'with list: also what was restored or has ended')
    .addHelpText(
      'after',
      examples(
        "sallyport contain agent support-bot --reason 'follows instructions from tickets' --for 1h",
        "sallyport contain tool 'payments.*'",
        'sallyport kill class destructive@kind:agent',
        'sallyport contain list',
      ),
    )
    .action(async (kind, value, options) => {
      const { contain, listContainments } = await load();
      return kind === 'list' && value === undefined
        ? listContainments(options, context)
        : contain({ kind, value, ...options }, context);
    });
  withAdmin(program.command('restore'))
    .summary('let go on what was contained')
    .argument('<id>', 'as `contain list` shows it')
    .addHelpText('after', examples('sallyport restore ctn_9f86d081884c7d65'))
    .action(async (id, options) => (await load()).restore(id, options, context));
}
