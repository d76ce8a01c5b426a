import { createSecretKey, randomBytes } from 'node:crypto';
import { notResponsible } from '@sallyport/core';
import { beforeEach, expect, it, vi } from 'vitest';
import { apiToken } from './api-token.ts';
import { draftToken } from './mint-token.ts';
import { formatToken } from './token-text.ts';

const counts = vi.hoisted(() => ({ compares: 0, hashes: 0 }));

vi.mock(import('node:crypto'), async (original) => {
  const real = await original();
  return {
    ...real,
    timingSafeEqual: (a: NodeJS.ArrayBufferView, b: NodeJS.ArrayBufferView) => {
      counts.compares++;
      return real.timingSafeEqual(a, b);
    },
    createHmac: ((...parameters: Parameters<typeof real.createHmac>) => {
      counts.hashes++;
      return real.createHmac(...parameters);
    }) as typeof real.createHmac,
  };
});

const deps = {
  pepper: createSecretKey(randomBytes(32)),
  nowMs: () => 1000,
  maxTokenLifeMs: () => 1_000_000,
  scopesOf: () => [],
};
const account = { id: '1', name: 'alice', kind: 'agent' } as const;
const unused = { find: () => undefined, add: () => undefined, revoke: () => false };
const { text, stored } = draftToken({ ...deps, tokens: unused }, { account, scopes: [], label: 'x', lifeMs: 1000 });

beforeEach(() => {
  counts.compares = 0;
  counts.hashes = 0;
});

it.each([
  ['a good token', text],
  ['a wrong secret', formatToken({ id: stored.id, secret: 'A'.repeat(43) })],
  ['an unknown id', formatToken({ id: 'A'.repeat(16), secret: 'A'.repeat(43) })],
])('%s costs one hash and one constant-time comparison', async (_what, token) => {
  const tokens = { ...unused, find: (id: string) => (id === stored.id ? stored : undefined) };
  const authenticator = apiToken.create({ ...deps, tokens });
  const origin = { transport: 'http', peer: 'local', era: 'none' } as const;
  const answer = await Promise.resolve(
    authenticator.authenticate({ presented: { kind: 'bearer', token }, origin }),
  ).catch(() => 'refused');
  expect(answer).not.toBe(notResponsible);
  expect(counts).toEqual({ compares: 1, hashes: 1 });
});
