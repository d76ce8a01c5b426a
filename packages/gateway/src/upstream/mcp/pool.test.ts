import { GatewayError, type JsonText } from '@sallyport/core';
import type { Era } from '@sallyport/protocol';
import { describe, expect, it, vi } from 'vitest';
import type { Beginning, Conversation } from './conversation.ts';
import { createListeners } from './listeners.ts';
import { createPool, type PoolOptions, type Wanted } from './pool.ts';
import { createEras } from './probe.ts';

interface Begun extends Conversation {
  readonly beginning: Beginning;
  readonly close: ReturnType<typeof vi.fn<() => Promise<void>>>;
  lose(): void;
}

function pooling(
  spoken: readonly Era[] = ['modern', 'legacy'],
  options: Partial<PoolOptions> & { readonly isMute?: boolean } = {},
) {
  let now = 0;
  const begun: Begun[] = [];
  const eras = createEras({
    nowMs: () => now,
    async begin(era, beginning) {
      if (!spoken.includes(era)) return undefined;
      const lost = createListeners<[]>();
      const close = vi.fn(async () => undefined);
      const isMute = options.isMute === true && era === 'legacy';
      const made = { era, isMute, beginning, close, onLost: lost.add, lose: lost.tell } as unknown as Begun;
      begun.push(made);
      return made;
    },
  });
  const pool = createPool({ eras, clientInfo: { name: 'x', version: '1' }, nowMs: () => now, ...options });
  const pass = (ms: number): void => {
    now += ms;
  };
  const lease = (wanted: Partial<Wanted>) =>
    pool.lease({
      era: 'legacy',
      conversation: 'a',
      capabilitiesText: '{}' as JsonText,
      credential: { kind: 'none' },
      signal: new AbortController().signal,
      ...wanted,
    });
  return { pool, begun, lease, pass };
}

describe('the conversations with one server', () => {
  it('are given up by whoever has the most when there are too many', async () => {
    const { begun, lease } = pooling(['legacy'], { maxConversations: 5 });
    const open = async (account: string, conversation: string): Promise<void> => {
      (await lease({ account, conversation })).release();
    };
    await open('modest', 'first');
    for (let n = 0; n < 20; n++) await open('greedy', `greedy ${n}`);
    expect(begun[0]?.close).not.toHaveBeenCalled();
    await open('another', 'second');
    await open('modest', 'first');
    expect(begun).toHaveLength(22);
    expect(begun.filter(({ close }) => close.mock.calls.length === 0)).toHaveLength(5);
  });

  it('are one for all in the modern era, and one for each client in the legacy era', async () => {
    const { pool, begun, lease } = pooling();
    await Promise.all(['a', 'b', 'a'].map((conversation) => lease({ conversation, era: 'modern' })));
    expect(begun).toHaveLength(1);
    await Promise.all(['a', 'b', 'a'].map((conversation) => lease({ conversation })));
    await lease({ capabilitiesText: '{"roots":{}}' as JsonText });
    expect(begun.map(({ era }) => era)).toEqual(['modern', 'legacy', 'legacy', 'legacy']);
    await pool.close();
    for (const { close } of begun) expect(close).toHaveBeenCalledOnce();
  });

  it('end with their client, those in use when they are not any more', async () => {
    const { begun, lease } = pooling();
    const listeners: (() => void)[] = [];
    const onEnd = (listener: () => void) => void listeners.push(listener);
    (await lease({ conversation: 'a', onEnd })).release();
    const used = await lease({ conversation: 'a', onEnd, capabilitiesText: '{"roots":{}}' as JsonText });
    (await lease({ conversation: 'b' })).release();
    expect(listeners).toHaveLength(1);
    for (const listener of listeners) listener();
    await vi.waitFor(() => expect(begun[0]?.close).toHaveBeenCalledOnce(), 15_000);
    expect(begun[1]?.close).not.toHaveBeenCalled();
    used.release();
    await vi.waitFor(() => expect(begun[1]?.close).toHaveBeenCalledOnce(), 15_000);
    expect(begun[2]?.close).not.toHaveBeenCalled();
  });

  it('end even if their client was gone before', async () => {
    const { begun, lease } = pooling();
    (await lease({ onEnd: (listener) => listener() })).release();
    await vi.waitFor(() => expect(begun[0]?.close).toHaveBeenCalledOnce(), 15_000);
  });

  it('are one for each client in the modern era too where callers are kept apart', async () => {
    const { begun, lease } = pooling(undefined, { perCaller: true });
    await Promise.all(['a', 'b', 'a'].map((conversation) => lease({ conversation, era: 'modern' })));
    expect(begun.map(({ era }) => era)).toEqual(['modern', 'modern']);
  });

  it('are of the other era when the server does not speak the one that is preferred', async () => {
    const { lease } = pooling(['legacy']);
    expect((await lease({ era: 'modern' })).conversation.era).toBe('legacy');
    await expect(pooling([]).lease({})).rejects.toMatchObject({ reason: 'upstream_unavailable' });
  });

  it('are of the other era when the server could ask nothing in the one that is preferred, for who can be asked', async () => {
    const capabilitiesText = '{"elicitation":{}}' as JsonText;
    const { begun, lease } = pooling(undefined, { isMute: true });
    expect((await lease({ capabilitiesText })).conversation.era).toBe('modern');
    expect((await lease({ capabilitiesText, conversation: 'b' })).conversation.era).toBe('modern');
    expect(begun).toHaveLength(2);
    expect((await lease({ conversation: 'c' })).conversation.era).toBe('legacy');
    expect((await pooling(['legacy'], { isMute: true }).lease({ capabilitiesText })).conversation.era).toBe('legacy');
  });

  it('are closed when there are too many, the least recently used first, but for those in use', async () => {
    const { begun, lease } = pooling(['legacy'], { maxConversations: 2 });
    const first = await lease({ conversation: 'a' });
    (await lease({ conversation: 'b' })).release();
    await lease({ conversation: 'c' });
    await vi.waitFor(() => expect(begun[1]?.close).toHaveBeenCalledOnce(), 15_000);
    await expect(lease({ conversation: 'd' })).rejects.toMatchObject({ reason: 'upstream_unavailable' });
    expect(begun).toHaveLength(3);
    first.release();
    await lease({ conversation: 'd' });
    await vi.waitFor(() => expect(begun[0]?.close).toHaveBeenCalledOnce(), 15_000);
  });

  it('are closed when nobody used them for long', async () => {
    vi.useFakeTimers();
    try {
      const { begun, lease, pass } = pooling(['legacy'], { idleMs: 1_000 });
      const used = await lease({ conversation: 'a' });
      (await lease({ conversation: 'b' })).release();
      pass(1_000);
      await vi.advanceTimersByTimeAsync(1_000);
      expect(begun.map(({ close }) => close.mock.calls.length)).toEqual([0, 1]);
      used.release();
    } finally {
      vi.useRealTimers();
    }
  });

  it('are begun anew when the server forgot them, or somebody discards them', async () => {
    const { begun, lease } = pooling(['legacy']);
    (await lease({})).release();
    begun[0]?.lose();
    const second = await lease({});
    second.discard();
    await vi.waitFor(() => expect(begun[1]?.close).toHaveBeenCalledOnce(), 15_000);
    await lease({});
    expect(begun).toHaveLength(3);
  });

  it('are waited for no longer than their caller waits', async () => {
    const never = new Promise<undefined>(() => undefined);
    const eras = createEras({ begin: () => never, nowMs: () => 0 });
    const { lease } = pooling([], { eras });
    const caller = new AbortController();
    const leasing = lease({ signal: caller.signal });
    caller.abort(new GatewayError('cancelled'));
    await expect(leasing).rejects.toMatchObject({ reason: 'cancelled' });
  });
});
