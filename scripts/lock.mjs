import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const oldestMs = 15 * 60_000;

/**
 * Runs `body` while no other process on this folder does. A holder that died, or is older than fifteen minutes, is
 * replaced.
 *
 * @param {string} folder where the lock lives; is created
 * @param {() => Promise<void>} body
 */
export async function locked(folder, body) {
  mkdirSync(folder, { recursive: true });
  const lock = join(folder, 'lock');
  const me = JSON.stringify({ pid: process.pid, host: hostname(), at: Date.now() });
  const mine = join(folder, `lock.${process.pid}`);
  rmSync(mine, { recursive: true, force: true });
  mkdirSync(mine);
  writeFileSync(join(mine, 'owner.json'), me);
  let told = false;
  // A folder can be renamed onto an empty one only: whoever succeeds holds the lock, its owner already written in it.
  while (!tryRename(mine, lock)) {
    if (!told) process.stderr.write('Another process is installing; waiting for it.\n');
    told = true;
    breakStale(folder, lock);
    await sleep(200);
  }
  try {
    await body();
  } finally {
    discard(folder, lock);
  }
}

function tryRename(from, to) {
  try {
    renameSync(from, to);
    return true;
  } catch (error) {
    if (['ENOTEMPTY', 'EEXIST', 'EPERM'].includes(error.code)) return false;
    throw error;
  }
}

/** Only one process at a time may look and break, so that a lock taken in between is never broken. */
function breakStale(folder, lock) {
  const breaker = join(folder, 'lock.breaker');
  try {
    mkdirSync(breaker);
  } catch {
    try {
      if (Date.now() - statSync(breaker).mtimeMs > 30_000) rmSync(breaker, { recursive: true, force: true });
    } catch {
      // Its holder was faster.
    }
    return;
  }
  try {
    if (isStale(lock)) discard(folder, lock);
  } finally {
    rmSync(breaker, { recursive: true, force: true });
  }
}

function isStale(lock) {
  let owner;
  try {
    owner = JSON.parse(readFileSync(join(lock, 'owner.json'), 'utf8'));
  } catch {
    return false;
  }
  if (Date.now() - owner.at > oldestMs) return true;
  return owner.host === hostname() && !isAlive(owner.pid);
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Moved away first: removing in place would leave an empty folder for a moment, which another may already have taken. */
function discard(folder, lock) {
  const away = join(folder, `lock.gone.${process.pid}.${Date.now()}`);
  try {
    renameSync(lock, away);
  } catch {
    return;
  }
  rmSync(away, { recursive: true, force: true });
}
