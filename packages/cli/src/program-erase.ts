import type { Command } from 'commander';
import type { Context } from './context.ts';
import type { Shared } from './program-users.ts';

/** Adds `audit status` and `audit erase`: what the running gateway is asked for. */
export function addAuditErase(audit: Command, context: Context, { withAdmin, examples }: Shared): void {
  withAdmin(audit.command('status'))
    .description('Tell how the log of the running gateway is doing, and those who are sent its checkpoints.')
    .action(async (options) => (await import('./commands/audit-status.ts')).auditStatus(options, context));
  withAdmin(audit.command('erase'))
    .description(
      'Destroy the keys of arguments and access requests, for good. The records stay, without what was sealed, and the ' +
        'log verifies as before. It is on record itself.',
    )
    .option('--tenant <tenant>', 'of this tenant, named as in records')
    .option('--no-tenant', 'of callers that have no tenant')
    .option('--day <day>', 'on this day (UTC), such as 2027-01-02')
    .option('--before <day>', 'on all days before this one')
    .addHelpText(
      'after',
      examples(
        'sallyport audit erase --tenant acme --day 2027-01-02',
        'sallyport audit erase --no-tenant --before 2027-01-02',
      ),
    )
    .action(async (options) => (await import('./commands/audit-erase.ts')).eraseAudit(options, context));
}
