import type { Erasure } from './data-keys.ts';
import type { WriterThread } from './thread.ts';
import type { FromWriter } from './writer.ts';

/** What the writer is asked for beside records: keys to destroy, or another key to sign with. */
export type Order =
  | { readonly kind: 'erase'; readonly erasure: Erasure }
  | { readonly kind: 'hand-over'; readonly signing: Uint8Array };

/** Orders that the writer was given and has not answered yet. */
export interface Orders {
  /** Resolves with the number of keys that it was about. @throws Error when the disk refuses or the writer is gone. */
  give(order: Order, writer: Pick<WriterThread, 'isUp' | 'send'>): Promise<number>;
  settle(message: Extract<FromWriter, { kind: 'carried-out' }>): void;
  /** The writer is gone: whether it did what it was asked is not known. */
  abandon(error: Error): void;
}

interface Waiting {
  readonly resolve: (keys: number) => void;
  readonly reject: (error: Error) => void;
}

/** Keeps track of orders. */
export function createOrders(): Orders {
  const waiting = new Map<number, Waiting>();
  let last = 0;
  return {
    give: (order, writer) =>
      new Promise((resolve, reject) => {
        if (!writer.isUp()) return reject(new Error('the audit writer is gone'));
        const id = ++last;
        waiting.set(id, { resolve, reject });
        writer.send({ ...order, id });
      }),
    settle: ({ id, keys, failed }) => {
      const given = waiting.get(id);
      waiting.delete(id);
      if (failed === undefined) given?.resolve(keys);
      else given?.reject(new Error(failed));
    },
    abandon: (error) => {
      for (const { reject } of waiting.values()) reject(error);
      waiting.clear();
    },
  };
}
