import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';

/** A program that runs. */
export interface Child {
  readonly process: ChildProcess;
  /** Resolves with the exit code, 128 when a signal ended it. */
  readonly ended: Promise<number>;
  /** Asks it to end, insists after three seconds, and waits. */
  stop(): Promise<void>;
}

/** Starts a program; when the signal is aborted it is ended. */
export function startChild(args: readonly string[], options: SpawnOptions & { readonly signal?: AbortSignal }): Child {
  const { signal, ...rest } = options;
  const child = spawn(process.execPath, args, rest);
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 128));
  });
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    const insist = setTimeout(() => child.kill('SIGKILL'), 3_000);
    await ended.catch(() => undefined);
    clearTimeout(insist);
  };
  const onAbort = () => void stop();
  signal?.addEventListener('abort', onAbort, { once: true });
  void ended.catch(() => undefined).finally(() => signal?.removeEventListener('abort', onAbort));
  return { process: child, ended, stop };
}

/** The lines that a stream of a program says, one by one. */
export async function eachLine(stream: NodeJS.ReadableStream | null, onLine: (line: string) => void): Promise<void> {
  let rest = '';
  for await (const chunk of stream ?? []) {
    const lines = (rest + String(chunk)).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line);
  }
  if (rest !== '') onLine(rest);
}
