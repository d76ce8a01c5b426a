import { decodeJwt } from 'jose';
import { Secret, TOTP } from 'otpauth';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { authorizeUrl, callWith, logIn, newProgram, type Program, redeem, refresh } from './oauth.ts';
import { allow, leftFor, openWorld, pageOf, password, type World } from './world.ts';

let world: World;
let program: Program;
beforeAll(async () => {
  world = await openWorld({}, { more: { risk: { thresholds: { secondFactor: 30 } } } });
  await world.addUser('ada', ['posts:*']);
  await world.addUser('bob', ['posts:*']);
  program = await newProgram(world);
});
afterAll(() => world.close());

const publish = 'posts.Post.Publish';

/** What a client is told to ask for (RFC 9470 §3). */
function wantedBy(headers: Headers) {
  const challenge = headers.get('www-authenticate') ?? '';
  expect(challenge).toContain('error="insufficient_user_authentication"');
  const value = (name: string) => new RegExp(`${name}="([^"]*)"`).exec(challenge)?.[1];
  return { acr_values: value('acr_values'), max_age: value('max_age') };
}

it('a client steps up as it is told: asks for what the challenge names, and the call goes through', async () => {
  const { access_token: plain } = await logIn(world, program);
  expect(decodeJwt(plain)).toMatchObject({ amr: ['pwd'], auth_time: expect.any(Number) });
  expect(decodeJwt(plain)).not.toHaveProperty('acr');
  expect(await callWith(world.origin, plain)).toMatchObject({ status: 200 });
  const refused = await callWith(world.origin, plain, publish);
  expect(refused).toMatchObject({ status: 401, body: { error: { reason: 'second_factor_required' } } });
  const wanted = wantedBy(refused.headers);
  expect(wanted.max_age).toBe('900');

  const { secret } = await world.operate('users.totp', { name: 'ada' });
  const totp = new TOTP({ secret: Secret.fromBase32(String(secret)) });
  const browser = world.browser();
  const login = pageOf(await browser.open(authorizeUrl(world, program, wanted)));
  const code = pageOf(await browser.submit(login, 'login', { name: 'ada', password }));
  const consent = pageOf(await browser.submit(code, 'code', { code: totp.generate() }));
  const back = leftFor(await browser.submit(consent, 'consent'));
  const { body } = await redeem(world, program, back.searchParams.get('code') ?? '');
  const claims = decodeJwt(body.access_token);
  expect(claims).toMatchObject({ acr: 'urn:sallyport:acr:mfa', amr: ['pwd', 'otp'] });
  expect(await callWith(world.origin, body.access_token, publish)).toMatchObject({ status: 200 });

  // A token that is refreshed is no sign-in.
  const again = await refresh(world, program, body.refresh_token, { resource: `${world.origin}/mcp` });
  expect(decodeJwt(again.body.access_token)).toMatchObject({ acr: claims.acr, auth_time: claims.auth_time });
});

it('a browser that is signed in without one is asked to sign in again, once', async () => {
  const browser = world.browser();
  await allow(browser, authorizeUrl(world, program), 'bob');
  expect(pageOf(await browser.open(authorizeUrl(world, program))).html).toContain('Let Test Agent use');
  const url = authorizeUrl(world, program, { acr_values: 'phr urn:sallyport:acr:mfa' });
  const login = pageOf(await browser.open(url));
  expect(login.html).toContain('Sign in to');
  const consent = pageOf(await browser.submit(login, 'login', { name: 'bob', password }));
  const back = leftFor(await browser.submit(consent, 'consent'));
  const { body } = await redeem(world, program, back.searchParams.get('code') ?? '');
  // He has none: what he has is what the token says.
  expect(decodeJwt(body.access_token)).toMatchObject({ amr: ['pwd'] });
  expect((await callWith(world.origin, body.access_token, publish)).status).toBe(401);
});

it('says in its metadata what it knows', async () => {
  const metadata = await fetch(`${world.origin}/.well-known/oauth-authorization-server/oauth`);
  expect(await metadata.json()).toMatchObject({ acr_values_supported: ['urn:sallyport:acr:mfa'] });
});
