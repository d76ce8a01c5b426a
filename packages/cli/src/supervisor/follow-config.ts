import type { LoadedConfig } from '@sallyport/gateway';
import { watchPaths } from './watch.ts';

/** What following a configuration leans on. */
export interface FollowDeps {
  load(): Promise<LoadedConfig>;
  /** Called with a new configuration that is valid and different; one at a time. */
  onChange(config: LoadedConfig): Promise<void>;
  /** Called when the new one cannot be used: the old one stays. */
  onError(error: unknown): void;
}

/** Reads a configuration again whenever its files change, and hands on what is valid and different. */
export function followConfig(first: LoadedConfig, deps: FollowDeps): { close(): void } {
  let revision = first.revision;
  let closed = false;
  const read = async () => {
    if (closed) return;
    try {
      const loaded = await deps.load();
      if (loaded.revision === revision || closed) return;
      await deps.onChange(loaded);
      revision = loaded.revision;
    } catch (error) {
      deps.onError(error);
    }
  };
  const watcher = watchPaths(first.files, () => {
    busy = busy.then(read);
  });
  // It may have changed between being loaded and being watched.
  let busy = read();
  return {
    close: () => {
      closed = true;
      watcher.close();
    },
  };
}
