import { resolve } from 'node:path';
import { ConfigError, type LoadedConfig } from './load.ts';
import { type FileWatch, watchFiles } from './watch-files.ts';

/** How to watch a configuration. */
export interface WatchConfigOptions {
  /** `loadConfig`, usually. */
  readonly load: (path: string) => Promise<LoadedConfig>;
  /** The configuration in use: it is not reported again, and a change since it was loaded is. */
  readonly current?: LoadedConfig;
  /** A whole new configuration. The next one waits until this returns. Throwing is reported to `onError`. */
  readonly onChange: (loaded: LoadedConfig) => Promise<void> | void;
  /** What is wrong with the new file, once for each content; the last good configuration stays. */
  readonly onError: (error: unknown) => void;
  /** Milliseconds; default 2000. */
  readonly pollMs?: number;
  /** Milliseconds that the files must stand still; default 100. */
  readonly settleMs?: number;
  /** Ends the watch. */
  readonly signal: AbortSignal;
}

/**
 * Follows a configuration file and the credential files it names. All or nothing: only a file without any problem
 * reaches `onChange`, and only if it says something else than the one in use.
 */
export function watchConfig(path: string, options: WatchConfigOptions): FileWatch {
  const { load, onChange, onError, current, pollMs = 2_000, settleMs, signal } = options;
  let files: readonly string[] = current?.files ?? [resolve(path)];
  let revision = current?.revision;
  let reported = '';

  function report(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    if (message !== reported) onError(error);
    reported = message;
  }

  async function reload(): Promise<void> {
    try {
      const loaded = await load(path);
      reported = '';
      files = loaded.files;
      if (loaded.revision === revision || signal.aborted) return;
      revision = loaded.revision;
      await onChange(loaded);
    } catch (error) {
      // What is missing now may come: those files are watched too, beside those of the configuration in use.
      if (error instanceof ConfigError) files = [...new Set([...files, ...error.files])];
      report(error);
    }
  }

  return watchFiles({
    files: () => files,
    onChange: reload,
    pollMs,
    signal,
    ...(settleMs !== undefined && { settleMs }),
  });
}
