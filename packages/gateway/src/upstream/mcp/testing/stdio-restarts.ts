import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import type { StdioOptions } from '../stdio.ts';
import { begin, call, children, closeServers, contentOf, server } from './stdio.ts';

/** What this process has open. */
export interface Held {
  readonly descriptors: number;
  readonly resources: number;
  readonly listeners: number;
  readonly children: number;
}

/** What is held now. */
export function held(): Held {
  return {
    descriptors: readdirSync('/proc/self/fd').length,
    resources: process.getActiveResourcesInfo().length,
    listeners: process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0),
    children: children().length,
  };
}

/** Resolves once nothing more is held than was before. @throws what is held too much after some seconds. */
export async function untilNothingMore(before: Held): Promise<void> {
  const started = performance.now();
  for (;;) {
    const now = held();
    const more = Object.entries(before).filter(([key, count]) => now[key as keyof Held] > count);
    if (more.length === 0) return;
    assert(performance.now() - started < 15_000, `held before: ${JSON.stringify(before)}, now: ${JSON.stringify(now)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Starts a server so many times: it crashes, is killed or is closed, by turns. */
export async function restart(isolation: StdioOptions['isolation'], times: number): Promise<void> {
  // An hour passes between two rounds: no crash is held against the server.
  let hours = 0;
  const raw = server({ isolation, nowMs: () => hours * 3_600_000 + performance.now(), drainMs: 20 });
  try {
    for (let round = 0; round < times; round++) {
      hours++;
      const conversation = await begin(raw, 'legacy');
      const lost = new Promise<void>((resolve) => conversation.onLost(resolve));
      conversation.onNotification(() => undefined);
      const pid = contentOf<number>(await call(conversation, 'pid'));
      const waiting = call(conversation, 'silent').catch(() => undefined);
      if (round % 3 === 0) void call(conversation, 'crash').catch(() => undefined);
      else if (round % 3 === 1) process.kill(pid, 'SIGKILL');
      if (round % 3 < 2) await lost;
      await conversation.close();
      await waiting;
    }
  } finally {
    await closeServers();
  }
}
