import { decodeProtectedHeader } from 'jose';
import { expect, it } from 'vitest';
import { callWith, logIn, newProgram, refresh } from './oauth.ts';
import { openWorld } from './world.ts';

it('tokens stay good when the key that signed them is followed by others, and those after are good at once', async () => {
  const world = await openWorld({ keyLife: '1s' });
  await world.addUser('ada');
  const program = await newProgram(world);
  let login = await logIn(world, program);
  const tokens = [login.access_token];
  for (let round = 0; round < 3; round++) {
    await new Promise((resolve) => setTimeout(resolve, 1_050));
    login = (await refresh(world, program, login.refresh_token)).body;
    expect((await callWith(world.origin, login.access_token)).status).toBe(200);
    tokens.push(login.access_token);
  }
  expect(new Set(tokens.map((token) => decodeProtectedHeader(token).kid)).size).toBe(4);
  for (const token of tokens) expect((await callWith(world.origin, token)).status).toBe(200);
  const { keys } = (await (await fetch(`${world.origin}/oauth/jwks`)).json()) as { keys: unknown[] };
  expect(keys.length).toBeGreaterThanOrEqual(4);
  await world.close();
});
