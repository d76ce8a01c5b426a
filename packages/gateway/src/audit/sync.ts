import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Resolves when everything that was committed before it was called is on the disk. */
export type Sync = () => Promise<void>;

/**
 * Syncs the write-ahead log of a database; SQLite itself syncs what it moves from there. One sync is under way at a time, and
 * all who ask meanwhile share the next one: that is what makes it affordable.
 */
export function createSync(path: string): Sync {
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  const begin = (): Promise<void> => {
    next = undefined;
    running = syncWal(`${path}-wal`).finally(() => {
      running = undefined;
    });
    return running;
  };
  return () => {
    if (running === undefined) return begin();
    next ??= running.then(begin, begin);
    return next;
  };
}

async function syncWal(file: string): Promise<void> {
  // There is none when nothing was written since the log was closed in order.
  if (!existsSync(file)) return;
  await syncFile(file, 'r+');
}

/** Makes sure that the names in a file's folder are on the disk, too. */
export async function syncFolder(path: string): Promise<void> {
  await syncFile(dirname(path), 'r');
}

async function syncFile(file: string, mode: 'r' | 'r+'): Promise<void> {
  const handle = await open(file, mode);
  try {
    await handle.datasync();
  } finally {
    await handle.close();
  }
}
