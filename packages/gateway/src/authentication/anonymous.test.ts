import { type Endpoint, notResponsible, type Presented } from '@sallyport/core';
import { expect, it } from 'vitest';
import { anonymous } from './anonymous.ts';
import type { AuthSettings } from './settings.ts';
import { createAuthenticate } from './stage.ts';

const origin = { transport: 'http', peer: '::1', era: 'none' } as const;
const settings: AuthSettings = { anonymous: [{ view: 'public', scopes: ['docs:read'] }] };
const chain = createAuthenticate([anonymous.create({ settings: () => settings } as never)]);
const at = (endpoint: Endpoint | undefined, presented: Presented = { kind: 'none' }) =>
  chain({ presented, origin, ...(endpoint && { endpoint }) }).catch((error: { reason: string }) => error.reason);

it('lets in whoever presents nothing at a view that is named', async () => {
  expect(await at({ kind: 'view', name: 'public' })).toEqual({
    subject: 'anonymous:public',
    client: 'anonymous',
    kind: 'agent',
    scopes: ['docs:read'],
    attributes: {},
    method: 'anonymous',
    credentialId: 'anonymous:public',
  });
});

it.each([
  ['everything', { kind: 'all' }],
  ['another view', { kind: 'view', name: 'private' }],
  ['a service of that name', { kind: 'mount', service: 'public' }],
  ['a view with a name of every object', { kind: 'view', name: '__proto__' }],
  ['no endpoint', undefined],
] as const)('lets nobody in at %s', async (_what, endpoint) => {
  expect(await at(endpoint)).toBe('credential_missing');
});

it.each([
  ['a bad token', { kind: 'bearer', token: '' }],
  ['a token of somebody', { kind: 'bearer', token: 'x.y.z' }],
] as const)('lets nobody in with %s', async (_what, presented) => {
  expect(await at({ kind: 'view', name: 'public' }, presented)).toBe('credential_invalid');
});

it('lets nobody in where the configuration names no view', () => {
  const closed = anonymous.create({} as never);
  const evidence = { presented: { kind: 'none' }, origin, endpoint: { kind: 'view', name: 'public' } } as const;
  expect(closed.authenticate(evidence)).toBe(notResponsible);
});
