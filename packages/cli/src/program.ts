import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import type { Context } from './context.ts';
import { exitCodes } from './exit.ts';
import { addApprovals } from './program-approvals.ts';
import { addAudit } from './program-audit.ts';
import { addContainment } from './program-containment.ts';
import { addIntents } from './program-intents.ts';
import { addKeys } from './program-keys.ts';
import { addPolicies } from './program-policy.ts';
import { addUsers } from './program-users.ts';
import { exitCodeHelp, reportError } from './report-error.ts';
import { version } from './version.ts';

/**
 * Runs one command line and returns its exit code. Each command's code is loaded only when it is the one asked for.
 *
 * @param args the words after `sallyport`.
 */
export async function runCli(args: readonly string[], context: Context): Promise<number> {
  const program = createProgram(context);
  try {
    await program.parseAsync([...args], { from: 'user' });
    return exitCodes.ok;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    return reportError(error, context, args.includes('--json'));
  }
}

function createProgram(context: Context): Command {
  const program = new Command('sallyport')
    .description('A guarded door between AI agents and your services.')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .addHelpText('after', `\n${exitCodeHelp}\n\nStart with: sallyport new tasks`)
    .showHelpAfterError('(add --help for usage)')
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => context.stdout.write(text),
      writeErr: (text) => context.stderr.write(text),
      outputError: (text, write) => write(text.replace(/^error: /, `${context.errorStyle.red('✗')} `)),
    });
  addRunning(program, context);
  addMaking(program, context);
  addTools(program, context);
  addTokens(program, context);
  addCredentials(program, context);
  addUsers(program, context, { withAdmin, examples });
  addKeys(program, context, { withAdmin, examples });
  addIntents(program, context, { withAdmin, withUrl, toCount, examples });
  addApprovals(program, context, { withAdmin, examples });
  addPolicies(program, context, { withAdmin, examples });
  addContainment(program, context, { withAdmin, examples });
  addAudit(program, context, { withAdmin, examples, toCount });
  return program;
}

function addRunning(program: Command, context: Context): void {
  withConfig(program.command('run'))
    .summary('run the gateway and all services of a configuration, for development')
    .description(
      'Starts the gateway and every service with a `command`, in the order of their dependencies; restarts a service ' +
        'when its sources change or it crashes; prints the endpoints, an agent token and settings to paste into ' +
        'clients. Ctrl-C ends it all.',
    )
    .option('--port <number>', 'listen here instead of `listen.port` (0: any free port)', toPort)
    .option('--admin-port <number>', 'and here instead of `admin.port`', toPort)
    .option('--data <folder>', 'keep databases and sockets here instead of `data`')
    .option('--no-watch', 'do not follow changes of sources and configuration')
    .option('--json', 'print one line of JSON on stdout when ready; everything else goes to stderr')
    .addHelpText(
      'after',
      examples('sallyport run', 'sallyport run -c blog/sallyport.yaml --port 0 --admin-port 0 --json'),
    )
    .action(async (options) => (await import('./commands/run.ts')).run(options, context));
  withConfig(program.command('serve'))
    .summary('run the gateway alone, for production')
    .description(
      'Starts the gateway and nothing else: services listen at an `address` or announce themselves. Prints no secret.',
    )
    .option('--json', 'log as JSON lines and print one line on stdout when ready')
    .addHelpText('after', examples('sallyport serve -c /etc/sallyport/sallyport.yaml'))
    .action(async (options) => (await import('./commands/serve.ts')).serve(options, context));
  program
    .command('mcp')
    .summary('bridge a stdio host to a running gateway')
    .description(
      'Speaks MCP on stdin and stdout and passes it to the gateway at SALLYPORT_URL with the token in SALLYPORT_TOKEN. ' +
        'Hosts such as Claude Desktop start this; `sallyport run` prints their settings.',
    )
    .addHelpText('after', examples('SALLYPORT_URL=http://127.0.0.1:3000/mcp SALLYPORT_TOKEN=… sallyport mcp'))
    .action(async () => (await import('./commands/mcp.ts')).mcp(context));
}

function addMaking(program: Command, context: Context): void {
  program
    .command('new')
    .summary('make a new service')
    .description('Makes a folder with a service, its test, its configuration and a README.')
    .argument('<name>', 'name of the service: lower-case letters, digits and dashes')
    .addOption(
      new Option('--template <name>', 'what to start from')
        .choices(['default', 'crud', 'read-only'])
        .default('default'),
    )
    .option('--dir <folder>', 'make it here (default: a folder named like the service)')
    .option('--json', 'print what was made as JSON')
    .addHelpText('after', examples('sallyport new tasks', 'sallyport new notes --template crud'))
    .action(async (name, options) => (await import('./commands/new.ts')).newService(name, options, context));
  withConfig(program.command('doctor'))
    .summary('check this machine and a configuration, and say what to do')
    .option('--json', 'print the findings as JSON')
    .addHelpText('after', examples('sallyport doctor'))
    .action(async (options) => (await import('./commands/doctor.ts')).doctor(options, context));
}

function addTools(program: Command, context: Context): void {
  const load = () => import('./commands/tools.ts');
  const tools = program
    .command('tools')
    .summary('see and call the tools of a running gateway')
    .description(
      'Talks to the gateway at --url or SALLYPORT_URL with the token in SALLYPORT_TOKEN (never on the command line).',
    );
  withUrl(tools.command('list'))
    .description('List the tools this token may call.')
    .action(async (options) => (await load()).listTools(options, context));
  withUrl(tools.command('describe'))
    .description('Show the schema, scopes and examples of a tool.')
    .argument('<tool>', 'its name, such as posts.PostService.Create')
    .action(async (name, options) => (await load()).describeTool(name, options, context));
  withUrl(tools.command('call'))
    .description('Call a tool.')
    .argument('<tool>', 'its name')
    .argument('[arguments]', 'its arguments, a JSON object')
    .option('--input <file>', 'read the arguments from a file, or from stdin with -')
    .option('--wait <seconds>', 'how long to wait where people have to approve the call, at most 240', toWait)
    .addHelpText(
      'after',
      examples(
        `sallyport tools call users.UserService.Get '{"id":"ada"}'`,
        'sallyport tools call posts.PostService.Create --input draft.json',
      ),
    )
    .action(async (name, given, options) => (await load()).callTool({ name, given, ...options }, context));
  withUrl(tools.command('export'))
    .description('Print all tools for use elsewhere.')
    .addOption(new Option('--format <format>', 'how').choices(['json', 'openai', 'markdown']).default('json'))
    .action(async (options) => (await load()).exportTools(options, context));
}

function toWait(text: string): number {
  const seconds = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (seconds < 1 || seconds > 240) throw new InvalidArgumentError('Seconds, from 1 to 240.');
  return seconds;
}

function addTokens(program: Command, context: Context): void {
  const load = () => import('./commands/token.ts');
  // What follows a subcommand is the subcommand's: both have --config.
  const token = withAdmin(program.command('token').enablePositionalOptions())
    .summary('make, list and revoke tokens')
    .description('Talks to the running gateway over its admin socket, which only you can open.')
    .option('--admin', 'make a token for the admin API, shown once')
    .addHelpText(
      'after',
      examples('sallyport token create --name ci --scope posts:read --expires 30d', 'sallyport token --admin'),
    )
    .action(async (options) => (await load()).tokenRoot(options, context, () => token.help()));
  withAdmin(token.command('create'))
    .description('Make a token. It is shown once and stored only as a hash.')
    .requiredOption('--name <name>', 'the account it belongs to; made when there is none of that name')
    .option('--scope <scope...>', 'what it may do, such as posts:read; * is every tool scope')
    .option('--expires <duration>', 'its life, such as 12h or 30d', '30d')
    .addOption(new Option('--kind <kind>', 'whose it is').choices(['agent', 'person', 'service']).default('agent'))
    .option('--label <text>', 'to tell several tokens of an account apart')
    .action(async (options) => (await load()).createToken(options, context));
  withAdmin(token.command('list'))
    .description('List tokens, without their secrets.')
    .action(async (options) => (await load()).listTokens(options, context));
  withAdmin(token.command('revoke'))
    .description('End a token; the next call with it is refused, on open connections too.')
    .argument('[id]', 'as `token list` shows it')
    .option('--issuer <name>', 'instead: tokens of this issuer of the configuration')
    .option('--jti <id>', 'the one of this id')
    .option('--subject <subject>', 'all that this subject has been given until now, named as in the audit log')
    .option('--client <client>', 'all that this client has been given until now')
    .option('--session <session>', 'all of this session')
    .option('--all', 'all that were issued until now')
    .action(async (id, options) => (await import('./commands/revocation.ts')).revoke({ ...options, id }, context));
  withAdmin(token.command('revocations'))
    .description('List what was revoked of tokens of issuers.')
    .action(async (options) => (await import('./commands/revocation.ts')).listRevocations(options, context));
  withAdmin(token.command('rotate'))
    .description('Make a token like this one, and let the old one live on for a while.')
    .argument('<id>', 'as `token list` shows it')
    .option('--overlap <duration>', 'how long the old one stays good', '1h')
    .action(async (id, options) => (await load()).rotateToken(id, options, context));
}

function addCredentials(program: Command, context: Context): void {
  const load = () => import('./commands/credential.ts');
  const credential = program
    .command('credential')
    .summary('connect services that want consent, list and revoke what was granted')
    .description('What users, and you for the gateway itself, granted to the gateway at services that speak OAuth.');
  withAdmin(credential.command('connect'))
    .description('Give the consent that the gateway itself needs at a service; prints the page to open.')
    .argument('<service>', 'its name in the configuration')
    .action(async (service, options) => (await load()).connectCredential(service, options, context));
  withAdmin(credential.command('list'))
    .description('List what was granted, without the tokens.')
    .action(async (options) => (await load()).listCredentials(options, context));
  withAdmin(credential.command('revoke'))
    .description('Forget what was granted at a service, and tell its authorization server.')
    .argument('<service>', 'its name in the configuration')
    .option('--subject <subject>', 'only what this user granted')
    .option('--gateway', 'only what was granted to the gateway itself')
    .addHelpText('after', examples('sallyport credential revoke tickets --subject alice'))
    .action(async (service, options) => (await load()).revokeCredential(service, options, context));
}

function withConfig(command: Command): Command {
  return command.option('-c, --config <file>', 'configuration file (default: $SALLYPORT_CONFIG or sallyport.yaml)');
}

function withUrl(command: Command): Command {
  return command.option('--url <url>', 'the gateway (default: $SALLYPORT_URL)').option('--json', 'print JSON');
}

function withAdmin(command: Command): Command {
  return withConfig(command)
    .option('--data <folder>', 'the data folder, if `run` was given another than the configuration names')
    .option('--json', 'print JSON');
}

function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  $ ${line}`).join('\n')}`;
}

function toPort(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535) throw new InvalidArgumentError('A port is a number from 0 to 65535.');
  return port;
}

function toCount(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError('A number from 1 to 999999.');
  return Number(text);
}
