import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { drawHolder } from '../identity/holder.ts';
import { askToken, authorizeUrl, callWith, logIn, newProgram, redeem } from './oauth.ts';
import { allow, openWorld, type World } from './world.ts';

let world: World;

beforeAll(async () => {
  world = await openWorld({});
  await world.addUser('ada');
});

afterAll(() => world.close());

describe('a token from a login', () => {
  it('can be bound to a key, and is then worth nothing without it', async () => {
    const holder = await drawHolder();
    const program = await newProgram(world);
    const code = (await allow(world.browser(), authorizeUrl(world, program))).searchParams.get('code') ?? '';
    const form = {
      ...{ grant_type: 'authorization_code', client_id: program.clientId, code, code_verifier: program.verifier },
      ...{ redirect_uri: 'http://127.0.0.1:49152/callback', resource: `${world.origin}/mcp` },
    };
    const url = `${world.origin}/oauth/token`;
    const proof = await holder.prove({ method: 'POST', url, token: '' }, { claims: { ath: undefined } });
    const { access_token: token } = (await askToken(world, form, { DPoP: proof })).body;
    expect(decodeJwt(token).cnf).toEqual({ jkt: holder.jkt });
    expect((await callWith(world.origin, token)).status).toBe(401);
    const call = `${world.origin}/mcp/call`;
    const response = await fetch(call, {
      method: 'POST',
      headers: {
        authorization: `DPoP ${token}`,
        DPoP: await holder.prove({ method: 'POST', url: call, token }),
        'content-type': 'application/json',
      },
      body: JSON.stringify({ tool: 'posts.Post.List', input: {} }),
    });
    expect(response.status).toBe(200);
  });

  it('can be exchanged for one that is good for one thing only, and ends with the login', async () => {
    const program = await newProgram(world);
    const login = await logIn(world, program);
    const exchanged = await askToken(world, {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: login.access_token,
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      authorization_details: JSON.stringify([
        { type: 'intent', message: 'Please publish.', tools: ['posts.Post.Publish'], calls: 2 },
      ]),
    });
    expect(exchanged.status).toBe(200);
    const { access_token: token } = exchanged.body;
    expect((await callWith(world.origin, token, 'posts.Post.Delete')).status).toBe(403);
    expect((await callWith(world.origin, token, 'posts.Post.Publish')).status).toBe(200);
    expect(world.seen.at(-1)).toMatchObject({ subject: 'ada' });
    await world.operate('users.disable', { name: 'ada' });
    expect((await callWith(world.origin, token, 'posts.Post.Publish')).status).toBe(401);
    await world.operate('users.enable', { name: 'ada' });
  });

  it('is told of in the metadata, with what it can be exchanged for', async () => {
    const metadata = await (await fetch(`${world.origin}/.well-known/oauth-authorization-server/oauth`)).json();
    expect(metadata).toMatchObject({
      grant_types_supported: expect.arrayContaining(['urn:ietf:params:oauth:grant-type:token-exchange']),
      authorization_details_types_supported: ['intent'],
      dpop_signing_alg_values_supported: expect.arrayContaining(['ES256']),
    });
  });

  it('that nobody gave out is no token', async () => {
    const answer = await redeem(world, await newProgram(world), 'a-made-up-code');
    expect(answer).toMatchObject({ status: 400, body: { error: 'invalid_grant' } });
    expect(answer.headers.get('cache-control')).toBe('no-store');
  });
});
