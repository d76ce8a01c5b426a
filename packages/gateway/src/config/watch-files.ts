import { createHash } from 'node:crypto';
import { type FSWatcher, watch } from 'node:fs';
import { readdir, readFile, realpath } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** What to watch, and how. */
export interface WatchFilesOptions {
  /** Absolute paths; asked at each look, since a new configuration may name other files. They need not exist. */
  readonly files: () => readonly string[];
  /**
   * Called soon after the start, and when the contents are other than at the last call; each time once they have stood
   * still for `settleMs`. One call at a time.
   */
  readonly onChange: () => Promise<void> | void;
  /** A look this often, whatever the system reports. Milliseconds. */
  readonly pollMs: number;
  /** How long contents must stand still, so that half-written files are not read. Milliseconds. */
  readonly settleMs?: number;
  /** Ends the watch. */
  readonly signal: AbortSignal;
}

/** A watch under way. */
export interface FileWatch {
  /** Looks now, without waiting for a report; resolves when what was found has been dealt with. */
  look(): Promise<void>;
}

/**
 * Watches the contents of a few small files, by whatever way they change: written in place, renamed over, removed and
 * made again, or behind a symbolic link that is swapped (as Kubernetes does with mounted config maps). Reports of the
 * file system only hasten a look; what counts is a hash of what is read through the path, at least every `pollMs`.
 */
export function watchFiles(options: WatchFilesOptions): FileWatch {
  const { files, onChange, pollMs, settleMs = 100, signal } = options;
  let known = '';
  let running = Promise.resolve();
  let next: Promise<void> | undefined;
  let hinted: NodeJS.Timeout | undefined;

  async function lookOnce(): Promise<void> {
    const seen = await fingerprint(files());
    if (seen !== known) {
      const settled = await settle(seen, { files, settleMs, signal });
      if (settled === undefined) return;
      const changed = settled !== known;
      // Remembered before it is read: what changes while `onChange` runs is found at the next look.
      known = settled;
      if (changed) await onChange();
    }
    await hints.watch(files());
  }

  function look(): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    // One under way and one after it are enough, however long `onChange` takes.
    next ??= running
      .catch(() => undefined)
      .then(() => {
        next = undefined;
        running = lookOnce();
        return running;
      });
    return next;
  }

  /** For timers and reports, where nobody waits for the outcome. */
  const glance = () => void look().catch(() => undefined);

  /** Reports come in flocks, and also for strangers in the same folder: at most one look in `settleMs`. */
  const hints = createHints(() => {
    if (hinted !== undefined || signal.aborted) return;
    hinted = setTimeout(() => {
      hinted = undefined;
      glance();
    }, settleMs);
    hinted.unref();
  });

  const timer = setInterval(glance, pollMs);
  timer.unref();
  const stop = () => {
    clearInterval(timer);
    clearTimeout(hinted);
    hints.close();
  };
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop, { once: true });
  glance();
  return { look };
}

interface Settling extends Pick<WatchFilesOptions, 'files' | 'signal'> {
  readonly settleMs: number;
}

/** The contents once they have stood still; `undefined` when the watch ended meanwhile. */
async function settle(first: string, { files, settleMs, signal }: Settling): Promise<string | undefined> {
  for (let seen = first; ; ) {
    await delay(settleMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return undefined;
    const next = await fingerprint(files());
    if (next === seen) return seen;
    seen = next;
  }
}

async function fingerprint(files: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const file of files) {
    const content = await readFile(file).catch((error: unknown) => namesIn(file, error));
    hash.update(`${file}\0${content === undefined ? 'absent' : createHash('sha256').update(content).digest('hex')}\0`);
  }
  return hash.digest('hex');
}

/** Of a folder, the names of all that is in it: what is in the files is looked at by their own names. */
async function namesIn(path: string, error: unknown): Promise<string | undefined> {
  if (!(error instanceof Error && 'code' in error && error.code === 'EISDIR')) return undefined;
  const names = await readdir(path, { recursive: true }).catch(() => []);
  return names.sort().join('\0');
}

/** Reports of the file system for the folders in which the files are, and those in which their links end. */
function createHints(onHint: () => void) {
  const watchers = new Map<string, FSWatcher>();
  let closed = false;

  function open(folder: string): void {
    try {
      const watcher = watch(folder, { persistent: false }, onHint);
      const drop = () => {
        watcher.close();
        if (watchers.get(folder) === watcher) watchers.delete(folder);
      };
      watcher.on('error', drop);
      watchers.set(folder, watcher);
    } catch {
      // No such folder, or no watches left on this system: the poll finds the change a little later.
    }
  }

  return {
    async watch(files: readonly string[]): Promise<void> {
      const targets = await Promise.all(files.map((file) => realpath(file).catch(() => file)));
      const folders = new Set([...files, ...targets].map((file) => dirname(file)));
      if (closed) return;
      for (const [folder, watcher] of watchers) {
        if (folders.has(folder)) continue;
        watcher.close();
        watchers.delete(folder);
      }
      for (const folder of folders) if (!watchers.has(folder)) open(folder);
    },
    close(): void {
      closed = true;
      for (const watcher of watchers.values()) watcher.close();
      watchers.clear();
    },
  };
}
