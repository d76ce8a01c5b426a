import { createSealer, type Sealer } from './sealed.ts';

/** What a text that a caller brought turned out to be. */
export type Opened = 'opened' | 'refused';

/** The one text that may open, and what has to come out of it. */
export interface SealedCase {
  readonly sealer: Sealer;
  readonly kind: string;
  readonly genuine: string;
}

/** Seals a cursor or a state, as the gateway gives them out. */
export function sealedCase(kind: 'cursor' | 'state'): SealedCase {
  const sealer = createSealer(Buffer.alloc(32, 7), () => 1_000);
  const claims = kind === 'cursor' ? { after: 'blog.Posts' } : { owner: 'o', target: 'blog.Add', state: 'x' };
  return { sealer, kind, genuine: sealer.seal(kind, claims, 2_000) };
}

/**
 * Whatever text comes in, it either is the one that was given out, character for character, or it is refused. For
 * coverage-guided fuzzers and for property tests.
 *
 * @throws Error when another text opens, or opening throws.
 */
export function fuzzSealed({ sealer, kind, genuine }: SealedCase, text: string): Opened {
  const claims = sealer.open(kind, text);
  if (claims === undefined) {
    if (text === genuine) throw new Error('refused what it sealed itself');
    return 'refused';
  }
  if (text !== genuine) throw new Error('opened what it did not seal');
  return 'opened';
}
