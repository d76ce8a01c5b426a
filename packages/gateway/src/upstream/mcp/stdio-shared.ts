import type { JsonText } from '@sallyport/core';
import type { Begin, Beginning, Conversation } from './conversation.ts';
import type { Backoff } from './stdio-backoff.ts';
import { createStdioConversation } from './stdio-conversation.ts';
import type { Launched, Launcher } from './stdio-launch.ts';
import type { Life } from './stdio-life.ts';
import { unlessAborted } from './unless-aborted.ts';

/** What the processes of a server are made with. */
export interface StdioPoolParts {
  readonly launcher: Launcher;
  readonly backoff: Backoff;
  readonly life: Life;
  /** How long requests in flight are waited for at the end, in milliseconds. */
  readonly drainMs: number;
}

/** The processes of a server. */
export interface StdioPool {
  readonly begin: Begin;
  /** Ends all conversations. */
  close(): Promise<void>;
}

/**
 * What a shared legacy server is told, once for all callers: whatever any of them may be asked. Whom it asks is decided when
 * it does, and by what that caller can be asked. Not roots: servers take their limits from them and keep them, so that one
 * caller would decide which files all others reach.
 */
const allCapabilities = '{"elicitation":{"form":{},"url":{}},"sampling":{"context":{},"tools":{}}}' as JsonText;

/** How long a process without conversations is kept for the next one, in milliseconds. */
export const spareMs = 60_000;

/**
 * One process for all: started when it is first needed, ended with its last conversation. It speaks one era, the modern one
 * if it can: there its requests say whose they are.
 */
export function createSharedProcess(parts: StdioPoolParts): StdioPool {
  const { life, drainMs } = parts;
  const conversations = new Set<Conversation>();
  const process = createLease(parts);
  return {
    async begin(era, beginning) {
      const release = process.hold();
      let conversation: Conversation | undefined;
      try {
        await life.pause(0);
        const launched = await unlessAborted(process.get(beginning), beginning.signal);
        if (launched?.introduction.era !== era) return undefined;
        const onEnd = (): Promise<void> => {
          if (conversation) conversations.delete(conversation);
          return release('now');
        };
        conversation = createStdioConversation({ launched, beginning, drainMs, onEnd });
        conversations.add(conversation);
        return conversation;
      } finally {
        if (conversation === undefined) void release('later');
      }
    },
    async close() {
      await Promise.all([...conversations].map((conversation) => conversation.close()));
      await process.stop();
    },
  };
}

/** The one process, and who needs it. */
function createLease(parts: StdioPoolParts) {
  let current: Promise<Launched | undefined> | undefined;
  let stopping: Promise<unknown> = Promise.resolve();
  let users = 0;
  let spare: NodeJS.Timeout | undefined;

  const stop = (): Promise<unknown> => {
    clearTimeout(spare);
    const ending = current;
    current = undefined;
    const stopped = async (): Promise<void> => (await ending?.catch(() => undefined))?.process.stop();
    stopping = Promise.all([stopping, stopped()]);
    return stopping;
  };

  /** Not before it has started: it may take longer than anybody waits, and the next one finds it ready. */
  const stopLater = async (): Promise<void> => {
    const idle = current;
    await idle?.catch(() => undefined);
    if (users > 0 || current !== idle || idle === undefined) return;
    clearTimeout(spare);
    spare = setTimeout(() => void stop(), spareMs).unref();
  };

  return {
    get(beginning: Beginning): Promise<Launched | undefined> {
      if (current) return current;
      const forget = (): void => {
        if (current === starting) current = undefined;
      };
      // Never two at once: they would have their files in common.
      const starting = stopping.then(() => start(parts, beginning, forget));
      current = starting;
      return starting;
    },
    /** Keeps it until the returned function is called. */
    hold(): (when: 'now' | 'later') => Promise<void> {
      users += 1;
      clearTimeout(spare);
      return async (when) => {
        users -= 1;
        if (users > 0) return;
        if (when === 'now') await stop();
        else await stopLater();
      };
    },
    stop,
  };
}

/** @param onGone runs when it does not start, and when it has ended. */
async function start(
  { launcher, backoff, life }: StdioPoolParts,
  beginning: Beginning,
  onGone: () => void,
): Promise<Launched | undefined> {
  const gone = (): void => {
    onGone();
    life.set(false);
  };
  let launched: Launched | undefined;
  try {
    await life.pause(backoff.waitMs());
    launched = await launcher.launch({ ...beginning, capabilitiesText: allCapabilities });
    return launched;
  } finally {
    if (launched === undefined) {
      backoff.ended(0);
      gone();
    } else {
      life.set(true);
      void launched.process.ended.then(gone);
    }
  }
}
