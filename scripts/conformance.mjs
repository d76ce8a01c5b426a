// `npm run conformance`: the official MCP conformance suite, directly and through gateways.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { bootstrap } from './bootstrap.mjs';
import { follow, fromSource, inRoot } from './launch.mjs';
import { locked } from './lock.mjs';

const folder = inRoot('test/conformance');
const note = `${folder}/node_modules/.installed-lock`;
const flags = [fromSource, '--disable-warning=ExperimentalWarning'];

try {
  const { node, env } = await bootstrap('full');
  if (!isInstalled()) {
    await locked(inRoot('.tools/conformance'), async () => {
      if (!isInstalled()) install(env);
    });
  }
  checkTypes(node);
  const args = [...flags, `${folder}/run.ts`, ...process.argv.slice(2)];
  process.exitCode = await follow(spawn(node, args, { cwd: inRoot('.'), env, stdio: 'inherit' }));
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}

/** The rest of the repository is checked by `npm run check`, which does not see what is installed in the folder. */
function checkTypes(node) {
  const args = [inRoot('node_modules/typescript/bin/tsc'), '-p', folder, '--pretty', 'false'];
  const { stdout } = spawnSync(node, args, { cwd: inRoot('.'), encoding: 'utf8' });
  const found = stdout.split('\n').filter((line) => line.startsWith('test/conformance/'));
  if (found.length > 0) throw new Error(found.join('\n'));
}

/** The suite and the SDK of the fixture are no part of the workspace: they have a lockfile of their own. */
function isInstalled() {
  try {
    return readFileSync(note, 'utf8') === lockHash();
  } catch {
    return false;
  }
}

function lockHash() {
  return createHash('sha256')
    .update(readFileSync(`${folder}/package-lock.json`))
    .digest('hex');
}

function install(env) {
  process.stderr.write('Installing the conformance suite …\n');
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const { status, error } = spawnSync('npm', args, { cwd: folder, env, stdio: ['ignore', 2, 2] });
  if (error) throw new Error(`npm could not be started: ${error.message}`);
  if (status !== 0) throw new Error(`npm ci failed in ${folder} (exit code ${status}); see above`);
  writeFileSync(note, lockHash());
}
