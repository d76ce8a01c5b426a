import { createSecretKey, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { GatewayError } from '@sallyport/core';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openState, type State } from '../store/state.ts';
import { authenticatorKinds } from './index.ts';
import { type MintedToken, mintToken } from './mint-token.ts';
import { createAuthenticate } from './stage.ts';
import { formatToken } from './token-text.ts';

const hour = 3_600_000;
const origin = { transport: 'http', peer: '127.0.0.1', era: 'modern' } as const;
const pepper = createSecretKey(randomBytes(32));

interface World {
  state: State;
  nowMs: number;
  maxTokenLifeMs: number;
}

let folder: string;
let world: World;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-bad-tokens-'));
  const nowMs = 1_800_000_000_000;
  world = {
    state: await openState({ path: join(folder, 'state.db'), nowMs: () => nowMs }),
    nowMs,
    maxTokenLifeMs: 24 * hour,
  };
});

afterEach(async () => {
  await world.state.close();
  rmSync(folder, { recursive: true, force: true });
});

const deps = (key = pepper) => ({
  tokens: world.state.tokens,
  pepper: key,
  nowMs: () => world.nowMs,
  maxTokenLifeMs: () => world.maxTokenLifeMs,
  scopesOf: () => [],
});

async function mint(name = 'alice'): Promise<MintedToken> {
  const account = await world.state.accounts.ensure({ name, kind: 'agent' });
  return mintToken(deps(), { account, scopes: ['posts:read'], label: 'test', lifeMs: hour });
}

async function refusalOf(token: string, key = pepper): Promise<GatewayError> {
  const authenticate = createAuthenticate(authenticatorKinds.map((kind) => kind.create(deps(key))));
  const outcome = await authenticate({ presented: { kind: 'bearer', token }, origin }).catch((error: unknown) => error);
  if (!(outcome instanceof GatewayError)) throw new Error(`not refused: ${inspect(outcome)}`);
  return outcome;
}

async function expectRefusal(token: MintedToken, text: string, reason: string): Promise<void> {
  const error = await refusalOf(text);
  expect(error.reason).toBe(reason);
  const told = `${inspect(error, { depth: 8 })}${JSON.stringify(error)}${error.message}`;
  for (const secret of [secretOf(token.text), token.stored.secretHash, pepper.export().toString('hex')]) {
    expect(told).not.toContain(secret);
  }
}

/** Changes to the text of a good token after which it is none. */
const spoiled: readonly (readonly [what: string, spoil: (text: string) => string])[] = [
  // Cut off, stretched, misspelt.
  ['empty text', () => ''],
  ['one space', () => ' '],
  ['the prefix alone', () => 'sp_'],
  ['the prefix and its separators', () => 'sp___'],
  ['the id alone', (text) => text.slice(3, 19)],
  ['prefix and id', (text) => text.slice(0, 19)],
  ['no checksum', (text) => text.slice(0, -7)],
  ['an empty checksum', (text) => text.slice(0, -6)],
  ['the last letter missing', (text) => text.slice(0, -1)],
  ['the first letter missing', (text) => text.slice(1)],
  ['half of it', (text) => text.slice(0, text.length / 2)],
  ['one letter more', (text) => `${text}A`],
  ['itself twice', (text) => text + text],
  ['itself twice with a comma', (text) => `${text},${text}`],
  ['a wrong checksum', (text) => changeAt(text, text.length - 1)],
  ['a checksum of zeros', (text) => `${text.slice(0, -6)}000000`],
  ['one letter of the secret changed', (text) => changeAt(text, 30)],
  ['one letter of the id changed', (text) => changeAt(text, 8)],
  ['the secret backwards', (text) => text.replace(secretOf(text), [...secretOf(text)].reverse().join(''))],
  ['no separators', (text) => text.replaceAll('_', '')],
  ['other separators', (text) => text.replaceAll('_', '-')],
  ['another prefix', (text) => text.replace('sp_', 'xx_')],
  ['the scheme inside', (text) => `Bearer ${text}`],
  // Case and whitespace.
  ['upper case', (text) => text.toUpperCase()],
  ['lower case', (text) => text.toLowerCase()],
  ['an upper-case prefix', (text) => text.replace('sp_', 'SP_')],
  ['a space before', (text) => ` ${text}`],
  ['a space after', (text) => `${text} `],
  ['a space inside', (text) => text.replace('_', ' _')],
  ['a tab after', (text) => `${text}\t`],
  ['a line feed after', (text) => `${text}\n`],
  ['a carriage return after', (text) => `${text}\r\n`],
  ['a line feed before', (text) => `\n${text}`],
  ['a no-break space after', (text) => `${text}\u00a0`],
  // Characters that other languages trip over.
  ['NUL after', (text) => `${text}\0`],
  ['NUL inside', (text) => `${text.slice(0, 20)}\0${text.slice(21)}`],
  ['NUL and a tail', (text) => `${text}\0admin`],
  ['NUL alone', () => '\0'],
  ['a byte order mark before', (text) => `\ufeff${text}`],
  ['a Cyrillic look-alike in the prefix', (text) => text.replace('s', '\u0455')],
  ['full-width letters', (text) => text.replaceAll(/[A-Za-z]/g, (c) => String.fromCharCode(c.charCodeAt(0) + 0xfee0))],
  ['a zero-width space inside', (text) => `${text.slice(0, 20)}\u200b${text.slice(20)}`],
  ['a combining accent after', (text) => `${text}\u0301`],
  ['half a surrogate pair', (text) => `${text.slice(0, -1)}\ud800`],
  ['an emoji', () => 'sp_\u{1f511}'],
  ['percent-encoding', (text) => text.replaceAll('_', '%5F')],
  ['base64 of it', (text) => Buffer.from(text).toString('base64')],
  // Too much, and other languages.
  ['a megabyte', () => `sp_${'A'.repeat(1_000_000)}`],
  ['a megabyte of prefixes', () => 'sp_'.repeat(333_333)],
  ['SQL in place of the id', (text) => text.replace(/^sp_.{16}/, "sp_' OR '1'='1' --")],
  ['a JWT without signature', () => 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.'],
  ['a path', () => '../../state.db'],
  ['JSON', () => '{"id":"x"}'],
  ['undefined as text', () => 'undefined'],
  ['null as text', () => 'null'],
  ['a star', () => '*'],
];

/** Tokens of good form with a good checksum that nobody minted. */
const forged: readonly (readonly [what: string, forge: (token: MintedToken) => string | Promise<string>])[] = [
  ['no secret', ({ stored }) => formatToken({ id: stored.id, secret: '' })],
  ['a wrong secret', ({ stored }) => formatToken({ id: stored.id, secret: 'A'.repeat(43) })],
  ['a secret of zeros', ({ stored }) => formatToken({ id: stored.id, secret: '0'.repeat(43) })],
  ['a secret of 65 letters', ({ stored }) => formatToken({ id: stored.id, secret: 'A'.repeat(65) })],
  ['an unknown id', ({ text }) => formatToken({ id: '0'.repeat(16), secret: secretOf(text) })],
  ['an unknown id and secret', () => formatToken({ id: 'Z'.repeat(16), secret: 'Z'.repeat(43) })],
  ['a wildcard for an id', ({ text }) => formatToken({ id: '%'.repeat(16), secret: secretOf(text) })],
  ['id and secret swapped', ({ stored, text }) => formatToken({ id: secretOf(text), secret: stored.id })],
  ['the stored hash as the secret', ({ stored }) => formatToken({ id: stored.id, secret: stored.secretHash })],
  ['the secret cut', ({ stored, text }) => formatToken({ id: stored.id, secret: secretOf(text).slice(0, 32) })],
  ['the secret and a letter', ({ stored, text }) => formatToken({ id: stored.id, secret: `${secretOf(text)}A` })],
  ['the id in other case', ({ stored, text }) => formatToken({ id: swapCase(stored.id), secret: secretOf(text) })],
  ['the secret in other case', ({ stored, text }) => formatToken({ id: stored.id, secret: swapCase(secretOf(text)) })],
  [
    'the secret of another token of the account',
    async ({ stored }) => formatToken({ id: stored.id, secret: secretOf((await mint()).text) }),
  ],
  [
    'the secret of another account',
    async ({ stored }) => formatToken({ id: stored.id, secret: secretOf((await mint('mallory')).text) }),
  ],
];

/** What ends a token, and what is said to those who know its secret. */
const ended: readonly (readonly [what: string, end: (token: MintedToken) => unknown, reason: string])[] = [
  ['revoked', ({ stored }) => revoke(stored.id), 'credential_revoked'],
  ['of a disabled account', () => disable('alice'), 'credential_revoked'],
  ['at the moment of expiry', ({ stored }) => wait(stored.expiresAtMs - world.nowMs), 'credential_expired'],
  ['long after expiry', () => wait(100 * hour), 'credential_expired'],
  [
    'revoked and expired',
    async ({ stored }) => {
      await revoke(stored.id);
      wait(100 * hour);
    },
    'credential_revoked',
  ],
  [
    'older than the longest life allowed now',
    () => {
      world.maxTokenLifeMs = 60_000;
      wait(60_000);
    },
    'credential_expired',
  ],
  [
    'under a longest life that is not a number',
    () => {
      world.maxTokenLifeMs = Number.NaN;
    },
    'credential_expired',
  ],
  [
    'revoked and pruned',
    async ({ stored }) => {
      await revoke(stored.id);
      await world.state.tokens.prune(world.nowMs + 1);
    },
    'credential_invalid',
  ],
];

describe('a bad token is refused, with the reason and nothing more', () => {
  it.each(spoiled)('%s', async (_what, spoil) => {
    const token = await mint();
    await expectRefusal(token, spoil(token.text), 'credential_invalid');
  });

  it.each(forged)('%s', async (_what, forge) => {
    const token = await mint();
    await expectRefusal(token, await forge(token), 'credential_invalid');
  });

  it.each(ended)('%s', async (_what, end, reason) => {
    const token = await mint();
    await end(token);
    await expectRefusal(token, token.text, reason);
  });

  it.each(ended)('%s, and who does not know the secret is not told so', async (_what, end) => {
    const token = await mint();
    await end(token);
    const guess = formatToken({ id: token.stored.id, secret: 'A'.repeat(43) });
    await expectRefusal(token, guess, 'credential_invalid');
  });

  it('a token minted under another pepper is no token', async () => {
    const { text } = await mint();
    expect((await refusalOf(text, createSecretKey(randomBytes(32)))).reason).toBe('credential_invalid');
  });

  it('no text is a token unless it was minted here', async () => {
    await mint();
    const text = fc.oneof(fc.string({ unit: 'binary' }), fc.stringMatching(/^sp_[0-9A-Za-z_]*$/));
    await fc.assert(
      fc.asyncProperty(text, async (token) => {
        expect((await refusalOf(token)).reason).toBe('credential_invalid');
      }),
    );
  });
});

async function revoke(id: string): Promise<void> {
  await world.state.tokens.revoke(id, world.nowMs);
}

async function disable(name: string): Promise<void> {
  await world.state.accounts.disable(name, world.nowMs);
}

function wait(ms: number): void {
  world.nowMs += ms;
}

function secretOf(token: string): string {
  return token.split('_')[2]!;
}

function changeAt(text: string, at: number): string {
  return text.slice(0, at) + (text.charAt(at) === 'A' ? 'B' : 'A') + text.slice(at + 1);
}

function swapCase(text: string): string {
  return text.replaceAll(/[A-Za-z]/g, (letter) => (letter < 'a' ? letter.toLowerCase() : letter.toUpperCase()));
}
