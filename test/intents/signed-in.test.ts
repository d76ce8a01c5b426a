import { afterAll, beforeAll, expect, it } from 'vitest';
import { openFront } from '../identity/front.ts';
import { drawKey, startIssuer } from '../identity/issuer.ts';
import { openPki } from '../identity/pki.ts';
import { restCall, sendRaw } from '../identity/send.ts';
import { callWith, logIn, newProgram } from '../login/oauth.ts';
import { openWorld, type World } from '../login/world.ts';
import { ask, details, exchange, form } from './support.ts';

let world: World;
beforeAll(async () => {
  world = await openWorld({});
  await world.addUser('ada', ['posts:*']);
}, 60_000);
afterAll(() => world.close());

const publish = { tools: ['posts.Post.Publish'] };

it('a person who signed in here has a token exchanged by the same address that gave it out', async () => {
  const { access_token: token } = await logIn(world, await newProgram(world));
  const made = await exchange(world, token, details(publish), { scope: 'posts:write' });
  const came = async (tool: string) => {
    const { status, body } = await callWith(world.origin, made.token, tool);
    return status === 200 ? 'answered' : body.error.reason;
  };
  expect(await came('posts.Post.Publish')).toBe('answered');
  expect(world.seen.at(-1)).toMatchObject({ subject: 'ada', scopes: ['posts:write'], intent: { id: made.intent } });
  expect(await came('posts.Post.Publish')).toBe('intent_spent');
  expect(await came('posts.Post.Delete')).toBe('intent_exceeded');
  expect(JSON.stringify(await world.operate('intents.trace', { id: made.intent }))).toContain('"subject":"ada"');
  expect(world.logged() + world.stored()).not.toContain(made.token.split('_')[2]);
});

it('what was exchanged ends with the account', async () => {
  await world.addUser('grace', ['posts:*']);
  const { access_token: token } = await logIn(world, await newProgram(world));
  const made = await exchange(world, token, details(publish));
  await world.operate('accounts.disable', { name: 'ada' });
  expect((await callWith(world.origin, made.token, 'posts.Post.Publish')).status).toBe(401);
});

it('other grants are still the authorization server’s', async () => {
  const body = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: 'none', client_id: 'nobody' });
  expect(await ask(world, body)).toMatchObject({ status: 401, body: { error: 'invalid_client' } });
});

it('the metadata says that there are intents', async () => {
  const response = await fetch(`${world.origin}/.well-known/oauth-authorization-server/oauth`);
  expect(await response.json()).toMatchObject({ authorization_details_types_supported: ['intent'] });
});

it('a token that is bound to a certificate is exchanged with it, and what comes of it is bound to it too', async () => {
  const pki = openPki('acme');
  const server = pki.issue('server', 'IP:127.0.0.1');
  const [agent, other] = [pki.issue('agent'), pki.issue('other')];
  const company = await startIssuer([await drawKey('e1')]);
  const tls = { cert: server.certFile, key: server.keyFile, clientCa: pki.caFile, clientAuth: 'optional' };
  const auth = { issuers: { company: { issuer: company.url } } };
  const front = await openFront({ publicUrl: 'https://gate.example', listen: { port: 0, tls }, auth });
  const send = (
    path: string,
    who: typeof agent,
    [headers, body]: readonly [readonly (readonly [string, string])[], string],
  ) =>
    sendRaw({
      origin: front.origin,
      method: 'POST',
      path,
      headers,
      body,
      tls: { ca: pki.ca, cert: who.cert, key: who.key },
    });
  const token = await company.mint({ aud: 'https://gate.example', cnf: { 'x5t#S256': agent.thumbprint } });
  const asked = [
    [['Content-Type', 'application/x-www-form-urlencoded']],
    form(token, details({ tools: ['desk.Desk.Open'], calls: 2 })).toString(),
  ] as const;
  expect((await send('/oauth/token', other, asked)).json()).toMatchObject({ error: 'invalid_request' });
  const given = (await send('/oauth/token', agent, asked)).json();
  expect(given.token_type).toBe('Bearer');
  const { headers, body } = restCall('desk.Desk.Open');
  const calling = [[...headers, ['Authorization', `Bearer ${given.access_token}`]], JSON.stringify(body)] as const;
  expect((await send('/mcp/call', other, calling)).status).toBe(401);
  expect((await send('/mcp/call', agent, calling)).status).toBe(200);
  await Promise.all([front.close(), company.close()]);
  pki.close();
});
