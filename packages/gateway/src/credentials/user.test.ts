import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Permit } from '@sallyport/core';
import { expect, it, onTestFinished } from 'vitest';
import { createSealer } from '../secrets/index.ts';
import { openState } from '../store/index.ts';
import { createKeeper } from './keeper.ts';
import type { UserSettings } from './settings.ts';
import { createUserCredential } from './user.ts';

const permit = { principal: { subject: 'alice', method: 'api-token' } } as unknown as Permit;
const issuer = 'https://login.example';
const usual: UserSettings = {
  ...{ kind: 'oauth', account: 'user', dpop: 'auto' },
  allow: { loopback: false, ranges: [] },
};

/** What alice's calls show to the service at an address, once she has consented at `https://tickets.example`. */
async function shownAt(address: string, settings: Partial<UserSettings> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'sp-grants-'));
  const state = await openState({ path: join(folder, 'state.db'), nowMs: Date.now });
  onTestFinished(async () => {
    await state.close();
    rmSync(folder, { recursive: true });
  });
  const keeper = createKeeper({
    ...{ store: state.grants, sealer: createSealer(randomBytes(32), Date.now), nowMs: Date.now },
  });
  await keeper.add({
    ...{ user: '[null,"alice"]', upstream: 'tickets', issuer, scopes: [], redirectUri: 'https://gate.example/back' },
    ...{ resource: 'https://tickets.example/mcp', tokens: { accessToken: 'of-alice', tokenType: 'bearer' } },
  });
  const refuse = () => Promise.reject(new Error('nobody is to be asked'));
  const { forCall } = createUserCredential({
    ...{ service: 'tickets', address, settings: { ...usual, ...settings }, keeper, nowMs: Date.now },
    ...{ fetch: refuse, clientAt: refuse, forgetClient: async () => undefined, onMissing: () => undefined },
    ask: () => {
      throw new Error('nobody is to be asked');
    },
    askUpstream: () => undefined,
  });
  return (await forCall(permit)).kind;
}

it('shows what a user granted to the server it was granted for, not to another one that has its name now', async () => {
  expect(await shownAt('https://tickets.example/mcp')).toBe('bearer');
  expect(await shownAt('https://tickets.example/v2/mcp')).toBe('bearer');
  expect(await shownAt('https://other.example/mcp')).toBe('none');
  expect(await shownAt('https://tickets.example:8443/mcp')).toBe('none');
  expect(await shownAt('https://tickets.example/mcp', { issuer })).toBe('bearer');
  expect(await shownAt('https://tickets.example/mcp', { issuer: 'https://new.example' })).toBe('none');
  expect(await shownAt('https://other.example/mcp', { resource: 'https://tickets.example/mcp' })).toBe('bearer');
  expect(await shownAt('https://tickets.example/mcp', { resource: 'https://other.example/mcp' })).toBe('none');
});
