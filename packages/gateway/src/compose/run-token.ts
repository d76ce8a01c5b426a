import { mintToken } from '../authentication/mint-token.ts';
import type { Lifetime } from './lifetime.ts';
import type { Stores } from './stores.ts';

const longestMs = 24 * 3_600_000;

/** What a token of `sallyport run` leans on. */
export interface RunTokenParts {
  readonly stores: Stores;
  readonly life: Lifetime;
  readonly maxTokenLifeMs: () => number;
  readonly nowMs: () => number;
}

/** Makes a token of the account `run` that is revoked when the gateway ends, and expires in any case. */
export async function mintRunToken(parts: RunTokenParts, scopes: readonly string[]): Promise<string> {
  const { stores, life, maxTokenLifeMs, nowMs } = parts;
  const { tokens, accounts } = stores.state;
  const account = await accounts.ensure({ name: 'run', kind: 'agent' });
  const lifeMs = Math.min(longestMs, maxTokenLifeMs());
  const minting = { tokens, pepper: stores.pepper, nowMs, maxTokenLifeMs };
  const { text, stored } = await mintToken(minting, { account, scopes, label: 'run', lifeMs });
  life.onClose(() => tokens.revoke(stored.id, nowMs()).then(() => undefined));
  return text;
}
