import type { Erasure } from './data-keys.ts';
import type { WriterThread } from './thread.ts';
import type { FromWriter } from './writer.ts';

/** Erasures that the writer was asked for and has not answered yet. */
export interface Erasures {
  /** Resolves with the number of keys that were destroyed. @throws Error when the disk refuses or the writer is gone. */
  ask(erasure: Erasure, writer: Pick<WriterThread, 'isUp' | 'send'>): Promise<number>;
  settle(message: Extract<FromWriter, { kind: 'erased' }>): void;
  /** The writer is gone: whether it destroyed keys is not known. */
  abandon(error: Error): void;
}

interface Waiting {
  readonly resolve: (keys: number) => void;
  readonly reject: (error: Error) => void;
}

/** Keeps track of erasures. */
export function createErasures(): Erasures {
  const waiting = new Map<number, Waiting>();
  let last = 0;
  return {
    ask: (erasure, writer) =>
      new Promise((resolve, reject) => {
        if (!writer.isUp()) return reject(new Error('the audit writer is gone'));
        const id = ++last;
        waiting.set(id, { resolve, reject });
        writer.send({ kind: 'erase', id, erasure });
      }),
    settle: ({ id, keys, failed }) => {
      const asked = waiting.get(id);
      waiting.delete(id);
      if (failed === undefined) asked?.resolve(keys);
      else asked?.reject(new Error(failed));
    },
    abandon: (error) => {
      for (const { reject } of waiting.values()) reject(error);
      waiting.clear();
    },
  };
}
