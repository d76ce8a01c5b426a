import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { z } from 'zod';

const ready = z.object({ event: z.literal('ready'), mcp: z.url(), admin: z.url(), token: z.string() });

/** What came of a command that need not succeed. */
export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** An example, running behind its gateway on free ports and fresh data. */
export interface Running {
  mcpUrl(): string;
  /** Where administrators with a token go. */
  adminUrl(): string;
  /** A folder of this story alone. */
  readonly folder: string;
  /** Runs a `sallyport` command against it, as its owner, and returns what it printed. Rejects when the command fails. */
  sallyport(...args: readonly string[]): Promise<string>;
  /** The same as somebody with a token for administration, over HTTP; whatever comes of it. */
  sallyportAs(token: string, ...args: readonly string[]): Promise<Ended>;
  /** Kills the gateway without a warning, and starts it again on the same data. */
  killAndRestart(): Promise<void>;
  /** Ends it and removes its data. */
  close(): Promise<void>;
}

const entry = fileURLToPath(import.meta.resolve('@sallyport/cli'));
const main = join(dirname(entry), entry.endsWith('.ts') ? 'main.ts' : 'main.js');
const nodeArgs = [...(entry.endsWith('.ts') ? ['--conditions=sallyport-source'] : []), main];
const execute = promisify(execFile);

/**
 * Starts `sallyport run` as anybody would, and waits until everything answers.
 *
 * @param configIn says which configuration to use, and may write it into the folder of the story.
 */
export async function startExample(
  configIn: (folder: string) => string,
  { watch = false }: { readonly watch?: boolean } = {},
): Promise<Running> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-story-'));
  const options = ['--config', configIn(folder), '--data', join(folder, 'data')];
  const free = ['--port', '0', '--admin-port', '0', '--json', ...(watch ? [] : ['--no-watch'])];
  const start = () =>
    spawn(process.execPath, [...nodeArgs, 'run', ...options, ...free], { stdio: ['ignore', 'pipe', 'pipe'] });
  let child = start();
  const close = async () => {
    await ended(child, 'SIGTERM');
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    let at = await untilReady(child);
    return {
      ...{ folder, close, mcpUrl: () => at.mcp, adminUrl: () => at.admin },
      sallyport: async (...words) => (await execute(process.execPath, [...nodeArgs, ...words, ...options])).stdout,
      sallyportAs: (token, ...words) =>
        run([...nodeArgs, ...words, '--url', at.admin], { SALLYPORT_ADMIN_TOKEN: token }),
      async killAndRestart() {
        await ended(child, 'SIGKILL');
        child = start();
        at = await untilReady(child);
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function run(words: readonly string[], env: Readonly<Record<string, string>>): Promise<Ended> {
  try {
    const { stdout, stderr } = await execute(process.execPath, [...words], { env: { ...process.env, ...env } });
    return { code: 0, out: stdout, err: stderr };
  } catch (error) {
    const failed = z.object({ code: z.int(), stdout: z.string(), stderr: z.string() }).parse(error);
    return { code: failed.code, out: failed.stdout, err: failed.stderr };
  }
}

function untilReady(child: ChildProcess): Promise<z.infer<typeof ready>> {
  return new Promise((resolve, reject) => {
    const said: string[] = [];
    if (child.stdout === null || child.stderr === null) throw new Error('the child has no pipes');
    createInterface({ input: child.stderr }).on('line', (line) => said.push(line));
    createInterface({ input: child.stdout }).on('line', (line) => resolve(ready.parse(JSON.parse(line))));
    child.once('error', reject);
    child.once('close', () => reject(new Error(`the example did not come up:\n${said.slice(-20).join('\n')}`)));
  });
}

function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once('close', () => resolve());
    child.kill(signal);
  });
}
