import { createSecretKey, randomBytes } from 'node:crypto';
import type { StoredToken } from '@sallyport/core';
import { beforeEach, expect, it } from 'vitest';
import { apiToken } from './api-token.ts';
import type { AuthenticationDeps } from './kind.ts';
import { draftToken } from './mint-token.ts';

const account = { id: '1', name: 'alice', kind: 'agent' } as const;
const origin = { transport: 'http', peer: 'local', era: 'none' } as const;
const stored = new Map<string, StoredToken>();
let version: number;
let questions: number;
let nowMs: number;
let maxTokenLifeMs: number;
let duringFind: () => void;

const deps: AuthenticationDeps = {
  tokens: {
    add: () => undefined,
    revoke: () => false,
    version: () => version,
    async find(id) {
      questions++;
      const found = stored.get(id);
      duringFind();
      return found;
    },
  },
  pepper: createSecretKey(randomBytes(32)),
  nowMs: () => nowMs,
  maxTokenLifeMs: () => maxTokenLifeMs,
  scopesOf: () => [],
};
let ask: (token: string) => Promise<string>;

beforeEach(() => {
  stored.clear();
  version = 1;
  questions = 0;
  nowMs = 1_000_000;
  maxTokenLifeMs = 1_000_000;
  duringFind = () => undefined;
  const authenticator = apiToken.create(deps);
  ask = async (token) => {
    try {
      await authenticator.authenticate({ presented: { kind: 'bearer', token }, origin });
      return 'ok';
    } catch (error) {
      return (error as { reason: string }).reason;
    }
  };
});

function mint(): { readonly text: string; revoke: () => void } {
  const { text, stored: token } = draftToken(deps, { account, scopes: [], label: 'x', lifeMs: 10_000 });
  stored.set(token.id, token);
  return { text, revoke: () => void stored.set(token.id, { ...token, revokedAtMs: 1 }) };
}

it('asks the store once for a token, as long as nothing changes', async () => {
  const { text } = mint();
  for (let calls = 0; calls < 5; calls++) expect(await ask(text)).toBe('ok');
  expect(questions).toBe(1);
});

it('asks again after any change', async () => {
  const { text, revoke } = mint();
  expect(await ask(text)).toBe('ok');
  revoke();
  version++;
  expect(await ask(text)).toBe('credential_revoked');
});

it('does not remember what changed while it was asking', async () => {
  const { text, revoke } = mint();
  duringFind = () => {
    revoke();
    version++;
  };
  expect(await ask(text)).toBe('ok');
  duringFind = () => undefined;
  expect(await ask(text)).toBe('credential_revoked');
});

it('looks at the clock and the longest life each time', async () => {
  const { text } = mint();
  expect(await ask(text)).toBe('ok');
  maxTokenLifeMs = 10;
  nowMs += 11;
  expect(await ask(text)).toBe('credential_expired');
  maxTokenLifeMs = 1_000_000;
  expect(await ask(text)).toBe('ok');
  nowMs += 10_000;
  expect(await ask(text)).toBe('credential_expired');
});

it('does not remember what was bad', async () => {
  const { text, revoke } = mint();
  const token = [...stored.values()][0] as StoredToken;
  revoke();
  expect(await ask(text)).toBe('credential_revoked');
  stored.set(token.id, token);
  expect(await ask(text)).toBe('ok');
});
