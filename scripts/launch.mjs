import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { bootstrap, root } from './bootstrap.mjs';

/** Resolves workspace packages to their sources: nothing has to be built to run from a checkout. */
export const fromSource = '--conditions=sallyport-source';

/**
 * Runs a program of this repository under the right Node in place of this process: same terminal, same signals, same
 * exit code.
 *
 * @param {'runtime' | 'full'} mode what has to be installed for it
 * @param {readonly string[]} args for node
 */
export async function launch(mode, args) {
  try {
    const { node, env } = await bootstrap(mode);
    // From the folder the user is in, so that relative paths mean what they say.
    // Node 22 calls its SQLite experimental at every start; what we use of it is tested there.
    const flags = [fromSource, '--disable-warning=ExperimentalWarning'];
    process.exitCode = await follow(spawn(node, [...flags, ...args], { env, stdio: 'inherit' }));
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}

/** Passes signals on to a child until it ends; resolves with the exit code a shell would report for it. */
export function follow(child) {
  const forward = (signal) => {
    // A terminal sends Ctrl-C to the child as well; a second one would cut its clean ending short.
    if (signal === 'SIGINT' && process.stdin.isTTY) return;
    child.kill(signal);
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const signal of signals) process.on(signal, forward);
  // npm that is told to end ends its shell and not what runs in it: a parent that is gone says the same as a signal.
  const parent = process.ppid;
  const orphaned = setInterval(() => {
    if (process.ppid !== parent) child.kill('SIGTERM');
  }, 250);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearInterval(orphaned);
      for (const each of signals) process.off(each, forward);
      resolve(code ?? 128 + (constants.signals[signal] ?? 0));
    });
  });
}

/** A path in this repository. */
export function inRoot(path) {
  return `${root}/${path}`;
}
