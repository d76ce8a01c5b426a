import { auditSchemaVersion, type Reason, type RefusalCount } from '@sallyport/core';
import { peerNetwork } from './peer.ts';

/** How much of a flood is told. */
export interface RefusalLimits {
  /** So many per peer and reason are recorded one by one in a window, */
  readonly singly: number;
  /** and so many of all peers together. */
  readonly maxSingles: number;
  /** So many pairs of peer and reason are counted apart; the others share one line per reason. */
  readonly maxPeers: number;
}

/** Counts refusals before authentication within one window. What is recorded singly and what is counted add up to all. */
export interface RefusalTable {
  /** True when this one may be recorded by itself; otherwise it must be counted. */
  admitSingle(peer: string, reason: Reason): boolean;
  /** Adds to the count. */
  count(refusals: Counted): void;
  /** The counts of the window that ends now; the next one begins. */
  roll(): RefusalCount[];
}

/** Refusals that are only counted, and when they happened. */
export type Counted = Omit<RefusalCount, 'schema' | 'kind'>;

/** The peer under which refusals are counted when the table is full. */
export const otherPeers = '*';

interface Line {
  readonly peer: string;
  readonly reason: Reason;
  singles: number;
  count: number;
  fromMs: number;
  toMs: number;
}

/** Makes an empty table. */
export function createRefusalTable({ singly, maxSingles, maxPeers }: RefusalLimits): RefusalTable {
  let lines = new Map<string, Line>();
  let singles = 0;

  const lineOf = (peer: string, reason: Reason): Line => {
    const key = `${reason} ${peer}`;
    const known = lines.get(key);
    if (known) return known;
    if (lines.size >= maxPeers && peer !== otherPeers) return lineOf(otherPeers, reason);
    const line = { peer, reason, singles: 0, count: 0, fromMs: Number.POSITIVE_INFINITY, toMs: 0 };
    lines.set(key, line);
    return line;
  };

  return {
    admitSingle: (peer, reason) => {
      const line = lineOf(peerNetwork(peer), reason);
      if (line.peer === otherPeers || line.singles >= singly || singles >= maxSingles) return false;
      line.singles++;
      singles++;
      return true;
    },
    count: ({ peer, reason, count, fromMs, toMs }) => {
      const line = lineOf(peerNetwork(peer), reason);
      line.count += count;
      line.fromMs = Math.min(line.fromMs, fromMs);
      line.toMs = Math.max(line.toMs, toMs);
    },
    roll: () => {
      const counted = [...lines.values()].filter(({ count }) => count > 0);
      lines = new Map();
      singles = 0;
      return counted.map(({ peer, reason, count, fromMs, toMs }) => ({
        schema: auditSchemaVersion,
        kind: 'refusals',
        peer,
        reason,
        count,
        fromMs,
        toMs,
      }));
    },
  };
}
