import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { z } from 'zod';

const ready = z.object({ event: z.literal('ready'), mcp: z.url(), token: z.string() });

/** The blog, running behind its gateway on free ports and fresh data. */
export interface Blog {
  readonly mcpUrl: string;
  /** Runs a `sallyport` command against it and returns what it printed. Rejects when the command fails. */
  sallyport(...args: readonly string[]): Promise<string>;
  /** Ends it and removes its data. */
  close(): Promise<void>;
}

const entry = fileURLToPath(import.meta.resolve('@sallyport/cli'));
const main = join(dirname(entry), entry.endsWith('.ts') ? 'main.ts' : 'main.js');
const nodeArgs = [...(entry.endsWith('.ts') ? ['--conditions=sallyport-source'] : []), main];
const config = fileURLToPath(new URL('../sallyport.yaml', import.meta.url));
const execute = promisify(execFile);

/** Starts `sallyport run` as anybody would, and waits until everything answers. */
export async function startBlog(): Promise<Blog> {
  const data = mkdtempSync(join(tmpdir(), 'sallyport-blog-'));
  const gatewayData = join(data, 'data');
  const options = ['--config', config, '--data', gatewayData];
  const args = [...nodeArgs, 'run', ...options, '--port', '0', '--admin-port', '0', '--no-watch', '--json'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const close = async () => {
    await ended(child);
    rmSync(data, { recursive: true, force: true });
  };
  try {
    const { mcp } = await untilReady(child);
    return {
      mcpUrl: mcp,
      sallyport: async (...words) => (await execute(process.execPath, [...nodeArgs, ...words, ...options])).stdout,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function untilReady(child: ChildProcess): Promise<z.infer<typeof ready>> {
  return new Promise((resolve, reject) => {
    const said: string[] = [];
    if (child.stdout === null || child.stderr === null) throw new Error('the child has no pipes');
    createInterface({ input: child.stderr }).on('line', (line) => said.push(line));
    createInterface({ input: child.stdout }).on('line', (line) => resolve(ready.parse(JSON.parse(line))));
    child.once('error', reject);
    child.once('close', () => reject(new Error(`the blog did not come up:\n${said.slice(-20).join('\n')}`)));
  });
}

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once('close', () => resolve());
    child.kill('SIGTERM');
  });
}
