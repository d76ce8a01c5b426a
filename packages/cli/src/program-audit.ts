import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Context } from './context.ts';
import { addAuditErase } from './program-erase.ts';

/** What all commands share. */
interface Shared {
  readonly withAdmin: (command: Command) => Command;
  readonly examples: (...lines: readonly string[]) => string;
  readonly toCount: (text: string) => number;
}

/** `audit` and what is under it */
export function addAudit(program: Command, context: Context, shared: Shared): void {
  const { withAdmin, examples, toCount } = shared;
  const withSearch = (command: Command) => addSearch(command, toCount);
  const load = () => import('./commands/audit.ts');
  const audit = program.command('audit').summary('read, verify and erase from the audit log');
  withSearch(withAdmin(audit.command('tail')))
    .description('Show the newest records and follow what comes.')
    .option('--no-follow', 'show what is there and end')
    .action(async (options) => (await load()).tailAudit(options, context));
  withSearch(withAdmin(audit.command('search')))
    .description('Find records, newest first.')
    .option('--before <place>', 'go on after a page: what it said at its end')
    .addHelpText(
      'after',
      examples(
        'sallyport audit search --tool posts.PostService.Delete --outcome refused',
        'sallyport audit search --trace 0af7651916cd43dd8448eb211c80319c --json',
      ),
    )
    .action(async (options) => (await load()).searchAudit(options, context));
  withSearch(withAdmin(audit.command('export')))
    .description('Print records for other programs, a line each.')
    .addOption(
      new Option('--format <name>', 'how')
        .choices(['ndjson', 'ocsf', 'otlp', 'cef', 'syslog', 'audit-record-contract'])
        .default('ndjson'),
    )
    .option('--after <seq>', 'only records after this one: where the last export ended', toSeq)
    .option('--evidence', 'all records of a time, without a gap, with what it takes to verify them elsewhere')
    .addHelpText(
      'after',
      examples(
        'sallyport audit export --format cef --after 20852 | logger -n siem -P 514 -T',
        'sallyport audit export --evidence --since 24h > today.ndjson',
      ),
    )
    .action(async ({ evidence, ...options }) => {
      if (evidence) return (await loadEvidence()).exportEvidence(options, context);
      return (await load()).exportAudit(options, context);
    });
  addAuditEvidence(audit, context, shared);
  addAuditErase(audit, context, shared);
}

const loadEvidence = () => import('./commands/audit-evidence.ts');

function addAuditEvidence(audit: Command, context: Context, { withAdmin, examples }: Shared): void {
  withAdmin(audit.command('verify'))
    .description(
      'Check every record, the tree of all records and its signed checkpoints; names the record that does not fit.',
    )
    .argument('[file]', 'exported evidence, a proof, or a copy of audit.db; default: the log of the configuration')
    .option('--log <name>', 'only this log, where several gateways share a database')
    .option('--key <key>', 'the public key to believe, or a file with it; may be given again', collect)
    .option('--witness <file>', 'checkpoints that were kept elsewhere; may be given again', collect)
    .addHelpText(
      'after',
      examples('sallyport audit verify', 'sallyport audit verify today.ndjson --key "$(cat gateway.vkey)"'),
    )
    .action(async (file, options) => (await loadEvidence()).verify(file, options, context));
  withAdmin(audit.command('prove'))
    .description('Print a proof that the records of a call are in the log, for somebody who has the public key alone.')
    .argument('<call>', 'its id: the `trace_id` of an answer, the last column of `audit search`')
    .addHelpText(
      'after',
      examples('sallyport audit prove 0190c5e8-… > call.proof', 'sallyport audit verify call.proof --key gateway.vkey'),
    )
    .action(async (call, options) => (await loadEvidence()).proveCall(call, options, context));
  withAdmin(audit.command('key'))
    .description('Print the public key that verifies checkpoints of the log (c2sp.org/signed-note).')
    .option('--log <name>', 'of this log, where several gateways share a database')
    .action(async (options) => (await loadEvidence()).showKey(options, context));
}

function addSearch(command: Command, toCount: Shared['toCount']): Command {
  return command
    .option('--log <name>', 'of the gateway with this log, where several share a database')
    .option('--tool <name>', 'of this tool')
    .option('--subject <name>', 'of this caller')
    .option('--outcome <word>', 'answered, refused, suspended or intended')
    .option('--reason <word>', 'refused for this reason')
    .option('--trace <id>', 'of this trace')
    .option('--intent <id>', 'under this intent')
    .option('--approval <id>', 'that waited for this approval, or went by it')
    .option('--policy <id>', 'that this policy decided, or would have decided')
    .option('--shadow <effect>', 'that policies which are only tried would have permitted or denied: permit, deny')
    .option('--obligation <kind>', 'of which policies asked this besides: approve, redact, limit, …')
    .option('--risk <score>', 'whose risk was at least this, of 100', toCount)
    .option('--since <time>', 'from this time on: ISO 8601, or a duration before now such as 15m')
    .option('--until <time>', 'before this time')
    .option('--limit <number>', 'at most so many', toCount);
}

function toSeq(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('The number of a record.');
  return Number(text);
}

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}
