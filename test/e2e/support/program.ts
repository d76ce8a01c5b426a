import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The top of the repository. */
export const repository = join(import.meta.dirname, '../../..');

/** A program that runs, in a clean environment. */
export interface Program {
  readonly child: ChildProcessWithoutNullStreams;
  readonly pid: number;
  stdout(): string;
  stderr(): string;
  /** Resolves with the first line of stdout; rejects when there never is one. */
  firstLine(): Promise<string>;
  kill(signal?: NodeJS.Signals): void;
  /** Resolves with the exit code; `null` when a signal ended it. */
  readonly ended: Promise<number | null>;
}

const cleanups: (() => unknown)[] = [];

/** Undoes something at the end, latest first. */
export function atEnd(cleanup: () => unknown): void {
  cleanups.push(cleanup);
}

/** Ends all that was started and removes all folders. For `afterAll` or `afterEach`. */
export async function endAll(): Promise<void> {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
}

/** A fresh folder. Its name is short: sockets in it have to have short paths. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sp-'));
  atEnd(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

const { PATH, NODE_COMPILE_CACHE } = process.env;

/** Starts Node with these words; nothing of our environment but the search path and the folders for temporary files. */
export function startNode(
  words: readonly string[],
  { cwd = repository, env = {} }: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Program {
  const child = spawn(process.execPath, ['--conditions=sallyport-source', ...words], {
    cwd,
    env: { PATH, NODE_COMPILE_CACHE, HOME: tmpdir(), TMPDIR: tmpdir(), ...env },
  });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk) => {
    out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    err += chunk;
  });
  child.stdin.on('error', () => undefined);
  const ended = once(child, 'close').then(([code]) => code as number | null);
  const program: Program = {
    child,
    pid: child.pid ?? 0,
    stdout: () => out,
    stderr: () => err,
    ended,
    kill: (signal = 'SIGTERM') => void child.kill(signal),
    async firstLine() {
      const over = ended.then(() => 'over');
      while (!out.includes('\n')) {
        const what = await Promise.race([over, once(child.stdout, 'data')]);
        if (what === 'over' && !out.includes('\n')) throw new Error(`it ended without a word:\n${err}`);
      }
      return out.slice(0, out.indexOf('\n'));
    },
  };
  atEnd(() => stop(program));
  return program;
}

/** Asks to end, and insists after ten seconds. */
async function stop({ child, ended }: Program): Promise<void> {
  child.kill('SIGCONT');
  child.kill('SIGTERM');
  const insist = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await ended;
  clearTimeout(insist);
}

/** Whether a process is there. */
export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Waits for a moment. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Looks again and again until it is so. Generous: slow machines are slow. Resolves with the milliseconds it took. */
export async function until(check: () => unknown, what = 'it', boundMs = 20_000): Promise<number> {
  const startMs = performance.now();
  for (;;) {
    let last: unknown;
    try {
      if (await check()) return performance.now() - startMs;
    } catch (error) {
      last = error;
    }
    if (performance.now() - startMs > boundMs) throw new Error(`waited too long until ${what}`, { cause: last });
    await pause(10);
  }
}
