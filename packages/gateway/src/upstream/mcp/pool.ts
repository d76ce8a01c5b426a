import { GatewayError, type JsonText, type OutboundCredential } from '@sallyport/core';
import type { Era, ServerInfo } from '@sallyport/protocol';
import type { Conversation } from './conversation.ts';
import type { Eras } from './probe.ts';
import { unlessAborted } from './unless-aborted.ts';

/** Which conversation a call needs. */
export interface Wanted {
  /** The era to prefer; the other one is taken when the server does not speak it. */
  readonly era: Era;
  /** Whose conversation it is: in the legacy era a server knows its client by it. */
  readonly conversation: string;
  /** What that client can be asked; a legacy server is told once. */
  readonly capabilitiesText: JsonText;
  readonly credential: OutboundCredential;
  /** How long to wait for it. */
  readonly signal: AbortSignal;
}

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
}

const beginningMs = 10_000;

interface Entry {
  readonly key: string;
  readonly begun: Promise<Conversation | undefined>;
  conversation?: Conversation;
  readonly notes: Map<string, string>;
  users: number;
  usedAtMs: number;
}

/**
 * Keeps the conversations with one server: a single one of the modern era, which has no memory, and of the legacy era one
 * per client and what it can be asked. Those that nobody used for long are closed, the least recently used first.
 */
export function createPool(options: PoolOptions): Pool {
  const { eras, clientInfo, nowMs, maxConversations = 1_024, idleMs = 600_000 } = options;
  // In the order of their last use.
  const entries = new Map<string, Entry>();
  const closing = new AbortController();

  const drop = (entry: Entry): void => {
    if (entries.get(entry.key) === entry) entries.delete(entry.key);
  };
  const retire = async (entry: Entry): Promise<void> => {
    drop(entry);
    await entry.conversation?.close();
  };
  const sweep = (): void => {
    for (const entry of [...entries.values()]) {
      const isIdle = entry.users === 0 && entry.conversation !== undefined;
      if (isIdle && nowMs() - entry.usedAtMs >= idleMs) void retire(entry).catch(() => undefined);
    }
  };
  const clock = setInterval(sweep, Math.min(idleMs, 30_000)).unref();

  const begin = (key: string, era: Era, { capabilitiesText, credential }: Wanted): Entry => {
    const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(beginningMs)]);
    const begun = eras.begin(era, { clientInfo, capabilitiesText, credential, signal });
    const entry: Entry = { key, begun, notes: new Map(), users: 0, usedAtMs: nowMs() };
    entries.set(key, entry);
    begun.then(
      (conversation) => {
        if (conversation === undefined) drop(entry);
        else {
          entry.conversation = conversation;
          conversation.onLost(() => {
            drop(entry);
            // It may be another server now.
            eras.forget();
          });
        }
      },
      () => drop(entry),
    );
    return entry;
  };

  /** Makes room for one more. */
  const evict = (): void => {
    if (entries.size < maxConversations) return;
    const unused = [...entries.values()].find(({ users, conversation }) => users === 0 && conversation !== undefined);
    if (unused === undefined) throw unavailable('too many conversations');
    void retire(unused).catch(() => undefined);
  };

  const leaseOf = async (entry: Entry, signal: AbortSignal): Promise<Lease | undefined> => {
    entry.users += 1;
    let isReleased = false;
    const release = (): void => {
      if (isReleased) return;
      isReleased = true;
      entry.users -= 1;
      entry.usedAtMs = nowMs();
      // It was dropped while it was in use.
      if (entry.users === 0 && entries.get(entry.key) !== entry) entry.conversation?.close().catch(() => undefined);
    };
    try {
      const conversation = await unlessAborted(entry.begun, signal);
      const discard = (): void => {
        drop(entry);
        release();
      };
      if (conversation) return { conversation, notes: entry.notes, release, discard };
    } catch (cause) {
      release();
      // Whatever went wrong, nothing of a call was sent.
      throw signal.aborted ? signal.reason : unavailable(cause);
    }
    release();
    return undefined;
  };

  return {
    async lease(wanted) {
      let fault: unknown;
      for (const era of eras.order(wanted.era)) {
        if (closing.signal.aborted) throw unavailable('closed');
        const key = keyOf(era, wanted);
        const known = entries.get(key);
        if (known) entries.delete(key);
        else evict();
        const entry = known ?? begin(key, era, wanted);
        entries.set(key, entry);
        try {
          const leased = await leaseOf(entry, wanted.signal);
          if (leased) return leased;
        } catch (error) {
          // A server may choke on what it does not know: the other era may still be spoken.
          if (wanted.signal.aborted) throw error;
          fault ??= error;
        }
      }
      throw fault ?? unavailable('it speaks no known revision of MCP');
    },
    async close() {
      clearInterval(clock);
      closing.abort(new GatewayError('upstream_unavailable', {}, { cause: 'closed' }));
      await Promise.allSettled([...entries.values()].map(retire));
    },
  };
}

function keyOf(era: Era, { conversation, capabilitiesText }: Wanted): string {
  return era === 'modern' ? 'modern' : `legacy\n${conversation}\n${capabilitiesText}`;
}

function unavailable(cause: unknown): GatewayError {
  return new GatewayError('upstream_unavailable', {}, { cause });
}
