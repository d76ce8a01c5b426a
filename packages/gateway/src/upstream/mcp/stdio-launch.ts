import { GatewayError } from '@sallyport/core';
import type { Logger } from 'pino';
import type { Beginning } from './conversation.ts';
import { type Greeting, greetEither, greetLegacy, type Introduction } from './stdio-handshake.ts';
import { createStdioPeer, type StdioPeer } from './stdio-peer.ts';
import { type StdioBounds, type StdioProcess, startStdioProcess } from './stdio-process.ts';

/** A server that runs and has introduced itself. */
export interface Launched {
  readonly process: StdioProcess;
  readonly peer: StdioPeer;
  readonly introduction: Introduction;
  /** What it was told that may be asked; a legacy server is told once. */
  readonly capabilitiesText: string;
}

/** How to start a server. */
export interface LaunchOptions {
  readonly service: string;
  readonly command: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly secrets: readonly string[];
  readonly bounds: StdioBounds;
  /** How long it may take to introduce itself, in milliseconds. */
  readonly startMs: number;
  readonly isShared: boolean;
  readonly log: Logger;
  readonly nowMs: () => number;
  /** Told of every process that ended without being stopped, with how long it lived. */
  readonly onCrash: (livedMs: number) => void;
}

/** Starts processes of one server. */
export interface Launcher {
  /**
   * Starts a process and learns what it speaks; with `legacy`, only whether it speaks that.
   *
   * @returns `undefined` when it speaks no MCP that is wanted; the process is gone then.
   * @throws GatewayError `upstream_unavailable` when it cannot be started, ends, or takes too long.
   */
  launch(beginning: Pick<Beginning, 'clientInfo' | 'capabilitiesText'>, era?: 'legacy'): Promise<Launched | undefined>;
  /** Ends what is being started, and all that runs. Resolves when nothing is left. */
  close(): Promise<void>;
  /** Processes that run, are being started or are being ended. */
  readonly size: number;
}

/** Makes a launcher. It starts nothing by itself. */
export function createLauncher(options: LaunchOptions): Launcher {
  const processes = new Set<StdioProcess>();
  const closing = new AbortController();
  /** Some old servers end when they are asked anything before the handshake: those are not asked again. */
  let isTimid = false;

  const attempt = async (beginning: Greeting['beginning'], greet: Greet): Promise<Launched | undefined> => {
    const { process, peer } = start(options, processes);
    const isUp = await introduce({ options, peer, beginning, greet, closing: closing.signal });
    if (isUp instanceof GatewayError || isUp === undefined) {
      await process.stop();
      if (isUp === undefined) return undefined;
      throw isUp;
    }
    return { process, peer, introduction: isUp, capabilitiesText: beginning.capabilitiesText };
  };

  return {
    async launch(beginning, era) {
      if (era === 'legacy' || isTimid) return attempt(beginning, greetLegacy);
      let ended = false;
      try {
        return await attempt(beginning, async (greeting) => {
          const introduction = greetEither(greeting);
          introduction.catch((error: unknown) => {
            ended = error instanceof GatewayError && error.reason === 'upstream_failed';
          });
          return introduction;
        });
      } catch (error) {
        if (!ended || closing.signal.aborted) throw error;
        const launched = await attempt(beginning, greetLegacy);
        isTimid = launched !== undefined;
        return launched;
      }
    },
    async close() {
      closing.abort(new GatewayError('upstream_unavailable', {}, { cause: 'closed' }));
      await Promise.all([...processes].map((process) => process.stop()));
    },
    get size() {
      return processes.size;
    },
  };
}

type Greet = (greeting: Greeting) => Promise<Introduction | undefined>;

function start(options: LaunchOptions, processes: Set<StdioProcess>): Pick<Launched, 'process' | 'peer'> {
  const { service, log, nowMs, onCrash } = options;
  const startedAtMs = nowMs();
  let isStopped = false;
  const peer = createStdioPeer({ ...options, send: (message) => started.send(message) });
  const started = startStdioProcess({ ...options, onLine: peer.receive, onTooLong: peer.receiveCut });
  const process: StdioProcess = {
    ...started,
    stop() {
      isStopped = true;
      return started.stop();
    },
  };
  processes.add(process);
  log.info({ service, pid: started.pid }, 'the server was started');
  void started.ended.then((how) => {
    processes.delete(process);
    peer.lose(how);
    if (isStopped) return log.info({ service, pid: started.pid }, 'the server was ended');
    onCrash(nowMs() - startedAtMs);
    log.error({ service, pid: started.pid, how }, 'the server has ended');
  });
  return { process, peer };
}

interface Introducing {
  readonly options: LaunchOptions;
  readonly peer: StdioPeer;
  readonly beginning: Greeting['beginning'];
  readonly greet: Greet;
  readonly closing: AbortSignal;
}

/** The introduction of a server, or why there is none; nothing of a call was sent then, whatever it was. */
async function introduce(introducing: Introducing): Promise<Introduction | GatewayError | undefined> {
  const { options, peer, beginning, greet, closing } = introducing;
  const { startMs, bounds } = options;
  const greeting = new AbortController();
  const unavailable = (cause: unknown) => new GatewayError('upstream_unavailable', {}, { cause });
  const onClosing = (): void => greeting.abort(closing.reason);
  const clock = setTimeout(() => greeting.abort(unavailable('the server took too long to introduce itself')), startMs);
  closing.addEventListener('abort', onClosing, { once: true });
  if (closing.aborted) onClosing();
  try {
    return await greet({ peer, beginning, signal: greeting.signal, probeMs: bounds.probeMs });
  } catch (error) {
    return unavailable(error);
  } finally {
    clearTimeout(clock);
    closing.removeEventListener('abort', onClosing);
    // A question of ours that it did not answer is not waited for any more.
    greeting.abort(unavailable('the server has introduced itself'));
  }
}
