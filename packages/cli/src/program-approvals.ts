import type { Command } from 'commander';
import type { Context } from './context.ts';
import type { Shared } from './program-users.ts';

/** Adds `approvals`. */
export function addApprovals(program: Command, context: Context, { withAdmin, examples }: Shared): void {
  const load = () => import('./commands/approvals.ts');
  const withPerson = (command: Command): Command =>
    withAdmin(command).option('--url <url>', 'administration, where you have a token (default: $SALLYPORT_ADMIN_URL)');
  const approvals = program
    .command('approvals')
    .summary('see and decide what agents want to do and people have to approve')
    .description(
      'Over the socket of a gateway of yours you are its owner. To be yourself, name the address of its administration with ' +
        '--url and put a token of yours into SALLYPORT_ADMIN_TOKEN: it needs the scope admin:approvals, and the one that the ' +
        'approval asks for.',
    );
  withPerson(approvals.command('list', { isDefault: true }))
    .description('List what waits for people, newest first.')
    .option('--all', 'what is over as well')
    .addHelpText('after', examples('sallyport approvals', 'sallyport approvals list --all --json'))
    .action(async (options) => (await load()).listApprovals(options, context));
  withPerson(approvals.command('show'))
    .description('Show all there is to decide by: who wants what, with which arguments, why, and who agreed.')
    .argument('<id>', 'as `approvals list` shows it')
    .addHelpText('after', examples('sallyport approvals show apr_7Hq2kTz9WmRb4XnV'))
    .action(async (id, options) => (await load()).showApproval(id, options, context));
  withPerson(approvals.command('approve'))
    .description('Agree to one call, exactly as it is shown. Who asked for it may not; nobody counts twice.')
    .argument('<id>', 'as `approvals list` shows it')
    .option('--reason <text>', 'why, for the record')
    .addHelpText(
      'after',
      examples(
        'sallyport approvals approve apr_7Hq2kTz9WmRb4XnV',
        'SALLYPORT_ADMIN_TOKEN=… sallyport approvals approve apr_7Hq2kTz9WmRb4XnV --url http://127.0.0.1:3001',
      ),
    )
    .action(async (id, options) => (await load()).approve(id, options, context));
  withPerson(approvals.command('reject'))
    .description('Refuse it, or take back what was granted and is not used yet. One rejection is enough.')
    .argument('<id>', 'as `approvals list` shows it')
    .requiredOption('--reason <text>', 'why, for the record')
    .option('--tell', 'tell the agent the reason as well')
    .addHelpText(
      'after',
      examples('sallyport approvals reject apr_7Hq2kTz9WmRb4XnV --reason "Not this customer." --tell'),
    )
    .action(async (id, options) => (await load()).reject(id, options, context));
  withPerson(approvals.command('watch'))
    .description(
      'Print what comes to wait for people, and what becomes of it, until Ctrl-C. With --json one line each.',
    )
    .addHelpText('after', examples('sallyport approvals watch'))
    .action(async (options) => (await load()).watchApprovals(options, context));
}
