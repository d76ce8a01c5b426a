import { deepEqual, equal, rejects } from 'node:assert/strict';
import type { Account, StoredToken, Tokens } from '@sallyport/core';

/** Tokens, and the one account of whoever tries them. The store holds no tokens. */
export interface TokensOfAccount {
  readonly tokens: Tokens;
  readonly account: Account;
}

/** One thing that every kind of tokens has to do; `run` throws where one does not. */
export interface TokensLaw {
  readonly name: string;
  run(store: TokensOfAccount): Promise<void>;
}

let drawn = 0;

/** A token that equals no other, but for what is said. */
export function wantedToken(account: Account, wanted: Partial<StoredToken> = {}): StoredToken {
  drawn += 1;
  const times = { createdAtMs: 1_000_000 + drawn, expiresAtMs: 9_000_000 };
  const id = `token${drawn}`;
  return { id, account, label: 'x', scopes: ['posts:read', '*'], secretHash: 'a'.repeat(64), ...times, ...wanted };
}

/** What every store of tokens holds to. */
export const tokensLaws: readonly TokensLaw[] = [
  {
    name: 'finds a token as it was added, by its id and nothing like it',
    async run({ tokens, account }) {
      const plain = wantedToken(account);
      const odd = wantedToken(account, { label: 'ü "x"', scopes: [], revokedAtMs: 3 });
      for (const token of [plain, odd]) await tokens.add(token);
      deepEqual([await tokens.find(plain.id), await tokens.find(odd.id)], [plain, odd]);
      for (const id of [plain.id.toUpperCase(), `${plain.id} `, '']) equal(await tokens.find(id), undefined);
    },
  },
  {
    name: 'takes no id twice, and no token of an account that is not there',
    async run({ tokens, account }) {
      const token = wantedToken(account);
      await tokens.add(token);
      const again = wantedToken(account, { id: token.id, label: 'other' });
      await rejects(async () => tokens.add(again), { reason: 'conflict' });
      deepEqual(await tokens.find(token.id), token);
      const orphan = wantedToken({ id: 'nobody', name: 'nobody', kind: 'agent' });
      await rejects(async () => tokens.add(orphan), { reason: 'not_found' });
    },
  },
  {
    name: 'gives a revocation to one of all who try, and keeps its time',
    async run({ tokens, account }) {
      const token = wantedToken(account);
      await tokens.add(token);
      const tried = await Promise.all(Array.from({ length: 20 }, () => tokens.revoke(token.id, 2_000_000)));
      equal(tried.filter(Boolean).length, 1);
      equal(await tokens.revoke(token.id, 3_000_000), false);
      equal((await tokens.find(token.id))?.revokedAtMs, 2_000_000);
      equal(await tokens.revoke('nobody', 1), false);
    },
  },
];
