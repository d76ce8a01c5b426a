import type { Era } from '@sallyport/protocol';
import type { Begin, Beginning, Conversation } from './conversation.ts';

/**
 * Which eras a server speaks, as far as it is known: modern by `server/discover`, legacy by `initialize` (MCP 2026-07-28,
 * versioning). What is learnt holds for a limited time, since a server may be replaced by another one.
 */
export interface Eras {
  /**
   * Tries to begin a conversation in an era, unless the server is known not to speak it. `undefined`: it does not. A
   * server that is out of reach, wants a token or is broken says nothing about what it speaks: that is thrown, and not
   * remembered.
   */
  begin(era: Era, beginning: Beginning): Promise<Conversation | undefined>;
  /**
   * Eras to try, the one to begin with first; those that the server is known not to speak are left out, and the one in
   * which it is known to be mute comes last if it is to be able to ask.
   */
  order(preferred: Era, isToAsk?: boolean): readonly Era[];
  /** The server may be another one now: nothing is known. */
  forget(): void;
}

/** What probing needs. */
export interface ErasOptions {
  readonly begin: Begin;
  readonly nowMs: () => number;
  /** How long it is believed that a server does not speak an era, in milliseconds. Default 5 minutes. */
  readonly rememberMs?: number;
}

/** Begins to learn about a server. */
export function createEras({ begin, nowMs, rememberMs = 300_000 }: ErasOptions): Eras {
  /** Until when an era counts as not spoken. */
  const missing = new Map<Era, number>();
  /** In which era it could ask nothing when it was spoken to last. */
  const mute = new Set<Era>();
  const isMissing = (era: Era): boolean => (missing.get(era) ?? 0) > nowMs();
  return {
    async begin(era, beginning) {
      if (isMissing(era)) return undefined;
      const conversation = await begin(era, beginning);
      if (conversation?.isMute) mute.add(era);
      else mute.delete(era);
      if (conversation) missing.delete(era);
      else missing.set(era, nowMs() + rememberMs);
      return conversation;
    },
    order(preferred, isToAsk = false) {
      const eras: readonly Era[] = preferred === 'modern' ? ['modern', 'legacy'] : ['legacy', 'modern'];
      const left = eras.filter((era) => !isMissing(era));
      // A server that spoke neither may just have been starting.
      if (left.length === 0) missing.clear();
      const tried = left.length === 0 ? eras : left;
      return isToAsk ? [...tried].sort((one, other) => Number(mute.has(one)) - Number(mute.has(other))) : tried;
    },
    forget() {
      missing.clear();
      mute.clear();
    },
  };
}
