import type { Command } from 'commander';
import type { Context } from './context.ts';

/** What all commands share. */
interface Shared {
  readonly withAdmin: (command: Command) => Command;
  readonly withUrl: (command: Command) => Command;
  readonly toCount: (text: string) => number;
  readonly examples: (...lines: readonly string[]) => string;
}

/** `trace` and `intent` */
export function addIntents(program: Command, context: Context, shared: Shared): void {
  addTrace(program, context, shared);
  addIntent(program, context, shared);
}

function addTrace(program: Command, context: Context, { withAdmin, examples }: Shared): void {
  withAdmin(program.command('trace'))
    .summary('show what was done for one message of a user, or in one trace')
    .description(
      'Of an intent: who asked for what, every call that was made under it with its outcome, the calls of services that served ' +
        'them, and what was refused. Of a trace, or of a call: all calls of that trace, each below the one that it was made in, ' +
        'by the records of the audit log.',
    )
    .argument('<id>', 'of an intent, of a trace (32 hexadecimal digits), or of a call as its answer names it')
    .option('--no-message', 'leave out the message, if it was kept')
    .addHelpText(
      'after',
      examples('sallyport trace 4f9XkQ2LmZ8RtWv7', 'sallyport trace 4bf92f3577b34da6a3ce929d0e0e4736'),
    )
    .action(async (id, options) => (await import('./commands/trace.ts')).trace(id, options, context));
}

function addIntent(program: Command, context: Context, { withAdmin, withUrl, toCount, examples }: Shared): void {
  const load = () => import('./commands/intent.ts');
  const intent = program
    .command('intent')
    .summary('make, list and revoke tokens that are good for one thing a user asked for');
  withUrl(intent.command('create'))
    .description(
      'Exchange the token in SALLYPORT_TOKEN for one that is good for this message only. An agent that acts for its holder is ' +
        'named by its own token, in SALLYPORT_ACTOR_TOKEN. The new token alone is printed on stdout.',
    )
    .requiredOption('--message <text>', "the user's message, or - to read it from stdin")
    .option('--keep-message', 'let the gateway keep the message, sealed; without this it only learns its digest')
    .option('--purpose <word>', 'what it is for, in one word that policies know, such as refund')
    .requiredOption('--tool <name...>', 'what may be called: names or patterns such as posts.*')
    .option('--bound <bound...>', "what an argument has to be: '/id=p-1', '/amount<=500', '/amount>=1'")
    .option('--calls <number>', 'how many calls (default: 1)', toCount)
    .option('--expires <duration>', 'how long, at most 15m (default: as long as may be)')
    .option('--scope <scope...>', 'scopes, fewer than the token has (default: all of them)')
    .addHelpText(
      'after',
      examples(
        `sallyport intent create --message 'Publish my post.' --tool posts.PostService.Publish --bound /id=p-1`,
        `sallyport intent create --message - --tool 'posts.*' --calls 5 --expires 5m < message.txt`,
      ),
    )
    .action(async (options) => (await load()).createIntent(options, context));
  withAdmin(intent.command('list'))
    .description('List intents, newest first.')
    .action(async (options) => (await load()).listIntents(options, context));
  withAdmin(intent.command('revoke'))
    .description('End an intent and all that were made from it; the next call is refused.')
    .argument('<id>', 'as `intent list` shows it')
    .action(async (id, options) => (await load()).revokeIntent(id, options, context));
}
