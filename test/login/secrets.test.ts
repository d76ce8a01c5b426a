import { afterAll, beforeAll, expect, it } from 'vitest';
import { authorizeUrl, logIn, newProgram, redeem, refresh, register } from './oauth.ts';
import { allow, openWorld, pageOf, password, type World } from './world.ts';

let world: World;

beforeAll(async () => {
  world = await openWorld({}, { cheapPasswords: false });
  await world.addUser('ada');
});

afterAll(() => world.close());

it('secrets are in no log and, as they are, in no file', async () => {
  const program = await newProgram(world);
  const browser = world.browser();
  const login = pageOf(await browser.open(authorizeUrl(world, program)));
  await browser.submit(login, 'login', { name: 'a-password-in-the-wrong-field', password: 'a wrong password, typed' });
  const back = await allow(browser, authorizeUrl(world, program));
  const code = back.searchParams.get('code') ?? '';
  const first = (await redeem(world, program, code)).body;
  const second = (await refresh(world, program, first.refresh_token)).body;
  await refresh(world, program, first.refresh_token);
  const third = await logIn(world, await newProgram(world));
  const confidential = (await (
    await register(world, { token_endpoint_auth_method: 'client_secret_basic' })
  ).json()) as { client_secret: string };
  const { secret: totp } = await world.operate('users.totp', { name: 'ada' });
  const secrets = [
    ...[password, 'a wrong password, typed', 'a-password-in-the-wrong-field', String(totp), confidential.client_secret],
    ...[code, program.verifier, first.access_token, second.access_token],
    ...[first.refresh_token, second.refresh_token, third.refresh_token, third.access_token],
    ...[...browser.cookies.values()].map(({ value }) => value),
  ];
  const kept = world.stored();
  const logged = world.logged();
  expect(logged).toContain('somebody signed in');
  expect(kept.length).toBeGreaterThan(10_000);
  expect(kept).toContain('$scrypt$ln=16,r=8,p=2$');
  expect(logged).not.toContain('as cheaply as tests want it');
  for (const secret of secrets) {
    expect(secret.length).toBeGreaterThan(8);
    expect(logged).not.toContain(secret);
    expect(kept).not.toContain(secret);
  }
});
