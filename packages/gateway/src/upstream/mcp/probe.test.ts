import { GatewayError } from '@sallyport/core';
import type { Era } from '@sallyport/protocol';
import { describe, expect, it } from 'vitest';
import type { Conversation } from './conversation.ts';
import { createEras } from './probe.ts';
import { beginning } from './testing/conversation.ts';

function memory(spoken: Record<Era, boolean | GatewayError>, isMute = false) {
  let now = 0;
  const asked: Era[] = [];
  const eras = createEras({
    nowMs: () => now,
    rememberMs: 1_000,
    async begin(era) {
      asked.push(era);
      const verdict = spoken[era];
      if (verdict instanceof GatewayError) throw verdict;
      return verdict ? ({ era, isMute: isMute && era === 'legacy' } as Conversation) : undefined;
    },
  });
  const pass = (ms: number): void => {
    now += ms;
  };
  return { eras, asked, pass, spoken };
}

describe('what eras a server speaks', () => {
  it('begins with the one that is preferred', () => {
    const { eras } = memory({ modern: true, legacy: true });
    expect(eras.order('modern')).toEqual(['modern', 'legacy']);
    expect(eras.order('legacy')).toEqual(['legacy', 'modern']);
  });

  it('ends with one in which the server can ask nothing, for those who can be asked', async () => {
    const { eras } = memory({ modern: true, legacy: true }, true);
    expect(eras.order('legacy', true)).toEqual(['legacy', 'modern']);
    await eras.begin('legacy', beginning());
    expect(eras.order('legacy', true)).toEqual(['modern', 'legacy']);
    expect(eras.order('legacy')).toEqual(['legacy', 'modern']);
    eras.forget();
    expect(eras.order('legacy', true)).toEqual(['legacy', 'modern']);
  });

  it('is remembered for a while, and learnt again after it', async () => {
    const { eras, asked, pass, spoken } = memory({ modern: false, legacy: true });
    expect(await eras.begin('modern', beginning())).toBeUndefined();
    expect(await eras.begin('modern', beginning())).toBeUndefined();
    expect(asked).toEqual(['modern']);
    expect(eras.order('modern')).toEqual(['legacy']);
    spoken.modern = true;
    pass(1_000);
    expect(eras.order('modern')).toEqual(['modern', 'legacy']);
    expect(await eras.begin('modern', beginning())).toBeDefined();
  });

  it('is not learnt from a server that is out of reach', async () => {
    const { eras, asked } = memory({ modern: new GatewayError('upstream_unavailable'), legacy: true });
    for (let i = 0; i < 2; i++) await expect(eras.begin('modern', beginning())).rejects.toThrow(GatewayError);
    expect(asked).toEqual(['modern', 'modern']);
    expect(eras.order('legacy')).toEqual(['legacy', 'modern']);
  });

  it('is forgotten when the server may be another one', async () => {
    const { eras } = memory({ modern: false, legacy: true });
    await eras.begin('modern', beginning());
    eras.forget();
    expect(eras.order('modern')).toEqual(['modern', 'legacy']);
  });

  it('is asked again when it spoke neither', async () => {
    const { eras } = memory({ modern: false, legacy: false });
    for (const era of eras.order('modern')) expect(await eras.begin(era, beginning())).toBeUndefined();
    expect(eras.order('modern')).toEqual(['modern', 'legacy']);
  });
});
