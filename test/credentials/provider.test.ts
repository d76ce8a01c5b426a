import { setTimeout as sleep } from 'node:timers/promises';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { afterEach, describe, expect, it } from 'vitest';
import { createKeeper } from '../../packages/gateway/src/credentials/keeper.ts';
import { gatewayKeys } from '../../packages/gateway/src/index.ts';
import { createSealer } from '../../packages/gateway/src/secrets/sealed.ts';
import { openState } from '../../packages/gateway/src/store/index.ts';
import { type RealProvider, startRealProvider } from './support/provider.ts';
import { type GuardedServer, startGuardedServer } from './support/upstream.ts';
import { agree, callAs, startWorld, type World } from './support/world.ts';

const metadataPath = '/.well-known/oauth-protected-resource/mcp';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface Setting {
  readonly provider: RealProvider;
  readonly upstream: GuardedServer;
  readonly world: World;
}

/** A service whose tokens come from a real authorization server. */
async function prepare(scheme: 'Bearer' | 'DPoP', accessTokenLifeS = 600): Promise<Setting> {
  const provider = await startRealProvider({ accessTokenLifeS });
  const upstream = await startGuardedServer();
  upstream.documents.set(metadataPath, {
    ...{ resource: upstream.url, authorization_servers: [provider.issuer] },
    scopes_supported: ['tickets:read'],
  });
  const seen = new Set<string>();
  upstream.judge = async ({ headers }) => {
    const refused = (error = '') => ({
      status: 401,
      headers: {
        'www-authenticate': `${scheme} resource_metadata="${new URL(metadataPath, upstream.url)}"${error}`,
        ...(scheme === 'DPoP' && { 'dpop-nonce': 'of-the-service' }),
      },
    });
    const [shown = '', token = ''] = (headers.authorization ?? '').split(' ');
    const known = await provider.judge(token, upstream.url);
    if (known === undefined || shown !== scheme) return refused();
    if (scheme === 'Bearer') return undefined;
    const proof = String(headers.dpop ?? '');
    const { jti, nonce, htu, htm } = decodeJwt(proof);
    if (nonce !== 'of-the-service') return refused(', error="use_dpop_nonce"');
    const isGood = htu === upstream.url && htm === 'POST' && !seen.has(String(jti)) && known.jkt !== undefined;
    seen.add(String(jti));
    return isGood && decodeProtectedHeader(proof).typ === 'dpop+jwt' ? undefined : refused();
  };
  const world = await startWorld({ upstream, credential: { kind: 'oauth', allow: { loopback: true } } });
  closers.push(provider.close, upstream.close, world.close);
  return { provider, upstream, world };
}

describe.each(['Bearer', 'DPoP'] as const)('with a real authorization server and %s tokens', (scheme) => {
  it('the owner connects, users consent, and calls go through', async () => {
    const { world } = await prepare(scheme);
    expect(await world.connect()).toBe(200);
    await world.listed();
    const [alice, bob] = [await world.mint('alice'), await world.mint('bob')];
    const first = await callAs(world, alice, { visit: agree });
    expect(first).toMatch(new RegExp(`^shown: ${scheme} `));
    expect(await callAs(world, alice)).toBe(first);
    expect(await callAs(world, bob, { visit: agree })).not.toBe(first);
    const { credentials } = await world.operate('credentials.list');
    expect(credentials).toHaveLength(3);
    expect(credentials[1].scopes).toEqual(['tickets:read', 'offline_access']);
  });

  it('refreshes with rotation, and asks again once a refresh token was used by somebody else', async () => {
    const { world, provider } = await prepare(scheme, 1);
    expect(await world.connect()).toBe(200);
    await world.listed();
    const alice = await world.mint('alice');
    let asked = 0;
    const visit: typeof agree = (url) => {
      asked += 1;
      return agree(url);
    };
    expect(await callAs(world, alice, { visit })).toMatch(/^shown: /);
    for (let round = 0; round < 2; round++) {
      await sleep(1_100);
      const said = await Promise.all([1, 2, 3, 4].map(() => callAs(world, alice, { visit })));
      expect(said.every((one) => one.startsWith('shown: '))).toBe(true);
    }
    expect(asked).toBe(1);
    if (scheme === 'DPoP') return;
    const { refreshToken, clientId } = await steal(world);
    const used = await fetch(`${provider.issuer}/token`, {
      method: 'POST',
      body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token: refreshToken, client_id: clientId }),
    });
    expect(used.status).toBe(200);
    await sleep(1_100);
    expect(await callAs(world, alice, { visit })).toMatch(/^shown: /);
    expect(asked).toBe(2);
  });
});

/** What only somebody with the master key and the database can know. */
async function steal(world: World): Promise<{ readonly refreshToken: string; readonly clientId: string }> {
  const state = await openState({ path: `${world.folder}/.sallyport/state.db`, nowMs: Date.now });
  const key = gatewayKeys({ masterKeyFile: `${world.folder}/.sallyport-keys/master.key` }).of('upstream-grants');
  const sealer = createSealer(key, Date.now);
  const grant = await createKeeper({ store: state.grants, sealer, nowMs: Date.now }).find('[null,"alice"]', 'tickets');
  const client = await state.grants.findClient('tickets', grant?.stored.issuer ?? '', grant?.redirectUri ?? '');
  const kind = `upstream client ${JSON.stringify(['tickets', client?.issuer, client?.redirectUri])}`;
  const clientId = String(sealer.open(kind, client?.sealed ?? '')?.id);
  await state.close();
  return { refreshToken: grant?.tokens.refreshToken ?? '', clientId };
}
