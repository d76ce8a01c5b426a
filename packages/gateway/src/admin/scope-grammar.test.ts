import { createSecretKey, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { authenticatorKinds } from '../authentication/index.ts';
import { mintToken } from '../authentication/mint-token.ts';
import { createAuthenticate } from '../authentication/stage.ts';
import { scopesSatisfy } from '../entitlement/scopes.ts';
import { openState, type State } from '../store/state.ts';

let folder: string;
let state: State;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-scopes-'));
  state = await openState({ path: join(folder, 'state.db'), nowMs: () => 0 });
});

afterEach(async () => {
  await state.close();
  rmSync(folder, { recursive: true, force: true });
});

/** What a token minted with one scope may do, asked in the way every pipeline asks. */
async function mayWith(scope: string, needed: readonly string[]): Promise<boolean> {
  const deps = {
    tokens: state.tokens,
    pepper: createSecretKey(randomBytes(32)),
    nowMs: () => 0,
    maxTokenLifeMs: () => 1000,
    scopesOf: () => [],
  };
  const account = await state.accounts.ensure({ name: 'alice', kind: 'agent' });
  const { text } = await mintToken(deps, { account, scopes: [scope], label: 'x', lifeMs: 1000 });
  const authenticate = createAuthenticate(authenticatorKinds.map((kind) => kind.create(deps)));
  const origin = { transport: 'http', peer: 'local', era: 'none' } as const;
  const principal = await authenticate({ presented: { kind: 'bearer', token: text }, origin });
  return scopesSatisfy(principal.scopes, needed);
}

describe('there is one meaning of scopes, for tools and for administration', () => {
  it.each([
    ['posts:write', ['posts:write'], true],
    ['posts:write', ['posts:read', 'posts:write'], true],
    ['posts:write', ['posts:read'], false],
    ['posts:write', ['posts:writer'], false],
    ['posts:write', [], true],
    ['posts:*', ['posts:write'], true],
    ['posts:*', ['posts:drafts:write'], true],
    ['posts:*', ['postscript:write'], false],
    ['posts:*', ['users:read'], false],
    ['posts', ['posts:write'], false],
    ['*', ['posts:write'], true],
    ['*', ['anything'], true],
    ['*', ['admin:read'], false],
    ['*', ['admin:tokens'], false],
    ['admin:*', ['admin:tokens'], true],
    ['admin:*', ['posts:read'], false],
    ['admin:read', ['admin:tokens'], false],
    ['administrator:*', ['admin:tokens'], false],
    ['admin', ['admin:tokens'], false],
  ])('a token with %s, where any of %j is needed: %s', async (scope, needed, expected) => {
    expect(await mayWith(scope, needed)).toBe(expected);
  });
});
