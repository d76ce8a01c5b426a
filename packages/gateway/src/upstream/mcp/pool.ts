import { GatewayError, type JsonText, type OutboundCredential } from '@sallyport/core';
import type { Era, ServerInfo } from '@sallyport/protocol';
import { troubleIn } from '../credential-trouble.ts';
import { canBeAsked, mediated } from './outgoing.ts';
import { beginEntry, type Entry, type Lease, unavailable } from './pool-entry.ts';
import type { Eras } from './probe.ts';

/** Which conversation a call needs. */
export interface Wanted {
  /**
   * The era to prefer; the other one is taken when the server does not speak it, or can ask only in the other one what its
   * caller can be asked.
   */
  readonly era: Era;
  /** Whose conversation it is: in the legacy era a server knows its client by it. */
  readonly conversation: string;
  /** Who has it, however many conversations that are (`accountKey`). Absent: the gateway itself. */
  readonly account?: string;
  /** Hears that it has ended; the same function for all calls of one conversation. */
  readonly onEnd?: ((listener: () => void) => void) | undefined;
  /** What that client can be asked; a legacy server is told once. */
  readonly capabilitiesText: JsonText;
  readonly credential: OutboundCredential;
  /** How long to wait for it. */
  readonly signal: AbortSignal;
}

/** The conversations with one server. */
export interface Pool {
  /** @throws GatewayError `upstream_unavailable`: nothing of a call was sent. */
  lease(wanted: Wanted): Promise<Lease>;
  close(): Promise<void>;
}

/** What a pool needs. */
export interface PoolOptions {
  readonly eras: Eras;
  readonly clientInfo: ServerInfo;
  readonly nowMs: () => number;
  /** Conversations at the same time. Default 1,024. */
  readonly maxConversations?: number;
  /** How long one is kept that nobody uses, in milliseconds. Default 10 minutes. */
  readonly idleMs?: number;
  /** Whether callers are kept apart in the modern era too: where a conversation is a process, its memory is. Default false. */
  readonly perCaller?: boolean;
}

const beginningMs = 10_000;
const longestSweepMs = 30_000;

/**
 * Keeps the conversations with one server: a single one of the modern era, which has no memory (with `perCaller` one per
 * client), and of the legacy era one per client and what it can be asked. Those that nobody used for long are closed, and
 * those of a client that has gone when it goes. When there are too many, who has the most gives one up, the least recently
 * used: nobody can end the conversations of others by beginning many.
 */
export function createPool(options: PoolOptions): Pool {
  const { nowMs, maxConversations = 1_024, idleMs = 600_000, perCaller = false } = options;
  const table = createTable(maxConversations);
  const closing = new AbortController();
  const sweep = (): void => {
    for (const entry of table.all()) if (entry.isUnused && nowMs() - entry.usedAtMs >= idleMs) table.retire(entry);
  };
  const clock = setInterval(sweep, Math.min(idleMs, longestSweepMs)).unref();

  // By the function that tells of it: a client is followed once, however often its conversations are made anew.
  const followed = new WeakSet<object>();
  const followEnd = ({ conversation, onEnd }: Wanted): void => {
    if (onEnd === undefined || followed.has(onEnd)) return;
    followed.add(onEnd);
    // Not before the call is under way that has brought it here: it may have ended already.
    onEnd(() => queueMicrotask(() => table.leave(conversation)));
  };

  const entryFor = (era: Era, wanted: Wanted): Entry => {
    const key = keyOf(era, wanted, perCaller);
    const known = table.touch(key);
    if (known) return known;
    table.makeRoom();
    followEnd(wanted);
    const entry = begin(era, wanted, { ...options, closing: closing.signal, onGone: () => table.drop(entry) });
    table.add(key, { entry, account: wanted.account ?? '' });
    return entry;
  };

  const leaseAny = async (wanted: Wanted, isToAsk: boolean): Promise<Lease> => {
    let fault: unknown;
    for (const era of options.eras.order(wanted.era, isToAsk)) {
      if (closing.signal.aborted) throw unavailable('closed');
      try {
        const leased = await entryFor(era, wanted).lease(wanted.signal);
        if (leased) return leased;
      } catch (error) {
        // A server may choke on what it does not know: the other era may still be spoken.
        if (wanted.signal.aborted || troubleIn(error)) throw error;
        fault ??= error;
      }
    }
    throw fault ?? unavailable('it speaks no known revision of MCP');
  };

  return {
    async lease(wanted) {
      const isToAsk = canBeAsked(wanted.capabilitiesText);
      const leased = await leaseAny(wanted, isToAsk);
      if (!isToAsk || !leased.conversation.isMute) return leased;
      leased.release();
      // Now that this is known, the other era comes first, if there is one.
      return leaseAny(wanted, isToAsk);
    },
    async close() {
      clearInterval(clock);
      closing.abort(new GatewayError('upstream_unavailable', {}, { cause: 'closed' }));
      await Promise.allSettled(table.all().map((entry) => entry.close()));
    },
  };
}

interface Beginner extends Pick<PoolOptions, 'eras' | 'clientInfo' | 'nowMs'> {
  readonly closing: AbortSignal;
  readonly onGone: () => void;
}

function begin(era: Era, { capabilitiesText, credential }: Wanted, beginner: Beginner): Entry {
  const { eras, clientInfo, nowMs, closing, onGone } = beginner;
  const signal = AbortSignal.any([closing, AbortSignal.timeout(beginningMs)]);
  return beginEntry({
    // A modern server is told with each call what its caller can be asked; a legacy one once.
    begun: eras.begin(era, {
      capabilitiesText: era === 'modern' ? mediated : capabilitiesText,
      ...{ clientInfo, credential, signal },
    }),
    nowMs,
    onGone,
    onLost() {
      onGone();
      // It may be another server now.
      eras.forget();
    },
  });
}

/** A conversation, and whose it is. */
interface Held {
  readonly entry: Entry;
  readonly account: string;
}

interface Table {
  all(): readonly Entry[];
  /** Finds one, and notes that it is used. */
  touch(key: string): Entry | undefined;
  /** Retires one if there are as many as there may be. @throws GatewayError `upstream_unavailable` when all are in use. */
  makeRoom(): void;
  add(key: string, held: Held): void;
  /** Drops all of a client, and closes them when nobody uses them any more. */
  leave(conversation: string): void;
  drop(entry: Entry): void;
  /** Drops one that nobody uses, and closes it. */
  retire(entry: Entry): void;
}

function createTable(maxEntries: number): Table {
  // In the order of their last use.
  const entries = new Map<string, Held>();
  const drop: Table['drop'] = (entry) => {
    for (const [key, each] of entries) if (each.entry === entry) entries.delete(key);
  };
  const retire: Table['retire'] = (entry) => {
    drop(entry);
    void entry.close().catch(() => undefined);
  };
  return {
    all: () => Array.from(entries.values(), ({ entry }) => entry),
    touch(key) {
      const held = entries.get(key);
      if (held === undefined) return undefined;
      entries.delete(key);
      entries.set(key, held);
      return held.entry;
    },
    makeRoom() {
      if (entries.size < maxEntries) return;
      const unused = leastMissed([...entries.values()]);
      if (unused === undefined) throw unavailable('too many conversations');
      retire(unused);
    },
    add: (key, held) => void entries.set(key, held),
    leave(conversation) {
      for (const [key, { entry }] of entries) if (key.split('\n')[1] === conversation) entry.leave();
    },
    drop,
    retire,
  };
}

/** Of those that nobody uses the first one of whoever has the most. */
function leastMissed(all: readonly Held[]): Entry | undefined {
  const counts = new Map<string, number>();
  for (const { account } of all) counts.set(account, (counts.get(account) ?? 0) + 1);
  let found: Held | undefined;
  for (const held of all) {
    const isMore = (counts.get(held.account) ?? 0) > (counts.get(found?.account ?? '') ?? 0);
    if (held.entry.isUnused && (found === undefined || isMore)) found = held;
  }
  return found?.entry;
}

function keyOf(era: Era, { conversation, capabilitiesText }: Wanted, perCaller: boolean): string {
  if (era === 'modern') return perCaller ? `modern\n${conversation}` : 'modern';
  return `legacy\n${conversation}\n${capabilitiesText}`;
}
