import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const folder = import.meta.dirname;
const mark = join(folder, 'node_modules/.installed');

/** The main file of a server, for Node to run. */
export function peerFile(name: string): string {
  return join(folder, 'node_modules/@modelcontextprotocol', name, 'dist/index.js');
}

/**
 * Installs the servers of the lockfile, without running any script of theirs.
 *
 * @returns why they are not there, or `undefined` when they are.
 */
export async function installPeers(): Promise<string | undefined> {
  const wanted = createHash('sha256')
    .update(readFileSync(join(folder, 'package-lock.json')))
    .digest('hex');
  if (existsSync(mark) && readFileSync(mark, 'utf8') === wanted) return undefined;
  try {
    const words = [
      'ci',
      '--ignore-scripts',
      '--no-audit',
      '--no-fund',
      '--fetch-retries=1',
      '--fetch-retry-mintimeout=1000',
    ];
    await promisify(execFile)('npm', words, { cwd: folder, timeout: 120_000 });
  } catch (error) {
    const [line = ''] = String((error as { readonly stderr?: string }).stderr ?? error).match(/npm error .*/g) ?? [];
    return `the packages cannot be installed: ${line}`;
  }
  writeFileSync(mark, wanted);
  return undefined;
}
