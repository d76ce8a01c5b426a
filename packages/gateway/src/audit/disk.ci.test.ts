import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Durability } from './durability.ts';
import { startChild } from './kill.fuzz.ts';
import { logFolder } from './record.fuzz.ts';

/** One system call as strace saw it: where it began and ended among all of them. */
interface Syscall {
  readonly name: string;
  readonly text: string;
  readonly began: number;
  ended: number;
}

const canTrace = (() => {
  try {
    execFileSync('strace', ['-e', 'trace=none', 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

/** Lets a process write a log for a while, and tells what it asked of the operating system, in order. */
async function syscallsOf(durability: Durability): Promise<Syscall[]> {
  const place = logFolder();
  const trace = `${place.path}.trace`;
  const only = 'trace=pwrite64,fdatasync,fsync,write';
  const command = ['strace', '-f', '-y', '-s', '65536', '-e', only, '-o', trace];
  const { child, closed, acknowledged } = startChild({
    path: place.path,
    key: randomBytes(32).toString('hex'),
    command,
    durability,
  });
  while (acknowledged().length < 200) await delay(20);
  child.stdin?.end();
  await closed;
  const calls = parse(readFileSync(trace, 'latin1'));
  place.remove();
  return calls;
}

function parse(trace: string): Syscall[] {
  const calls: Syscall[] = [];
  const open = new Map<string, Syscall>();
  for (const [at, line] of trace.split('\n').entries()) {
    const [, thread = '', rest = ''] = /^(\d+)\s+(.*)$/.exec(line) ?? [];
    const resumed = /^<\.\.\. (\w+) resumed>/.exec(rest);
    const begun = /^(\w+)\(/.exec(rest);
    if (resumed) {
      const call = open.get(thread);
      if (call) call.ended = at;
    } else if (begun) {
      const call = { name: begun[1] ?? '', text: rest, began: at, ended: at };
      if (rest.endsWith('<unfinished ...>')) open.set(thread, call);
      calls.push(call);
    }
  }
  return calls;
}

/** Of the records whose bytes were seen on their way to the file: how many were synced before they were acknowledged. */
function synced(calls: readonly Syscall[]): { seen: number; syncedFirst: number } {
  const writes = calls.filter(({ name, text }) => name === 'pwrite64' && text.includes('audit.db-wal'));
  const syncs = calls.filter(({ name, text }) => name === 'fdatasync' && text.includes('audit.db-wal'));
  let seen = 0;
  let syncedFirst = 0;
  for (const said of calls) {
    const [, id] = /"ok ([0-9a-f-]{36})/.exec(said.name === 'write' ? said.text : '') ?? [];
    const written = id && writes.find(({ text }) => text.includes(id));
    if (!written) continue;
    seen++;
    if (syncs.some(({ began, ended }) => began > written.ended && ended < said.began)) syncedFirst++;
  }
  return { seen, syncedFirst };
}

describe.skipIf(!canTrace)('as strace sees it, a record', () => {
  it('for the disk is synced before it is acknowledged, every time', async () => {
    const { seen, syncedFirst } = synced(await syscallsOf('disk'));
    expect(seen).toBeGreaterThan(100);
    expect(syncedFirst).toBe(seen);
  });

  it('for the process is written, and mostly not synced, before it is acknowledged', async () => {
    const { seen, syncedFirst } = synced(await syscallsOf('process'));
    expect(seen).toBeGreaterThan(100);
    expect(syncedFirst).toBeLessThan(seen);
  });
});
