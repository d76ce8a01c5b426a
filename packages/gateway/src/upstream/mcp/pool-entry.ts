import { GatewayError } from '@sallyport/core';
import type { Conversation } from './conversation.ts';
import { unlessAborted } from './unless-aborted.ts';

/** A conversation in use. */
export interface Lease {
  readonly conversation: Conversation;
  /** What its users have to know of it, besides. */
  readonly notes: Map<string, string>;
  /** To be called once: then it may be closed when nobody needs it. */
  release(): void;
  /** Releases it, and keeps others from getting it: what it says of the server may not be true any more. */
  discard(): void;
}

/** One conversation of a pool: begun, open, or dropped and used to its end. */
export interface Entry {
  /** It is open, and nobody uses it. */
  readonly isUnused: boolean;
  readonly usedAtMs: number;
  /** `undefined`: the server does not speak this era. @throws GatewayError `upstream_unavailable`, or the signal's reason. */
  lease(signal: AbortSignal): Promise<Lease | undefined>;
  /** Keeps others from getting it, and closes it when nobody uses it any more. */
  leave(): void;
  /** Closes it once it is open. */
  close(): Promise<void>;
}

/** What an entry is made of. */
export interface EntryOptions {
  readonly begun: Promise<Conversation | undefined>;
  readonly nowMs: () => number;
  /** It did not come to be, or is not to be given to anybody any more. */
  readonly onGone: () => void;
  /** The server forgot it. */
  readonly onLost: () => void;
}

/** Makes an entry of a conversation that is being begun. One that is gone is closed when its last user is done with it. */
export function beginEntry({ begun, nowMs, onGone, onLost }: EntryOptions): Entry {
  const notes = new Map<string, string>();
  let conversation: Conversation | undefined;
  let users = 0;
  let usedAtMs = nowMs();
  let isGone = false;

  const gone = (): void => {
    isGone = true;
    onGone();
  };
  const close = async (): Promise<void> => {
    isGone = true;
    await (await begun.catch(() => undefined))?.close();
  };
  const done = (): void => {
    users -= 1;
    usedAtMs = nowMs();
    if (users === 0 && isGone) close().catch(() => undefined);
  };
  begun.then((open) => {
    conversation = open;
    if (open === undefined) gone();
    else {
      open.onLost(() => {
        isGone = true;
        onLost();
      });
    }
  }, gone);

  return {
    get isUnused() {
      return users === 0 && conversation !== undefined;
    },
    get usedAtMs() {
      return usedAtMs;
    },
    async lease(signal) {
      users += 1;
      const release = once(done);
      try {
        const open = await unlessAborted(begun, signal);
        if (open) return { conversation: open, notes, release, discard: () => [gone(), release()] };
      } catch (cause) {
        release();
        // Whatever went wrong, nothing of a call was sent.
        throw signal.aborted ? signal.reason : unavailable(cause);
      }
      release();
      return undefined;
    },
    leave() {
      gone();
      if (users === 0) close().catch(() => undefined);
    },
    close,
  };
}

/** The refusal when there is no conversation to be had. */
export function unavailable(cause: unknown): GatewayError {
  return new GatewayError('upstream_unavailable', {}, { cause });
}

function once(run: () => void): () => void {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    run();
  };
}
