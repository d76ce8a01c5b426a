import { type Context, say } from './context.ts';
import { CliError, exitCodes, systemCode } from './exit.ts';

/**
 * Tells what went wrong on stderr, as text or as one line of JSON, and returns the exit code. Stack traces are for
 * developers of Sallyport: `DEBUG=sallyport` shows them.
 */
export function reportError(error: unknown, context: Context, json: boolean): number {
  const known = toCliError(error);
  if (json)
    say(
      context,
      JSON.stringify({ error: { kind: known.kind, message: known.message, hint: known.hint, ...known.facts } }),
    );
  else say(context, asText(known, context));
  if (context.env.DEBUG === 'sallyport') say(context, stackOf(error));
  return known.exitCode;
}

/** Anything thrown becomes an error with words for a person and an exit code. */
function toCliError(error: unknown): CliError {
  if (error instanceof CliError) return error;
  if (!(error instanceof Error)) return new CliError('failure', 'Something unexpected was thrown.');
  if (error.name === 'ConfigError') {
    return new CliError('usage', `The configuration cannot be used.\n\n${error.message}`, { cause: error });
  }
  return (
    fromSystem(error) ??
    fromStore(error) ??
    new CliError('failure', error.message, { hint: 'DEBUG=sallyport shows where.', cause: error })
  );
}

/** What is read here of a database that does not answer: why is for whoever runs it, and for nobody who calls. */
function fromStore(error: Error): CliError | undefined {
  if (!('reason' in error) || error.reason !== 'store_unavailable' || !(error.cause instanceof Error)) return undefined;
  const words = error.cause.message;
  return new CliError('unavailable', `${words.charAt(0).toUpperCase()}${words.slice(1)}.`, {
    hint: '`store` in the configuration says where it is.',
    cause: error,
  });
}

function fromSystem(error: Error): CliError | undefined {
  const address = 'address' in error ? `${error.address}:${'port' in error ? error.port : '?'}` : undefined;
  switch (systemCode(error)) {
    case 'EADDRINUSE':
      return new CliError('unavailable', `${address ?? 'The address'} is taken by another program.`, {
        hint: 'Stop it, or choose other ports: --port 0 --admin-port 0 takes any free ones.',
        cause: error,
      });
    case 'EACCES':
    case 'EPERM':
      return new CliError('failure', `Not permitted: ${error.message}`, { cause: error });
    case 'ECONNREFUSED':
      return new CliError('unavailable', `Nothing listens at ${address ?? 'that address'}.`, { cause: error });
    default:
      return undefined;
  }
}

function asText(error: CliError, { errorStyle: style }: Context): string {
  const first = `${style.red('✗')} ${error.message}`;
  return error.hint === undefined ? first : `${first}\n${style.dim(indent(error.hint))}`;
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, '  ');
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own = error.stack ?? error.message;
  return error.cause === undefined ? own : `${own}\ncaused by ${stackOf(error.cause)}`;
}

/** The exit codes, for `--help`. */
export const exitCodeHelp = `Exit codes:
  ${exitCodes.ok}  done
  ${exitCodes.failure}  failed
  ${exitCodes.usage}  wrong use: the command line or the configuration
  ${exitCodes.refused}  the gateway refused: token, scope, limit, policy
  ${exitCodes.unavailable}  not reachable: gateway, service or port`;
