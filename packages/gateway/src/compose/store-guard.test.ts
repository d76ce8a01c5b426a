import { expect, it } from 'vitest';
import { createAuthenticate } from '../authentication/stage.ts';
import { createStoreGuard } from './store-guard.ts';

const origin = { transport: 'http', peer: '127.0.0.1', era: 'modern' } as const;

it('nobody is let in while the store says nothing, but the owner at the socket', async () => {
  let answers = false;
  const guard = createStoreGuard({ answers: () => answers });
  const everybody = { subject: 'x', client: 'x', kind: 'agent', scopes: [], attributes: {}, method: 'x' } as const;
  const authenticate = createAuthenticate([guard, { authenticate: () => ({ ...everybody, credentialId: 'x' }) }]);
  const ask = (kind: 'none' | 'local-owner') =>
    authenticate({ presented: kind === 'none' ? { kind } : { kind, user: 'dana' }, origin });
  await expect(ask('none')).rejects.toMatchObject({ reason: 'store_unavailable' });
  expect(await ask('local-owner')).toMatchObject({ subject: 'x' });
  answers = true;
  expect(await ask('none')).toMatchObject({ subject: 'x' });
});
