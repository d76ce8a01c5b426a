import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** The Node that is fetched where the host's own is too old, and what its npm packages must hash to. */
const pinned = {
  version: '24.21.0',
  packages: {
    'linux-x64': 'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
    'linux-arm64': 'sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==',
  },
};

/** True for 24.9 and later: they run TypeScript sources as they are, and let a server choose which requests to upgrade. */
export function isNewEnough(version) {
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number);
  return (major === 24 && minor >= 9) || major > 24;
}

/** Where the Node to use is, or `undefined` if it has to be fetched first. */
export function findNode(tools) {
  if (isNewEnough(process.version)) return process.execPath;
  const node = pinnedNode(tools);
  return existsSync(node) ? node : undefined;
}

/**
 * Fetches the pinned Node through npm into the tools folder, and returns the path of its binary.
 *
 * @throws Error with advice where there is none for this platform, npm fails, or the package is not the pinned one.
 */
export function fetchNode(tools) {
  const platform = `${process.platform}-${process.arch}`;
  const integrity = pinned.packages[platform];
  if (integrity === undefined) {
    throw new Error(
      `Sallyport needs Node 24.9 or newer; this is ${process.version}, and there is no pinned Node for ${platform}. ` +
        'Install a newer one from https://nodejs.org and run this again.',
    );
  }
  process.stderr.write(`Node ${process.version} is too old; fetching Node ${pinned.version} for ${platform} …\n`);
  mkdirSync(tools, { recursive: true });
  const work = mkdtempSync(join(tools, 'fetch-'));
  try {
    run('npm', ['pack', `node-${platform}@${pinned.version}`, '--pack-destination', work, '--silent'], { cwd: work });
    const archive = readdirSync(work).find((name) => name.endsWith('.tgz'));
    if (archive === undefined) throw new Error('npm pack left no package behind');
    verify(join(work, archive), integrity);
    run('tar', ['-xzf', archive, 'package/bin/node'], { cwd: work });
    run(join(work, 'package', 'bin', 'node'), ['--version'], { cwd: work });
    return install(join(work, 'package'), tools);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function pinnedNode(tools) {
  return join(tools, `node-${pinned.version}`, 'bin', 'node');
}

function verify(file, integrity) {
  const actual = `sha512-${createHash('sha512').update(readFileSync(file)).digest('base64')}`;
  if (actual !== integrity) throw new Error(`the Node package is not the pinned one: ${actual}, expected ${integrity}`);
}

/** One rename: a half-unpacked Node is never seen under its final name. */
function install(unpacked, tools) {
  const node = pinnedNode(tools);
  try {
    renameSync(unpacked, join(tools, `node-${pinned.version}`));
  } catch (error) {
    if (!existsSync(node)) throw error;
  }
  return node;
}

/** Standard output goes to standard error: what a start prints on stdout is for programs. */
function run(command, args, options) {
  const { status, error } = spawnSync(command, args, { ...options, stdio: ['ignore', 2, 2] });
  if (error) throw new Error(`${command} could not be started: ${error.message}`);
  if (status !== 0) throw new Error(`${command} ${args[0]} failed (exit code ${status})`);
}
