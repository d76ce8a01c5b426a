import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { CliError } from './exit.ts';
import { askPassword } from './terminal/ask-password.ts';
import type { Sink } from './terminal/screen.ts';
import { createStyle, printableJson, type Style } from './terminal/style.ts';

/** The process as a command sees it: the one place where its globals are taken in. */
export interface Context {
  readonly stdout: Sink;
  readonly stderr: Sink;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** For what goes to stdout, and to stderr. */
  readonly style: Style;
  readonly errorStyle: Style;
  /** The text of standard input, whole. */
  readStdin(): Promise<string>;
  /** A new password: asked for at a terminal, else the first line of standard input. */
  readPassword(question: string): Promise<string>;
  /**
   * Resolves with its name when the process is asked to end, until the signal fires. Asked again, a while later, the
   * process ends at once.
   */
  untilStopped(signal: AbortSignal): Promise<NodeJS.Signals>;
}

/** The context of this very process. */
export function processContext(): Context {
  const { stdout, stderr, env } = process;
  return {
    stdout,
    stderr,
    env,
    cwd: process.cwd(),
    style: createStyle({ isTty: stdout.isTTY === true, env }),
    errorStyle: createStyle({ isTty: stderr.isTTY === true, env }),
    readStdin,
    readPassword: async (question) => {
      if (process.stdin.isTTY !== true) return firstLine(await readStdin());
      return askPassword(question, { input: process.stdin, write: (text) => void stderr.write(text) });
    },
    untilStopped,
  };
}

async function readStdin(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString('utf8');
}

function firstLine(text: string): string {
  return text.split(/\r?\n/, 1)[0] ?? '';
}

const impatientAfterMs = 500;

function untilStopped(signal: AbortSignal): Promise<NodeJS.Signals> {
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  let askedAtMs: number | undefined;
  return new Promise((resolve) => {
    const stop = (name: NodeJS.Signals) => {
      const nowMs = performance.now();
      askedAtMs ??= nowMs;
      // A terminal and a program in between may both pass on the same Ctrl-C.
      if (nowMs - askedAtMs > impatientAfterMs) process.exit(130);
      resolve(name);
    };
    for (const name of names) process.on(name, stop);
    const remove = () => {
      for (const name of names) process.off(name, stop);
    };
    signal.addEventListener('abort', remove, { once: true });
  });
}

/** Prints a result on stdout, one line of JSON. */
export function printJson(context: Context, value: unknown): void {
  context.stdout.write(`${printableJson(value)}\n`);
}

/** Prints a result on stdout. */
export function print(context: Context, text: string): void {
  context.stdout.write(`${text}\n`);
}

/** Says something to the person at the terminal, on stderr, so that piping the result stays possible. */
export function say(context: Context, text: string): void {
  context.stderr.write(`${text}\n`);
}

/**
 * The configuration file to use: the option, else `SALLYPORT_CONFIG`, else `sallyport.yaml` here.
 *
 * @throws CliError `usage` when there is none.
 */
export function configPath(context: Context, option: string | undefined): string {
  const path = resolve(context.cwd, option ?? context.env.SALLYPORT_CONFIG ?? 'sallyport.yaml');
  if (existsSync(path)) return path;
  throw new CliError('usage', `There is no configuration at ${path}.`, {
    hint: 'Go to its folder or name it with --config. `sallyport new <name>` makes a service with one.',
  });
}
