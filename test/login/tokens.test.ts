import { decodeJwt, decodeProtectedHeader } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { authorizeUrl, callWith, logIn, newProgram, redeem, redirectUri, refresh } from './oauth.ts';
import { allow, leftFor, openWorld, pageOf, password, type World } from './world.ts';

let world: World;

beforeAll(async () => {
  world = await openWorld({});
  await world.addUser('ada', ['posts:read', 'posts:write']);
});

afterAll(() => world.close());

describe('an access token', () => {
  it('is a short-lived JWT for this gateway, and the gateway takes it', async () => {
    const program = await newProgram(world);
    const { access_token: token, expires_in, scope } = await logIn(world, program);
    expect(decodeProtectedHeader(token)).toMatchObject({ typ: 'at+jwt', alg: 'ES256' });
    const { sub, aud, iss, client_id } = decodeJwt(token);
    expect({ sub, aud, iss, client_id }).toEqual({
      sub: 'ada',
      aud: `${world.origin}/mcp`,
      iss: `${world.origin}/oauth`,
      client_id: program.clientId,
    });
    expect({ expires_in, scope }).toEqual({ expires_in: 300, scope: 'posts:read posts:write' });
    expect(await callWith(world.origin, token)).toMatchObject({ status: 200 });
    expect(world.seen.at(-1)).toMatchObject({ subject: 'ada', client: program.clientId, kind: 'person' });
  });

  it('holds what its person can give, not what was asked for', async () => {
    const { access_token: token, scope } = await logIn(world, await newProgram(world), {
      scope: 'posts:read posts:delete admin:tokens admin:*',
    });
    expect(scope).toBe('posts:read');
    expect(await callWith(world.origin, token, 'posts.Post.Delete')).toMatchObject({ status: 403 });
  });

  it('is for the endpoint that was named, and no other', async () => {
    const program = await newProgram(world);
    const resource = `${world.origin}/mcp/posts`;
    const back = await allow(world.browser(), authorizeUrl(world, program, { resource }));
    const code = back.searchParams.get('code') ?? '';
    const { access_token: token } = (await redeem(world, program, code, { resource })).body;
    expect(decodeJwt(token).aud).toBe(resource);
    expect((await callWith(world.origin, token)).status).toBe(401);
  });

  it.each(['https://elsewhere.example/mcp', 'http://127.0.0.1/mcp', 'not a url', '/mcp'])(
    'is not to be had for %s',
    async (resource) => {
      const url = authorizeUrl(world, await newProgram(world), { resource });
      expect(leftFor(await world.browser().open(url)).searchParams.get('error')).toBe('invalid_target');
    },
  );

  it('ends with the next call when its user is shut out, and stays ended', async () => {
    await world.addUser('bob');
    const program = await newProgram(world);
    const back = await allow(world.browser(), authorizeUrl(world, program), 'bob');
    const { access_token: token, refresh_token } = (await redeem(world, program, back.searchParams.get('code') ?? ''))
      .body;
    expect((await callWith(world.origin, token)).status).toBe(200);
    await world.operate('users.disable', { name: 'bob' });
    expect((await callWith(world.origin, token)).status).toBe(401);
    expect((await refresh(world, program, refresh_token)).body.error).toBe('invalid_grant');
    await world.operate('users.enable', { name: 'bob' });
    expect((await callWith(world.origin, token)).status).toBe(401);
  });
});

describe('a code', () => {
  it('comes with the state it was asked for and the issuer it is from', async () => {
    const back = await allow(world.browser(), authorizeUrl(world, await newProgram(world)));
    expect(Object.fromEntries(back.searchParams)).toEqual({
      code: expect.any(String),
      state: 'the-state',
      iss: `${world.origin}/oauth`,
    });
  });

  it('works once: coming again, it ends what it was good for', async () => {
    const program = await newProgram(world);
    const back = await allow(world.browser(), authorizeUrl(world, program));
    const code = back.searchParams.get('code') ?? '';
    const { access_token: token, refresh_token } = (await redeem(world, program, code)).body;
    expect((await redeem(world, program, code)).body.error).toBe('invalid_grant');
    expect((await callWith(world.origin, token)).status).toBe(401);
    expect((await refresh(world, program, refresh_token)).body.error).toBe('invalid_grant');
  });

  it('is given to one of many that bring it at once', async () => {
    const program = await newProgram(world);
    const back = await allow(world.browser(), authorizeUrl(world, program));
    const code = back.searchParams.get('code') ?? '';
    const answers = await Promise.all(Array.from({ length: 8 }, () => redeem(world, program, code)));
    expect(answers.filter(({ status }) => status === 200).length).toBeLessThanOrEqual(1);
    expect(answers.every(({ status }) => status === 200 || status === 400)).toBe(true);
  });

  it.each([
    ['another verifier', { code_verifier: 'x'.repeat(43) }],
    ['no verifier', { code_verifier: undefined }],
    ['another redirect', { redirect_uri: 'http://127.0.0.1:49152/other' }],
    ['no redirect', { redirect_uri: undefined }],
    ['another resource', { resource: 'https://elsewhere.example/' }],
  ])('is worth nothing with %s', async (_, fields) => {
    const program = await newProgram(world);
    const back = await allow(world.browser(), authorizeUrl(world, program));
    const answer = await redeem(world, program, back.searchParams.get('code') ?? '', fields);
    expect(answer.status).toBe(400);
    expect(answer.body).not.toHaveProperty('access_token');
  });

  it('is worth nothing to another client', async () => {
    const program = await newProgram(world);
    const thief = await newProgram(world);
    const back = await allow(world.browser(), authorizeUrl(world, program));
    const stolen = await redeem(world, { ...thief, verifier: program.verifier }, back.searchParams.get('code') ?? '');
    expect(stolen.body.error).toBe('invalid_grant');
  });

  it.each([
    ['without a challenge', { code_challenge: undefined, code_challenge_method: undefined }, 'invalid_request'],
    ['with a plain challenge', { code_challenge_method: 'plain' }, 'invalid_request'],
    ['with a challenge of no method', { code_challenge_method: undefined }, 'invalid_request'],
    ['as a token in the fragment', { response_type: 'token' }, 'invalid_request'],
    ['as an id token', { response_type: 'id_token', nonce: 'n' }, 'invalid_request'],
    ['in a fragment', { response_mode: 'fragment' }, undefined],
    ['in a form', { response_mode: 'form_post' }, undefined],
  ])('is not to be had %s', async (_, fields, error) => {
    const arrival = await world.browser().open(authorizeUrl(world, await newProgram(world), fields));
    if ('page' in arrival) return expect([400, 200]).toContain(arrival.page.status);
    const told = arrival.left.searchParams.get('error') ?? new URLSearchParams(arrival.left.hash.slice(1)).get('error');
    if (error !== undefined) expect(told).toBe(error);
    expect(arrival.left.searchParams.has('code')).toBe(false);
  });

  it.each([
    'http://127.0.0.1:49152/other',
    'http://127.0.0.1:49152/callback/../other',
    'http://127.0.0.1.evil.example:49152/callback',
    'http://evil.example/callback',
    'https://127.0.0.1:49152/callback',
    'http://localhost:49152/callback',
    'javascript:alert(1)',
  ])('is never sent to %s', async (uri) => {
    const arrival = await world.browser().open(authorizeUrl(world, await newProgram(world), { redirect_uri: uri }));
    const page = pageOf(arrival);
    expect(page.status).toBe(400);
    expect(page.html).toContain('redirect_uri');
  });

  it('may go to another port of the same program on this computer (RFC 8252)', async () => {
    const program = await newProgram(world);
    const elsewhere = redirectUri.replace('49152', '49999');
    const back = await allow(world.browser(), authorizeUrl(world, program, { redirect_uri: elsewhere }));
    expect(back.origin).toBe('http://127.0.0.1:49999');
  });
});

describe('a refresh token', () => {
  it('is replaced each time it is used', async () => {
    const program = await newProgram(world);
    const first = await logIn(world, program);
    const second = (await refresh(world, program, first.refresh_token)).body;
    expect(second.refresh_token).not.toBe(first.refresh_token);
    expect((await callWith(world.origin, second.access_token)).status).toBe(200);
    expect(decodeJwt(second.access_token).aud).toBe(`${world.origin}/mcp`);
  });

  it('that comes a second time ends all that came of the same consent', async () => {
    const program = await newProgram(world);
    const first = await logIn(world, program);
    const second = (await refresh(world, program, first.refresh_token)).body;
    expect((await refresh(world, program, first.refresh_token)).body.error).toBe('invalid_grant');
    expect((await refresh(world, program, second.refresh_token)).body.error).toBe('invalid_grant');
    expect((await callWith(world.origin, second.access_token)).status).toBe(401);
  });

  it('that comes many times at once is good for one at most', async () => {
    const program = await newProgram(world);
    const first = await logIn(world, program);
    const answers = await Promise.all(Array.from({ length: 8 }, () => refresh(world, program, first.refresh_token)));
    expect(answers.filter(({ status }) => status === 200).length).toBeLessThanOrEqual(1);
    expect((await callWith(world.origin, first.access_token)).status).toBe(401);
  });

  it('gives fewer scopes when asked to, never more', async () => {
    const program = await newProgram(world);
    const first = await logIn(world, program, { scope: 'posts:read' });
    expect((await refresh(world, program, first.refresh_token, { scope: 'posts:write' })).body.error).toBe(
      'invalid_scope',
    );
    const both = await logIn(world, program);
    expect((await refresh(world, program, both.refresh_token, { scope: 'posts:read' })).body.scope).toBe('posts:read');
  });

  it('gives no more than its user may, once that is less', async () => {
    await world.addUser('cleo', ['posts:read', 'posts:write']);
    const program = await newProgram(world);
    const back = await allow(world.browser(), authorizeUrl(world, program), 'cleo');
    const first = (await redeem(world, program, back.searchParams.get('code') ?? '')).body;
    await world.operate('users.allow', { name: 'cleo', scopes: ['posts:read'] });
    const again = await refresh(world, program, first.refresh_token);
    expect(String(again.body.scope)).not.toContain('write');
  });

  it('is worth nothing once all that its client was given was taken back', async () => {
    const program = await newProgram(world);
    const first = await logIn(world, program);
    await world.operate('revocations.add', { issuer: 'built-in', kind: 'client', value: program.clientId });
    expect((await refresh(world, program, first.refresh_token)).body.error).toBe('invalid_grant');
  });

  it('can be given back', async () => {
    const program = await newProgram(world);
    const first = await logIn(world, program);
    const revoked = await fetch(`${world.origin}/oauth/revoke`, {
      method: 'POST',
      body: new URLSearchParams({ token: first.refresh_token, client_id: program.clientId }),
    });
    expect(revoked.status).toBe(200);
    expect((await refresh(world, program, first.refresh_token)).body.error).toBe('invalid_grant');
    expect((await callWith(world.origin, first.access_token)).status).toBe(401);
  });
});

describe('consent', () => {
  it('is asked for again when more is asked for, and then names all of it', async () => {
    const program = await newProgram(world, { redirect_uris: ['https://app.example/back'] });
    const browser = world.browser();
    const there = { redirect_uri: 'https://app.example/back' };
    await allow(browser, authorizeUrl(world, program, { ...there, scope: 'posts:read' }));
    const same = await browser.open(authorizeUrl(world, program, { ...there, scope: 'posts:read' }));
    expect(leftFor(same).searchParams.has('code')).toBe(true);
    const more = pageOf(await browser.open(authorizeUrl(world, program, there)));
    expect(more.html).toContain('Publish a post');
    expect(leftFor(await browser.submit(more, 'consent')).searchParams.has('code')).toBe(true);
  });

  it('is asked for each time where anybody could take the name of the program', async () => {
    const program = await newProgram(world);
    const browser = world.browser();
    await allow(browser, authorizeUrl(world, program));
    expect(pageOf(await browser.open(authorizeUrl(world, program))).html).toContain('Let Test Agent use');
  });

  it('can be for less than was asked', async () => {
    const program = await newProgram(world);
    const browser = world.browser();
    const login = pageOf(await browser.open(authorizeUrl(world, program)));
    const consent = pageOf(await browser.submit(login, 'login', { name: 'ada', password }));
    const back = leftFor(
      await browser.submit(consent, 'consent', { scope: ['posts:read', 'posts:delete', 'admin:*'] }),
    );
    expect((await redeem(world, program, back.searchParams.get('code') ?? '')).body.scope).toBe('posts:read');
  });

  it('can be refused', async () => {
    const browser = world.browser();
    const login = pageOf(await browser.open(authorizeUrl(world, await newProgram(world))));
    const consent = pageOf(await browser.submit(login, 'login', { name: 'ada', password }));
    const back = leftFor(await browser.submit(consent, 'refuse'));
    expect(back.searchParams.get('error')).toBe('access_denied');
    expect(back.searchParams.get('iss')).toBe(`${world.origin}/oauth`);
  });

  it('is about what the tools need when a client asks for nothing in particular', async () => {
    const { scope } = await logIn(world, await newProgram(world), { scope: undefined, resource: undefined });
    expect(scope.split(' ').filter((one) => one !== 'openid')).toEqual(['posts:read', 'posts:write']);
  });
});
