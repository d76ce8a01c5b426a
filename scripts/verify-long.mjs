// `npm run verify:long [-- name …]`: the tests that take minutes to hours, one by one, each with a dated result file.
import { spawn } from 'node:child_process';
import { createWriteStream, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { finished } from 'node:stream/promises';
import { bootstrap } from './bootstrap.mjs';
import { follow, fromSource, inRoot } from './launch.mjs';

const wanted = process.argv.slice(2);
const folder = inRoot('test/long');
const files = (existsSync(folder) ? readdirSync(folder) : [])
  .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
  .filter((name) => wanted.length === 0 || wanted.includes(name.replace(/\.ts$/, '')))
  .sort();

try {
  const runtime = await bootstrap('full');
  let failed = 0;
  for (const name of files) {
    if (!(await runOne(runtime, name))) failed++;
  }
  process.stdout.write(`${files.length - failed} passed, ${failed} failed\n`);
  process.exitCode = failed === 0 && (files.length > 0 || wanted.length === 0) ? 0 : 1;
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}

async function runOne({ node, env }, name) {
  mkdirSync(inRoot('out/long'), { recursive: true });
  const started = new Date();
  const result = inRoot(`out/long/${started.toISOString().replaceAll(':', '-')}-${name.replace(/\.ts$/, '')}.txt`);
  const file = createWriteStream(result);
  const child = spawn(node, [fromSource, `${folder}/${name}`], {
    cwd: inRoot('.'),
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream.pipe(process.stdout, { end: false });
    stream.pipe(file, { end: false });
  }
  const code = await follow(child);
  const seconds = Math.round((Date.now() - started.getTime()) / 1000);
  const line = `${name}: ${code === 0 ? 'passed' : `failed (exit code ${code})`} after ${seconds} s\n`;
  process.stdout.write(line);
  file.end(line);
  await finished(file);
  return code === 0;
}
