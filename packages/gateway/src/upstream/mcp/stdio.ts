import type { Logger } from 'pino';
import type { Begin } from './conversation.ts';
import { createBackoff } from './stdio-backoff.ts';
import { createLauncher } from './stdio-launch.ts';
import { createLife } from './stdio-life.ts';
import { createProcessPerCaller } from './stdio-per-caller.ts';
import { defaultStdioBounds, type StdioBounds } from './stdio-process.ts';
import { createSharedProcess, type StdioPoolParts } from './stdio-shared.ts';

/** A stdio server, and how to run it. Times in milliseconds. */
export interface StdioOptions {
  readonly service: string;
  /** Program and arguments, for the operating system as they are. */
  readonly command: readonly string[];
  readonly cwd: string;
  /** The complete environment; see `stdioEnvironment`. */
  readonly env: Readonly<Record<string, string>>;
  /** Values that are blotted out of what the server writes to its error output, such as those of its `env`. */
  readonly secrets?: readonly string[];
  /** `shared`: one process for all conversations. `caller`: each conversation has one of its own. */
  readonly isolation: 'shared' | 'caller';
  /** Under `caller`: processes at one time. Default 32. */
  readonly maxProcesses?: number;
  /** Under `caller`: a conversation without requests for so long ends. Default 10 minutes. */
  readonly idleMs?: number;
  /** How long the server may take to introduce itself. Default one minute. */
  readonly startMs?: number;
  /** How long requests in flight are waited for at the end. Default 5 seconds. */
  readonly drainMs?: number;
  readonly bounds?: Partial<StdioBounds>;
  readonly log: Logger;
  readonly nowMs: () => number;
  /** From 0 to 1; spreads restarts. */
  readonly random: () => number;
}

/** A stdio server under supervision. */
export interface StdioServer {
  /**
   * Begins a conversation, and starts a process if it needs one: after a crash not before a pause that grows, up to half a
   * minute. A shared process speaks one era, the modern one if it can; there is no conversation of the other.
   *
   * @throws GatewayError `upstream_unavailable` when no process could be had; the reason of the signal when that fired.
   */
  readonly begin: Begin;
  /** Whether a process runs that introduced itself; under `isolation: caller`, whether the last one did. */
  readonly alive: boolean;
  /** Told when `alive` has changed. */
  onChange(listener: () => void): () => void;
  /** Ends all conversations and processes. Resolves when no process is left. */
  close(): Promise<void>;
}

/** Makes a supervised stdio server. Nothing is started before the first conversation. */
export function openStdio(options: StdioOptions): StdioServer {
  const { isolation, secrets = [], startMs = 60_000, drainMs = 5_000, idleMs = 600_000, maxProcesses = 32 } = options;
  const isShared = isolation === 'shared';
  const backoff = createBackoff(options);
  const life = createLife();
  const launcher = createLauncher({
    ...{ ...options, secrets, startMs, isShared },
    bounds: { ...defaultStdioBounds, ...options.bounds },
    // A caller that brings down its own process is no reason to let others wait.
    onCrash: (livedMs) => isShared && backoff.ended(livedMs),
  });
  const parts: StdioPoolParts = { launcher, backoff, life, drainMs };
  const pool = isShared ? createSharedProcess(parts) : createProcessPerCaller({ ...parts, idleMs, maxProcesses });
  return {
    begin: pool.begin,
    get alive() {
      return life.alive();
    },
    onChange: life.onChange,
    async close() {
      life.close();
      await pool.close();
      await launcher.close();
    },
  };
}

/** The way to begin conversations with a stdio server. Whoever closes all of them ends the server. */
export function stdioBegin(options: StdioOptions): Begin {
  return openStdio(options).begin;
}
