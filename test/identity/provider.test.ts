import { GatewayError } from '@sallyport/core';
import { fakeClock } from '@sallyport/testkit';
import type { JWK } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { authenticatorKinds } from '../../packages/gateway/src/authentication/index.ts';
import type { AuthenticationDeps } from '../../packages/gateway/src/authentication/kind.ts';
import { createAuthenticate } from '../../packages/gateway/src/authentication/stage.ts';
import { evidenceOf } from './attempt.ts';
import { drawHolder } from './holder.ts';
import { settingsOf } from './issuer.ts';
import { drawPrivateKey, type ProviderProcess, startProvider } from './provider.ts';

const target = { publicUrl: 'https://gate.example', method: 'POST', path: '/mcp' };
const resource = 'https://gate.example/mcp';
let provider: ProviderProcess;
let first: JWK;

beforeAll(async () => {
  first = await drawPrivateKey('first');
  provider = await startProvider({ keys: [first], resource });
});
afterAll(() => provider.stop());

function gateway() {
  const clock = fakeClock(Date.now());
  const settings = { issuers: [settingsOf(provider.issuer)] };
  const deps: AuthenticationDeps = {
    tokens: { find: () => undefined, add: () => undefined, revoke: () => false },
    pepper: undefined as never,
    ...{ nowMs: clock.nowMs, maxTokenLifeMs: () => 1, scopesOf: () => [], fetch },
    settings: () => settings,
    publicUrl: () => target.publicUrl,
  };
  const authenticate = createAuthenticate(authenticatorKinds.map((kind) => kind.create(deps)));
  const attempt = (authorization: string, dpop: readonly string[] = []) =>
    authenticate(evidenceOf({ authorization: [authorization], dpop }, target)).catch((error: unknown) =>
      error instanceof GatewayError ? error.reason : String(error),
    );
  return { clock, attempt };
}

describe('tokens of a real authorization server', () => {
  it('say who calls, and with which scopes', async () => {
    const { attempt } = gateway();
    expect(await attempt(`Bearer ${await provider.token()}`)).toMatchObject({
      subject: 'company:agent-1',
      client: 'company:agent-1',
      kind: 'agent',
      scopes: ['posts:read'],
      method: 'jwt',
    });
  });

  it('for another resource are refused', async () => {
    const { attempt } = gateway();
    const token = await provider.token({ resource: 'https://other.example/api' });
    expect(await attempt(`Bearer ${token}`)).toBe('credential_invalid');
  });

  it('that are bound to a key need its proof', async () => {
    const { attempt } = gateway();
    const [holder, thief] = [await drawHolder(), await drawHolder()];
    const token = await provider.token({ client: 'agent-2', holder });
    const request = { method: 'POST', url: `${target.publicUrl}${target.path}`, token };
    expect(await attempt(`DPoP ${token}`, [await holder.prove(request)])).toMatchObject({ subject: 'company:agent-2' });
    expect(await attempt(`DPoP ${token}`, [await thief.prove(request)])).toBe('credential_invalid');
    expect(await attempt(`Bearer ${token}`)).toBe('credential_invalid');
  });

  it('stay good over a rotation of its keys, and those of keys that are gone do not', async () => {
    const { attempt, clock } = gateway();
    const old = await provider.token();
    expect(await attempt(`Bearer ${old}`)).toMatchObject({ subject: 'company:agent-1' });
    const second = await drawPrivateKey('second');
    await provider.restart([second, first]);
    clock.advance(10_000);
    expect(await attempt(`Bearer ${await provider.token()}`)).toMatchObject({ subject: 'company:agent-1' });
    expect(await attempt(`Bearer ${old}`)).toMatchObject({ subject: 'company:agent-1' });
    await provider.restart([second]);
    clock.advance(10_000);
    // An unknown key makes it look, and then the old one is seen to be gone.
    expect(
      await attempt(
        `Bearer ${old.replace(/^[^.]*/, btoa('{"alg":"ES256","typ":"at+jwt","kid":"x"}').replace(/=+$/, ''))}`,
      ),
    ).toBe('credential_invalid');
    expect(await attempt(`Bearer ${old}`)).toBe('credential_invalid');
    expect(await attempt(`Bearer ${await provider.token()}`)).toMatchObject({ subject: 'company:agent-1' });
  });

  it('are known while it is down, as far as its keys are', async () => {
    const { attempt } = gateway();
    await provider.restart();
    const [seen, unseen] = [await provider.token(), await provider.token()];
    expect(await attempt(`Bearer ${seen}`)).toMatchObject({ subject: 'company:agent-1' });
    await provider.stop();
    expect(await attempt(`Bearer ${seen}`)).toMatchObject({ subject: 'company:agent-1' });
    expect(await attempt(`Bearer ${unseen}`)).toMatchObject({ subject: 'company:agent-1' });
    expect(await gateway().attempt(`Bearer ${unseen}`)).toBe('issuer_unavailable');
    await provider.restart();
  });
});
