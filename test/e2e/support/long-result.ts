import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repository } from './program.ts';

/** Prints what a long test found, writes it to `out/long/<name>-<day>.json`, and makes the process fail unless it is good. */
export function report(name: string, result: object, isGood: boolean): void {
  const all = { name, at: new Date().toISOString(), node: process.version, isGood, ...result };
  const folder = join(repository, 'out/long');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${name}-${all.at.slice(0, 10)}.json`), `${JSON.stringify(all, undefined, 2)}\n`);
  process.stdout.write(`${JSON.stringify(all)}\n`);
  process.exitCode = isGood ? 0 : 1;
}
