import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openState } from '../store/state.ts';

let folder: string;
let key: string;
let running: ChildProcess | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-killed-'));
  key = randomBytes(32).toString('hex');
  writeFileSync(join(folder, 'ledger'), '');
});
afterEach(async () => {
  await kill();
  rmSync(folder, { recursive: true, force: true });
});

const path = () => join(folder, 'state.db');
const left = () => readFileSync(join(folder, 'ledger'), 'utf8').split('\n').slice(0, -1);

/** Starts with call `first`; `said` is what the process has said so far. */
function start(first: number, how: 'fresh' | 'resumed', hangs = '') {
  const script = fileURLToPath(new URL('./approvals-caller.fuzz.ts', import.meta.url));
  const words = [script, path(), join(folder, 'ledger'), key, String(first), how, hangs];
  const child = spawn(process.execPath, ['--conditions=sallyport-source', ...words], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  running = child;
  let text = '';
  child.stdout.on('data', (chunk) => {
    text += chunk;
  });
  const said = () => text.split('\n').slice(0, -1);
  const hears = (line: string) => expect.poll(said).toContain(line);
  return { said, hears };
}

async function kill(): Promise<void> {
  const child = running;
  running = undefined;
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'close');
  child.kill('SIGKILL');
  await ended;
}

async function states(): Promise<readonly string[]> {
  const state = await openState({ path: path(), nowMs: Date.now });
  const all = await state.approvals.list({ limit: 1_000 });
  await state.close();
  return all.map((one) => one.state);
}

test('a call whose gateway is killed between the approval and the first byte does not run, and asks anew', async () => {
  await start(1, 'fresh', 'before').hears('reserved 1');
  await kill();
  expect(left()).toEqual([]);
  expect(await states()).toEqual(['reserved']);
  // Another process, with the same call: nobody approves it a second time.
  await start(1, 'resumed').hears('done 1: suspended');
  await kill();
  expect(left()).not.toContain('1');
  expect(await states()).toContain('reserved');
}, 60_000);

test('a call whose gateway is killed after the first byte does not run again', async () => {
  await start(1, 'fresh', 'after').hears('reserved 1');
  await expect.poll(left).toEqual(['1']);
  await kill();
  await start(1, 'resumed').hears('done 1: suspended');
  await kill();
  expect(left().filter((n) => n === '1')).toHaveLength(1);
}, 60_000);

test('of calls whose gateway is killed at any time, again and again, none runs twice', async () => {
  let next = 1;
  for (let round = 0; round < 25; round++) {
    const { said } = start(next, 'resumed');
    await expect.poll(() => said().some((line) => line.startsWith('done'))).toBe(true);
    await delay(Math.random() * 60);
    await kill();
    // The one that was in flight is made again by the next process.
    next += said().filter((line) => line.startsWith('done')).length;
  }
  const all = left();
  expect(all.length).toBeGreaterThan(25);
  expect(all.length - new Set(all).size).toBe(0);
}, 120_000);
