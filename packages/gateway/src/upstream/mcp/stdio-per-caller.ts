import type { Era } from '@sallyport/protocol';
import type { Beginning, Conversation } from './conversation.ts';
import { createStdioConversation } from './stdio-conversation.ts';
import type { Launched } from './stdio-launch.ts';
import { type StdioPool, type StdioPoolParts, spareMs } from './stdio-shared.ts';
import { unlessAborted } from './unless-aborted.ts';

/** What a process for each conversation needs more. */
export interface ProcessPerCallerOptions extends StdioPoolParts {
  readonly maxProcesses: number;
  /** After how long without a request a conversation ends, in milliseconds. */
  readonly idleMs: number;
}

/** A process for each conversation: what a server remembers and asks stays with the caller whose conversation it is. */
export function createProcessPerCaller(options: ProcessPerCallerOptions): StdioPool {
  const { life, drainMs, idleMs } = options;
  const conversations = new Set<Conversation>();
  const spare = createSpare();
  const start = createStarter(options, spare);

  return {
    async begin(era, beginning) {
      await life.pause(0);
      const launched = spare.take(era, beginning) ?? (await start(era, beginning));
      if (launched === undefined) return undefined;
      if (launched.introduction.era !== era) {
        spare.keep(launched);
        return undefined;
      }
      const onEnd = (): Promise<void> => {
        conversations.delete(conversation);
        return launched.process.stop();
      };
      const conversation = createStdioConversation({ launched, beginning, drainMs, idleMs, onEnd });
      conversations.add(conversation);
      return conversation;
    },
    async close() {
      await Promise.all([spare.drop(), ...[...conversations].map((conversation) => conversation.close())]);
    },
  };
}

function createStarter({ launcher, backoff, life, maxProcesses }: ProcessPerCallerOptions, spare: Spare) {
  const slots = createSlots(maxProcesses);

  const launch = async (era: Era, beginning: Beginning): Promise<Launched | undefined> => {
    try {
      await life.pause(backoff.waitMs());
      // A server of both eras is asked for the one that its caller speaks; only the other question tells both.
      const launched = await launcher.launch(beginning, era === 'legacy' ? era : undefined);
      life.set(launched !== undefined);
      if (launched === undefined) slots.free();
      else void launched.process.ended.then(slots.free);
      return launched;
    } catch (error) {
      life.set(false);
      backoff.ended(0);
      slots.free();
      throw error;
    }
  };

  return async (era: Era, beginning: Beginning): Promise<Launched | undefined> => {
    if (slots.isFull()) void spare.drop();
    await slots.take(beginning.signal);
    const launching = launch(era, beginning);
    try {
      return await unlessAborted(launching, beginning.signal);
    } catch (error) {
      // Whoever waited for it has gone; the next one may be glad of it.
      launching.then((launched) => launched && spare.keep(launched)).catch(() => undefined);
      throw error;
    }
  };
}

/** So many processes may run; who comes when that many do waits for one to end, in turn. */
function createSlots(max: number) {
  const waiting = new Set<() => void>();
  let taken = 0;
  return {
    isFull: () => taken >= max,
    /** @throws the reason of the signal when it fires first. */
    take(signal: AbortSignal): Promise<void> {
      return new Promise((resolve, reject) => {
        const onAbort = (): void => {
          waiting.delete(grant);
          reject(signal.reason);
        };
        const grant = (): void => {
          waiting.delete(grant);
          signal.removeEventListener('abort', onAbort);
          taken += 1;
          resolve();
        };
        if (signal.aborted) return onAbort();
        if (taken < max) return grant();
        waiting.add(grant);
        signal.addEventListener('abort', onAbort, { once: true });
      });
    },
    free(): void {
      taken -= 1;
      const [next] = waiting;
      next?.();
    },
  };
}

type Spare = ReturnType<typeof createSpare>;

/** A process that was started and never used, for a while: nothing of any caller is in it. */
function createSpare() {
  let spare: Launched | undefined;
  let clock: NodeJS.Timeout | undefined;

  const drop = async (): Promise<void> => {
    const dropped = spare;
    spare = undefined;
    clearTimeout(clock);
    await dropped?.process.stop();
  };

  return {
    keep(launched: Launched): void {
      void drop();
      spare = launched;
      clock = setTimeout(() => void drop(), spareMs).unref();
      void launched.process.ended.then(() => {
        if (spare === launched) void drop();
      });
    },
    take(era: Era, { capabilitiesText }: Beginning): Launched | undefined {
      const found = spare;
      const fits = found?.introduction.era === era && found.capabilitiesText === capabilitiesText;
      if (!fits) return undefined;
      spare = undefined;
      clearTimeout(clock);
      return found;
    },
    drop,
  };
}
