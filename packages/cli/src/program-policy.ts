import type { Command } from 'commander';
import type { Context } from './context.ts';
import type { Shared } from './program-users.ts';

/** Adds `check` and `policy`. */
export function addPolicies(program: Command, context: Context, shared: Shared): void {
  addCheck(program, context, shared);
  const policy = program
    .command('policy')
    .summary('see, test, explain, replay and undo policies')
    .description(
      'What may be done beyond scopes: docs/policy.md. Most of this talks to the running gateway as its owner.',
    );
  addLooking(policy, context, shared);
  addTrying(policy, context, shared);
}

function addCheck(program: Command, context: Context, { withAdmin, examples }: Shared): void {
  withTools(withAdmin(program.command('check')))
    .summary('find mistakes in a configuration and its policies')
    .description(
      'Looks at the configuration, the policies, the tools they are about and their tests: types, unknown tools, policies that ' +
        'never apply or overrule each other, tools without an owner, secrets in files. Needs no gateway where the tools are saved.',
    )
    .option(
      '--save-tools',
      'write the tools that the running gateway offers beside the configuration, for checks without it',
    )
    .option('--strict', 'fail for warnings as well')
    .option('--sarif', 'print SARIF 2.1.0, for code hosts')
    .option('--no-solver', 'leave out what a solver finds')
    .addHelpText(
      'after',
      examples('sallyport check', 'sallyport check --save-tools', 'sallyport check --strict --sarif > check.sarif'),
    )
    .action(async (options) => (await import('./commands/check.ts')).check(options, context));
}

function addLooking(policy: Command, context: Context, { withAdmin, examples }: Shared): void {
  const load = () => import('./commands/policy.ts');
  withAdmin(policy.command('list'))
    .description('List the policies in force.')
    .action(async (options) => (await load()).listPolicies(options, context));
  withAdmin(policy.command('explain'))
    .description('Tell why a call was decided as it was: by which policies, for which attributes, in which revision.')
    .argument('<call>', 'its id: what a refusal names as its decision, the `trace_id` of an answer')
    .addHelpText('after', examples('sallyport policy explain 0190c5e8-…'))
    .action(async (call, options) => (await load()).explain(call, options, context));
  withAdmin(policy.command('revisions'))
    .description('List what was in force, newest first: since when, by whom, and which files it changed.')
    .action(async (options) => (await load()).listRevisions(options, context));
  withAdmin(policy.command('rollback'))
    .description('Put an earlier revision in force. The files that it replaces are not taken in again as they are.')
    .argument('<revision>', 'as `policy revisions` shows it')
    .option('--reason <text>', 'why, for the record')
    .addHelpText('after', examples('sallyport policy rollback 3fa9c1d20b7e --reason "lets everybody refund"'))
    .action(async (revision, options) => (await load()).rollback(revision, options, context));
  withSpan(withAdmin(policy.command('shadow')))
    .description('Tell what policies that are only tried (shadow: true) would have changed.')
    .addHelpText('after', examples('sallyport policy shadow --since 7d'))
    .action(async (options) => (await load()).shadow(options, context));
}

function addTrying(policy: Command, context: Context, { withAdmin, examples }: Shared): void {
  const load = () => import('./commands/policy.ts');
  const loadTry = () => import('./commands/policy-try.ts');
  withTools(withAdmin(policy.command('test')))
    .description('Try policies by cases: a call, and what is to become of it (*.policy-test.yaml).')
    .argument('[files...]', 'files or folders; default: all beside and below the configuration')
    .addHelpText(
      'after',
      `\nA file of cases:\n  cases:\n    - tool: payments.Refund\n      arguments: { amount: 501, currency: EUR }\n      want: { decision: deny }\n${examples('sallyport policy test', 'sallyport policy test policies/refunds.policy-test.yaml')}`,
    )
    .action(async (files, options) => (await loadTry()).test(files, options, context));
  withSpan(withAdmin(policy.command('replay')))
    .description(
      'Decide recorded calls again, by other policies, and tell which would have been allowed or denied differently. Without ' +
        '--against each by the revision that decided it: all have to come out the same.',
    )
    .option('--against <policies>', 'a folder or file of policies, or a revision')
    .addHelpText(
      'after',
      examples(
        'sallyport policy replay --since 2d --against policies',
        'sallyport policy replay --against 3fa9c1d20b7e --json',
      ),
    )
    .action(async (options) => (await load()).replay(options, context));
  withTools(withAdmin(policy.command('diff')))
    .description('Show a call that two versions of policies decide differently, found by a solver.')
    .argument('<before>', 'a folder or file of policies, or a revision')
    .argument('<after>', 'the same')
    .addHelpText('after', examples('sallyport policy diff 3fa9c1d20b7e policies'))
    .action(async (before, after, options) => (await loadTry()).diff([before, after], options, context));
}

function withTools(command: Command): Command {
  return command.option('--tools <file>', 'the tools, as `sallyport check --save-tools` wrote them');
}

function withSpan(command: Command): Command {
  return command
    .option('--since <time>', 'from this time on: ISO 8601, or a duration before now such as 15m')
    .option('--until <time>', 'up to this time');
}
