// `npm run check`: everything that can be said about the code without running it, fastest first.
import { spawn } from 'node:child_process';
import { bootstrap } from './bootstrap.mjs';
import { follow, inRoot } from './launch.mjs';

const steps = [
  ['layers', 'scripts/layers.ts'],
  ['budgets', 'scripts/budgets.ts'],
  ['format and lint', 'node_modules/@biomejs/biome/bin/biome', 'check', '--diagnostic-level=warn'],
  ['types, package by package', 'node_modules/typescript/bin/tsc', '-b', 'tsconfig.packages.json'],
  ['types, everything', 'node_modules/typescript/bin/tsc', '-p', 'tsconfig.json'],
];

try {
  const { node, env } = await bootstrap('full');
  const failed = [];
  for (const [name, program, ...args] of steps) {
    const child = spawn(node, [inRoot(program), ...args], { cwd: inRoot('.'), env, stdio: 'inherit' });
    const ok = (await follow(child)) === 0;
    process.stdout.write(`${ok ? 'ok' : 'FAILED'}  ${name}\n`);
    if (!ok) failed.push(name);
  }
  if (failed.length > 0) throw new Error(`check failed: ${failed.join('; ')}`);
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
