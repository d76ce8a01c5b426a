import { expect, it, onTestFinished } from 'vitest';
import type { GatewayConfig } from '../config/index.ts';
import { createIssuerFetch } from './issuer-fetch.ts';
import { createLifetime } from './lifetime.ts';

it('reaches this machine for an issuer that is here by its address, not for one whose name only looks like it', async () => {
  const life = createLifetime();
  onTestFinished(() => life.close());
  const config = { auth: { issuerNetworks: [] } } as unknown as GatewayConfig;
  const dialled: string[] = [];
  const fetch = createIssuerFetch(() => config, life, {
    resolve: async () => ['127.0.0.1'],
    connect: ({ address }) => {
      dialled.push(address);
      return Promise.reject(new Error('nobody is there'));
    },
  });
  const ask = (issuer: string) =>
    fetch(`${issuer}/jwks`, { issuer, headers: {}, redirect: 'error', signal: AbortSignal.timeout(5_000) });
  for (const issuer of ['https://127.evil.example', 'https://localhost.evil.example', 'https://login.example']) {
    await expect(ask(issuer)).rejects.toThrow('must not be reached');
  }
  expect(dialled).toEqual([]);
  await expect(ask('https://127.0.0.1')).rejects.toThrow('nobody is there');
  expect(dialled).toEqual(['127.0.0.1']);
});
