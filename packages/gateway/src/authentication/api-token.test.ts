import { createSecretKey, randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { GatewayError, type Presented } from '@sallyport/core';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openState, type State } from '../store/state.ts';
import { authenticatorKinds } from './index.ts';
import type { AuthenticationDeps } from './kind.ts';
import { type MintedToken, mintToken } from './mint-token.ts';
import { type Authenticate, createAuthenticate } from './stage.ts';
import { formatToken, parseToken } from './token-text.ts';

const hour = 3_600_000;
const day = 24 * hour;
const origin = { transport: 'http', peer: '127.0.0.1', era: 'modern' } as const;

let folder: string;
let state: State;
let nowMs: number;
let maxTokenLifeMs: number;
let deps: AuthenticationDeps;
let authenticate: Authenticate;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-tokens-'));
  nowMs = 1_800_000_000_000;
  maxTokenLifeMs = 90 * day;
  state = await openState({ path: join(folder, 'state.db'), nowMs: () => nowMs });
  deps = {
    tokens: state.tokens,
    pepper: createSecretKey(randomBytes(32)),
    nowMs: () => nowMs,
    maxTokenLifeMs: () => maxTokenLifeMs,
    scopesOf: () => [],
  };
  authenticate = createAuthenticate(authenticatorKinds.map((kind) => kind.create(deps)));
});

afterEach(async () => {
  await state.close();
  rmSync(folder, { recursive: true, force: true });
});

async function mint(
  options: { account?: string; scopes?: readonly string[]; lifeMs?: number } = {},
): Promise<MintedToken> {
  const account = await state.accounts.ensure({ name: options.account ?? 'alice', kind: 'agent' });
  return mintToken(deps, {
    account,
    scopes: options.scopes ?? ['posts:read'],
    label: 'test',
    lifeMs: options.lifeMs ?? hour,
  });
}

async function refusalOf(presented: Presented): Promise<GatewayError> {
  const outcome = await authenticate({ presented, origin }).catch((error: unknown) => error);
  if (!(outcome instanceof GatewayError)) throw new Error(`not refused: ${inspect(outcome)}`);
  return outcome;
}

const bearer = (token: string): Presented => ({ kind: 'bearer', token });

describe('a good token', () => {
  it('names its account, its label, its scopes and itself, and nothing else', async () => {
    const { text, stored } = await mint({ scopes: ['posts:read', 'posts:write'] });
    expect(await authenticate({ presented: bearer(text), origin })).toEqual({
      subject: 'alice',
      client: 'token:test',
      kind: 'agent',
      scopes: ['posts:read', 'posts:write'],
      attributes: {},
      method: 'api-token',
      credentialId: stored.id,
    });
  });

  it('is sp_, 16 letters of id, 43 of secret and a checksum', async () => {
    const { text } = await mint();
    expect(text).toMatch(/^sp_[0-9A-Za-z]{16}_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}$/);
  });

  it('carries the tenant of its account', async () => {
    const account = await state.accounts.create({ name: 'bob', kind: 'person', tenant: 'acme' });
    const { text } = await mintToken(deps, { account, scopes: ['*'], label: 'x', lifeMs: hour });
    expect(await authenticate({ presented: bearer(text), origin })).toMatchObject({ tenant: 'acme', kind: 'person' });
  });

  it('has exactly the scopes it was minted with, whatever they are', async () => {
    const segment = fc.stringMatching(/^[a-z0-9_.-]{1,8}$/);
    const pattern = fc.stringMatching(/^[a-z0-9_.*-]{1,8}$/);
    const scope = fc.oneof(
      fc.constant('*'),
      fc.tuple(segment, fc.array(pattern, { maxLength: 3 })).map(([head, rest]) => [head, ...rest].join(':')),
    );
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(scope, { maxLength: 8 }), async (scopes) => {
        const { text } = await mint({ scopes });
        const principal = await authenticate({ presented: bearer(text), origin });
        expect(principal.scopes).toEqual(scopes);
      }),
      { numRuns: 50 },
    );
  });
});

describe('what ends a token', () => {
  it('a revocation by another process is seen at the very next call', async () => {
    const { text, stored } = await mint();
    await authenticate({ presented: bearer(text), origin });
    const elsewhere = await openState({ path: join(folder, 'state.db'), nowMs: () => nowMs });
    await elsewhere.tokens.revoke(stored.id, nowMs);
    await elsewhere.close();
    expect((await refusalOf(bearer(text))).reason).toBe('credential_revoked');
  });

  it('a disabled account ends all its tokens at once, and only its own; enabling brings them back', async () => {
    const tokens = [await mint(), await mint(), await mint({ account: 'bob' })];
    await state.accounts.disable('alice', nowMs);
    expect((await refusalOf(bearer(tokens[0]!.text))).reason).toBe('credential_revoked');
    expect((await refusalOf(bearer(tokens[1]!.text))).reason).toBe('credential_revoked');
    expect(await authenticate({ presented: bearer(tokens[2]!.text), origin })).toMatchObject({ subject: 'bob' });
    await state.accounts.enable('alice');
    expect(await authenticate({ presented: bearer(tokens[0]!.text), origin })).toMatchObject({ subject: 'alice' });
  });

  it('an unreadable store refuses everybody: an error is never an admission', async () => {
    const { text } = await mint();
    await state.close();
    const error = await refusalOf(bearer(text));
    expect(error.reason).toBe('internal');
    expect(error.message).toBe('Internal error.');
    state = await openState({ path: join(folder, 'state.db'), nowMs: () => nowMs });
  });
});

describe('secrets are not kept', () => {
  it('a copy of everything in the data folder reveals no token and no pepper', async () => {
    const tokens = await Promise.all([mint(), mint({ account: 'bob' }), mint({ scopes: ['*'] })]);
    const copy = Buffer.concat(readdirSync(folder).map((name) => readFileSync(join(folder, name))));
    expect(copy.includes(tokens[0]!.stored.id)).toBe(true);
    for (const { text } of tokens) expect(copy.includes(secretOf(text))).toBe(false);
    expect(copy.includes(deps.pepper.export())).toBe(false);
    expect(copy.includes(deps.pepper.export().toString('hex'))).toBe(false);
  });

  it('a token is shown once: no listing has its secret or the hash of it', async () => {
    const { text, stored } = await mint();
    const listed = JSON.stringify(await state.tokens.list());
    expect(listed).toContain(stored.id);
    expect(listed).not.toContain(secretOf(text));
    expect(listed).not.toContain(stored.secretHash);
  });

  it('revoking a token mints no other one', async () => {
    const { stored } = await mint();
    await state.tokens.revoke(stored.id, nowMs);
    expect(await state.tokens.list()).toHaveLength(1);
  });
});

describe('minting', () => {
  it.each([
    ['upper case', 'Posts:Read'],
    ['empty', ''],
    ['a space', 'posts read'],
    ['a colon at the end', 'posts:'],
    ['a colon at the start', ':read'],
    ['a star inside the first part', 'po*'],
    ['two stars', '**'],
    ['a line feed', 'posts:read\n'],
    ['unicode', 'pösts:read'],
    ['too long', 'a'.repeat(129)],
  ])('refuses a scope with %s', async (_what, scope) => {
    await expect(mint({ scopes: [scope] })).rejects.toMatchObject({ reason: 'invalid_input' });
  });

  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 90 * day + 1])(
    'refuses a life of %s ms',
    async (lifeMs) => {
      await expect(mint({ lifeMs })).rejects.toMatchObject({ reason: 'invalid_input' });
    },
  );

  it('allows exactly the longest life', async () => {
    const { stored } = await mint({ lifeMs: 90 * day });
    expect(stored.expiresAtMs).toBe(nowMs + 90 * day);
  });

  it('refuses a label that could be taken for something else', async () => {
    const account = await state.accounts.ensure({ name: 'alice', kind: 'agent' });
    for (const label of ['', 'a\nb', 'a:b', ' a', 'x'.repeat(65)]) {
      await expect(mintToken(deps, { account, scopes: [], label, lifeMs: hour })).rejects.toMatchObject({
        reason: 'invalid_input',
      });
    }
  });
});

describe('the text of a token', () => {
  it('reads back as what was written', () => {
    const letters = (length: number) => fc.stringMatching(new RegExp(`^[0-9A-Za-z]{${length}}$`));
    fc.assert(
      fc.property(letters(16), letters(43), (id, secret) => {
        expect(parseToken(formatToken({ id, secret }))).toEqual({ id, secret });
      }),
    );
  });
});

function secretOf(token: string): string {
  return token.split('_')[2]!;
}
