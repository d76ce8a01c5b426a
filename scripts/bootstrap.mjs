// Runs under old Nodes and before anything is installed: plain JavaScript, no dependencies.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { locked } from './lock.mjs';
import { fetchNode, findNode } from './node-runtime.mjs';

/** The folder of this checkout. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));
const tools = join(root, '.tools');

/**
 * Makes sure that a new enough Node and the dependencies are there, and says which Node to run, in which environment.
 * `runtime` is what running needs, `full` what developing needs. Instant when nothing is missing; safe to run several
 * times at once. Speaks on standard error only.
 *
 * @param {'runtime' | 'full'} mode
 * @returns {Promise<{ node: string, env: NodeJS.ProcessEnv }>}
 */
export async function bootstrap(mode) {
  if (findNode(tools) === undefined || !isInstalled(mode)) {
    await locked(tools, async () => {
      const node = findNode(tools) ?? fetchNode(tools);
      if (!isInstalled(mode)) install(mode, environment(node));
    });
  }
  const node = findNode(tools);
  return { node, env: environment(node) };
}

function environment(node) {
  return { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH ?? ''}` };
}

/**
 * npm writes what it installed to `node_modules/.package-lock.json` when it has finished. Whatever the lockfile asks for
 * in this mode must be there, at that version; a full installation serves both modes.
 */
function isInstalled(mode) {
  const wanted = readPackages('package-lock.json');
  const present = readPackages('node_modules/.package-lock.json');
  return Object.entries(wanted).every(([path, entry]) => {
    if (!path.startsWith('node_modules/') || entry.optional || entry.devOptional) return true;
    if (mode === 'runtime' && entry.dev) return true;
    return present[path]?.version === entry.version && present[path]?.integrity === entry.integrity;
  });
}

function readPackages(file) {
  try {
    return JSON.parse(readFileSync(join(root, file), 'utf8')).packages ?? {};
  } catch {
    return {};
  }
}

/**
 * `npm install` on the lockfile rather than `npm ci`: it adds what is missing and leaves the rest alone, so that a gateway
 * started from this checkout survives its tests being installed. What came out is compared with the lockfile.
 */
function install(mode, env) {
  process.stderr.write(`Installing dependencies (${mode === 'full' ? 'for development' : 'for running'}) …\n`);
  const quiet = ['--no-audit', '--no-fund', '--loglevel=error'];
  const only = mode === 'full' ? ['--include=dev'] : ['--omit=dev'];
  const args = ['install', '--no-save', '--ignore-scripts', ...quiet, ...only];
  const { status, error } = spawnSync('npm', args, { cwd: root, env, stdio: ['ignore', 2, 2] });
  if (error) throw new Error(`npm could not be started: ${error.message}`);
  if (status !== 0) throw new Error(`npm install failed (exit code ${status}); see above`);
  if (!isInstalled(mode)) throw new Error('npm installed something else than package-lock.json asks for');
}
