import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Context } from './context.ts';
import { runCli } from './program.ts';
import { createStyle } from './terminal/style.ts';

const source = import.meta.dirname;
const repository = join(source, '../../..');

/** A fresh folder. Its name is short: Unix sockets in it must stay under 104 bytes. */
export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'sp-'));
}

/** Puts the packages of this repository where a service of one's own would have them installed. */
export function linkPackages(folder: string): void {
  const modules = join(folder, 'node_modules');
  mkdirSync(join(modules, '@sallyport'), { recursive: true });
  symlinkSync(dirname(createRequire(import.meta.url).resolve('zod/package.json')), join(modules, 'zod'));
  for (const name of ['kit', 'cli']) symlinkSync(join(repository, 'packages', name), join(modules, '@sallyport', name));
}

/** A kit service in one file; `body` adds tools to `s`. */
export function serviceSource(name: string, body = ''): string {
  return `
import { service } from '@sallyport/kit';
import { z } from 'zod';
import { writeFileSync } from 'node:fs';
const s = service('${name}', { version: '1.0.0' });
s.tool('Thing.Ping', { description: 'Answers.', scopes: ['${name}:read'], sideEffect: 'read',
  input: z.object({}), output: z.object({ pid: z.int() }) }, () => ({ pid: process.pid }));
${body}
await s.listen();
`;
}

/** Writes a project: `sallyport.yaml` with these services, and each one's source in a file of its name. */
export function writeProject(folder: string, services: Readonly<Record<string, string>>, yaml = ''): void {
  linkPackages(folder);
  const entries = Object.keys(services).map(
    (name) => `  ${name}: { command: [node, ${name}.ts], watch: [${name}.ts] }`,
  );
  writeFileSync(join(folder, 'sallyport.yaml'), `version: 1\nservices:\n${entries.join('\n')}\n${yaml}`);
  for (const [name, text] of Object.entries(services)) writeFileSync(join(folder, `${name}.ts`), text);
}

/** The one line of `run --json`. */
export interface ReadyEvent {
  readonly event: string;
  readonly mcp: string;
  readonly admin: string;
  readonly token: string;
  readonly services: readonly { readonly name: string; readonly instances: number }[];
}

/** `sallyport` in a process of its own. */
export interface CliProcess {
  readonly child: ChildProcessWithoutNullStreams;
  /** Everything it printed so far. */
  stdout(): string;
  stderr(): string;
  /** Resolves with the first line of stdout; rejects with what it said on stderr if it ends before. */
  ready(): Promise<ReadyEvent>;
  /** Resolves with its exit code. */
  ended(): Promise<number | null>;
}

/** Starts `sallyport` with these words. The environment is ours, and what is given. */
export function startCli(args: readonly string[], options: { cwd: string; env?: Record<string, string> }): CliProcess {
  const words = ['--conditions=sallyport-source', join(source, 'main.ts'), ...args];
  const child = spawn(process.execPath, words, { cwd: options.cwd, env: { ...process.env, ...options.env } });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk) => {
    out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    err += chunk;
  });
  const closed = once(child, 'close').then(([code]) => code as number | null);
  return {
    child,
    stdout: () => out,
    stderr: () => err,
    ended: () => closed,
    ready: async () => {
      for (;;) {
        if (out.includes('\n')) return JSON.parse(out.slice(0, out.indexOf('\n')));
        const ended = await Promise.race([closed.then(() => true), once(child.stdout, 'data').then(() => false)]);
        if (ended && !out.includes('\n')) throw new Error(`it ended before it was ready:\n${err}`);
      }
    },
  };
}

/** What a command line came to. */
export interface CliResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs `sallyport` in this process, on a captured terminal without colours. */
export async function cli(
  args: readonly string[],
  { cwd = tmpdir(), env = {}, stdin = '' }: { cwd?: string; env?: Record<string, string>; stdin?: string } = {},
): Promise<CliResult> {
  let [out, err] = ['', ''];
  const style = createStyle({ isTty: false, env: {} });
  const context: Context = {
    stdout: {
      write: (text) => {
        out += text;
      },
    },
    stderr: {
      write: (text) => {
        err += text;
      },
    },
    env,
    cwd,
    style,
    errorStyle: style,
    readStdin: async () => stdin,
    readPassword: async () => stdin.split('\n', 1)[0] ?? '',
    untilStopped: () => new Promise(() => undefined),
  };
  const code = await runCli(args, context);
  return { code, out, err };
}

/** Whether a process is there. */
export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
