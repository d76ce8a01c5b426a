import { type DestinationStream, type Logger, pino } from 'pino';
import { formatLine } from './pretty.ts';

/** How to log. */
export interface LogOptions {
  readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';
  /** Lines for people, in colour, instead of NDJSON. See `wantsColour`. */
  readonly pretty?: boolean;
  /** Where lines go; standard error when absent. Standard output belongs to MCP. */
  readonly destination?: DestinationStream;
  /** In every line. */
  readonly bindings?: Readonly<Record<string, string>>;
}

/** Words under which secrets travel. Masked at the top of a line and one and two levels down. */
const secretKeys = [
  'authorization',
  'cookie',
  'token',
  'secret',
  'password',
  'passphrase',
  'key',
  'pepper',
  'masterKey',
  'credential',
  'psk',
  'proof',
  'arguments',
  'argumentsText',
  'presented',
] as const;

const redactedPaths = secretKeys.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]);

/**
 * The program's logger. Synchronous: a line that was logged before a crash is there after it. What sits under a known
 * secret name is never written; that is the second line of defence, not the first.
 */
export function createLogger({ level, pretty = false, destination, bindings }: LogOptions): Logger {
  const out = destination ?? pino.destination({ fd: 2, sync: true });
  const stream = pretty ? { write: (line: string) => out.write(formatLine(line)) } : out;
  return pino(
    {
      level,
      base: bindings ?? null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: [...redactedPaths], censor: '[secret]' },
      serializers: { err: pino.stdSerializers.errWithCause, error: pino.stdSerializers.errWithCause },
    },
    stream,
  );
}

/**
 * A logger that puts these ids in each of its lines, so that the lines of one call can be found by what its caller was
 * told (`mcp-trace-id`), by its audit record and by its trace.
 */
export function logFor(log: Logger, ids: { readonly callId: string; readonly traceId: string }): Logger {
  return log.child({ callId: ids.callId, traceId: ids.traceId });
}

/** Whether people are watching: a terminal, and nobody asked for no colour (https://no-color.org). */
export function wantsColour(
  stream: { readonly isTTY?: boolean },
  env: Readonly<Record<string, string | undefined>>,
): boolean {
  return stream.isTTY === true && (env.NO_COLOR ?? '') === '' && env.TERM !== 'dumb';
}
