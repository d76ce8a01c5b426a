import { type FSWatcher, readdirSync, statSync, watch } from 'node:fs';
import { dirname, join } from 'node:path';
import { systemCode } from '../exit.ts';

/** Never watched: not sources, or written to by the service itself. */
const ignored = /^(node_modules|dist|coverage|\..*|.*\.(db|db-wal|db-shm|log|tmp|swp)|.*~)$/;
const settleMs = 150;
const pollMs = 2_000;

/**
 * Calls back once things stop changing under any of these files and folders.
 *
 * The operating system's word is only a hint (it is missing on some file systems, and fires for reads on others): what
 * counts is a changed name, size or time, looked at after every hint and every two seconds.
 */
export function watchPaths(paths: readonly string[], onChange: () => void): { close(): void } {
  let seen = fingerprint(paths);
  let pending: NodeJS.Timeout | undefined;
  const look = () => {
    clearTimeout(pending);
    pending = setTimeout(() => {
      const now = fingerprint(paths);
      if (now === seen) return;
      seen = now;
      onChange();
    }, settleMs);
  };
  const watchers = paths.flatMap((path) => hint(path, look));
  const poll = setInterval(() => {
    if (fingerprint(paths) !== seen) look();
  }, pollMs);
  return {
    close: () => {
      clearTimeout(pending);
      clearInterval(poll);
      for (const watcher of watchers) watcher.close();
    },
  };
}

function hint(path: string, look: () => void): readonly FSWatcher[] {
  try {
    // A file is watched by its folder: editors replace files, and a watch on the old one would see nothing more.
    const isFolder = statSync(path).isDirectory();
    const watcher = watch(isFolder ? path : dirname(path), { recursive: isFolder }, look);
    // A watch that fails later (folder removed, too many watches) leaves the poll.
    watcher.on('error', () => watcher.close());
    return [watcher];
  } catch {
    return [];
  }
}

function fingerprint(paths: readonly string[]): string {
  const entries: string[] = [];
  for (const path of paths) collect(path, entries);
  return entries.join('\n');
}

function collect(path: string, into: string[]): void {
  try {
    const stat = statSync(path);
    if (!stat.isDirectory()) {
      into.push(`${path} ${stat.ino} ${stat.size} ${stat.mtimeMs}`);
      return;
    }
    for (const name of readdirSync(path).sort()) if (!ignored.test(name)) collect(join(path, name), into);
  } catch (error) {
    // Renamed away between listing and looking, as editors do when they save.
    if (systemCode(error) !== 'ENOENT' && systemCode(error) !== 'ENOTDIR') throw error;
  }
}
