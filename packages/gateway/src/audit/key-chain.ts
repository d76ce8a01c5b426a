import type { Finding } from './check.ts';
import { type Handover, type HandoverFacts, readHandover } from './handover.ts';
import { NoteRefused, readVerifierKey, type Verifier } from './note.ts';

/** The keys that one after the other sign for a log, as far as they can be followed from those that are believed. */
export interface KeyChain {
  /**
   * Keys that may sign for the log when it has so many rows. A key that has handed over signs for nothing later, and the one
   * that took over for nothing earlier: a key that is stolen after its time signs no other past.
   */
  verifiersAt(size: number): readonly Verifier[];
  /** The key that took over last, as text; `undefined` where none did. */
  readonly last: string | undefined;
  /** How many handovers were followed. */
  readonly followed: number;
  /** Rows whose handover is none, or does not go on from the one before. */
  readonly findings: readonly Finding[];
}

interface Span {
  from: number;
  to: number;
}

/**
 * Follows the handovers of a log from the keys that are given, forwards and backwards: who has the first key gets to the last,
 * and who has the last to those it took over from.
 *
 * @throws NoteRefused when a given key cannot be read.
 */
export function createKeyChain(origin: string, given: readonly string[], handovers: readonly Handover[]): KeyChain {
  const { links, findings } = readLinks(origin, handovers);
  const spans = new Map<string, Span>(given.map((key) => [key.trim(), always()]));
  const follow = (steps: readonly HandoverFacts[]): void => {
    for (const { previous, next, seq } of steps) {
      const [before, after] = [spans.get(previous), spans.get(next)];
      if (before === undefined && after === undefined) continue;
      spans.set(previous, { ...(before ?? always()), to: seq });
      spans.set(next, { ...(after ?? always()), from: seq });
    }
  };
  follow(links);
  follow(links.toReversed());
  const keys = [...spans].map(([text, span]) => ({ verifier: readVerifierKey(text), span }));
  return {
    verifiersAt: (size) =>
      keys.filter(({ span }) => span.from <= size && size <= span.to).map(({ verifier }) => verifier),
    last: links.at(-1)?.next,
    followed: links.filter(({ previous, next }) => spans.has(previous) && spans.has(next)).length,
    findings,
  };
}

/** Before anything is signed of the log, and after. */
function always(): Span {
  return { from: 0, to: Number.POSITIVE_INFINITY };
}

function readLinks(origin: string, handovers: readonly Handover[]) {
  const links: HandoverFacts[] = [];
  const findings: Finding[] = [];
  for (const { seq, note } of handovers.toSorted((a, b) => a.seq - b.seq)) {
    const detail = linkOrFault({ origin, seq, note }, links);
    if (detail !== undefined) findings.push({ seq, kind: 'changed', detail });
  }
  return { links, findings };
}

function linkOrFault({ origin, seq, note }: Handover & { origin: string }, links: HandoverFacts[]): string | undefined {
  try {
    const facts = readHandover(note);
    if (facts.origin !== origin || facts.seq !== seq)
      return 'the handover of its key is of another row, or of another log';
    const last = links.at(-1);
    if (last !== undefined && last.next !== facts.previous) {
      return `the key that hands over here is not the one that took over at row ${last.seq}`;
    }
    links.push(facts);
    return undefined;
  } catch (error) {
    if (!(error instanceof NoteRefused)) throw error;
    return `the key that takes over here is not vouched for by the one before: ${error.message}`;
  }
}
