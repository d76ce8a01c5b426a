import { readdirSync, readFileSync } from 'node:fs';
import { pause } from './program.ts';

/** What a process holds, seen from outside. */
export interface Held {
  /** Resident memory, in MiB. */
  readonly memory: number;
  /** Open files, sockets and pipes. */
  readonly handles: number;
}

/** Looks at a process. */
export function heldBy(pid: number): Held {
  const [, kilobytes = '0'] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return { memory: Math.round(Number(kilobytes) / 1_024), handles: readdirSync(`/proc/${pid}/fd`).length };
}

/** Looks again and again until the returned function is called, which gives the most there was of each. */
export function watchMost(pid: number): () => Held {
  let most = heldBy(pid);
  const timer = setInterval(() => {
    const now = heldBy(pid);
    most = { memory: Math.max(most.memory, now.memory), handles: Math.max(most.handles, now.handles) };
  }, 50);
  return () => {
    clearInterval(timer);
    return most;
  };
}

/** Waits until a process holds no more handles than that; resolves with what it holds then, or when nothing changes any more. */
export async function untilReleased(pid: number, handles: number, boundMs = 20_000): Promise<Held> {
  const endMs = performance.now() + boundMs;
  while (heldBy(pid).handles > handles && performance.now() < endMs) await pause(100);
  return heldBy(pid);
}
