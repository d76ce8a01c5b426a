import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { endAll, pause } from '../e2e/support/program.ts';
import { accessToken, ask, call, details, exchange, form, startDesk } from './support.ts';

type Desk = Awaited<ReturnType<typeof startDesk>>;
let gateway: Desk['gateway'];
/** Of a person who may use the desk, but neither erase nor administer. */
let token: string;
/** Of an intent of that person's: three writes with few letters. */
let intent: string;

const write = 'desk.Desk.Write';
const views = 'views: { desk: { tools: ["desk.*"] } }';

beforeAll(async () => {
  gateway = (await startDesk(views)).gateway;
  token = await gateway.mint('dana', ['desk:use', 'other:read'], 'person');
  const bounds = [{ pointer: '/text', enum: ['a', 'b'] }];
  const more = { tools: [write, 'desk.Desk.R*'], calls: 3, expires_in: 600, bounds, serving: ['desk.*'] };
  intent = (await exchange(gateway, token, details(more), { scope: 'desk:use' })).token;
}, 60_000);
afterAll(endAll);

/** What asking for this comes to: the error and what it is about. */
async function refusal(from: string, detail: object, more: Readonly<Record<string, string | undefined>> = {}) {
  const { status, body } = await ask(gateway, form(from, detail, more));
  expect(body.access_token).toBeUndefined();
  return [status, body.error, body.error_description?.split(':')[0]];
}

const forDetails = (member: string) => [400, 'invalid_authorization_details', `authorization_details/0/${member}`];

describe('an intent is never wider than the token it is made from', () => {
  it.each([
    ['a scope that it has not', 'desk:admin'],
    ['one of them that it has not', 'desk:use desk:admin'],
    ['all scopes', '*'],
    ['a pattern that covers more', 'other:*'],
    ['administration', 'admin:read'],
  ])('scopes: %s', async (_, scope) => {
    expect(await refusal(token, details(), { scope })).toEqual([400, 'invalid_scope', 'scope']);
  });

  it('scopes: administration goes into none, whoever asks', async () => {
    const chief = (
      await gateway.operate('tokens.create', { account: 'chief', kind: 'owner', scopes: ['*', 'admin:*'] })
    ).token;
    expect(await refusal(chief, details(), { scope: 'admin:read' })).toEqual([400, 'invalid_scope', 'scope']);
    const { body } = await ask(gateway, form(chief, details()));
    expect(body.scope).toBe('*');
    const admin = await fetch(`${gateway.admin}/admin/v1/tokens.list`, {
      method: 'POST',
      headers: { authorization: `Bearer ${body.access_token}`, 'content-type': 'application/json' },
      body: '{}',
    });
    expect(admin.status).toBe(403);
  });

  it('scopes: what the token may not, its intent may not either', async () => {
    const made = await exchange(gateway, token, details({ tools: ['*'] }));
    expect(await call(gateway, made.token, 'desk.Desk.Erase')).toMatchObject({ came: 'insufficient_scope' });
  });

  it.each([
    ['more than a quarter of an hour', 901],
    ['no time', 0],
  ])('time: %s', async (_, seconds) => {
    expect((await refusal(token, details({ expires_in: seconds }))).slice(0, 2)).toEqual([
      400,
      'invalid_authorization_details',
    ]);
  });

  it('time: longer than the token', async () => {
    const short = (
      await gateway.operate('tokens.create', { account: 'dana', kind: 'person', scopes: ['desk:use'], lifeSeconds: 60 })
    ).token;
    expect(await refusal(short, details({ expires_in: 120 }))).toEqual(forDetails('expires_in'));
    const { body } = await ask(gateway, form(short, details()));
    expect(body.expires_in).toBeLessThanOrEqual(60);
  });

  it('a token that ended', async () => {
    const short = (
      await gateway.operate('tokens.create', { account: 'dana', kind: 'person', scopes: ['desk:use'], lifeSeconds: 1 })
    ).token;
    await pause(1_050);
    expect(await refusal(short, details())).toEqual([400, 'invalid_request', 'subject_token']);
  });

  it('a token that was revoked', async () => {
    const gone = await gateway.mint('dana', ['desk:use'], 'person');
    await gateway.operate('tokens.revoke', { id: gone.split('_')[1] ?? '' });
    expect(await refusal(gone, details())).toEqual([400, 'invalid_request', 'subject_token']);
  });

  it.each([
    ['somebody else', 'https://elsewhere.example/mcp'],
    ['an address that begins like ours', ''],
    ['a path that is none of ours', '/mcp/../admin'],
  ])('audience: %s', async (_, resource) => {
    const full = resource.startsWith('/')
      ? new URL(gateway.mcp).origin + resource
      : resource || `${gateway.mcp.origin}.example/mcp`;
    expect((await refusal(token, details(), { resource: full }))[1]).toBe('invalid_target');
    expect((await refusal(token, details(), { audience: full }))[1]).toBe('invalid_target');
  });

  it('audience: one endpoint, and it is good at no other', async () => {
    const resource = new URL('/mcp/views/desk', gateway.mcp).href;
    const made = await exchange(gateway, token, details({ calls: 3 }), { resource });
    expect(await call(gateway, made.token, write)).toMatchObject({ status: 401, came: 'credential_invalid' });
    const response = await fetch(resource, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${made.token}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2025-06-18',
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' }),
    });
    expect(response.status).not.toBe(401);
    expect((await refusal(made.token, details()))[1]).toBe('invalid_request');
    expect((await refusal(made.token, details(), { resource: gateway.mcp.href }))[1]).toBe('invalid_request');
  });

  it('more calls than the configuration has', async () => {
    expect(await refusal(token, details({ calls: 1_001 }))).toEqual(forDetails('calls'));
  });
});

describe('an intent made from an intent is never wider either', () => {
  it.each([
    ['more calls', { calls: 4 }, 'calls'],
    ['another tool', { tools: ['desk.Desk.Ask'] }, 'tools'],
    ['one tool more', { tools: [write, 'desk.Desk.Ask'] }, 'tools'],
    ['all tools', { tools: ['*'] }, 'tools'],
    ['a wider pattern', { tools: ['desk.Desk.*'] }, 'tools'],
    ['a later end', { expires_in: 700 }, 'expires_in'],
    ['another message', { message: 'Something else.', message_digest: undefined }, 'message_digest'],
    ['more for services', { serving: ['*'] }, 'serving'],
  ])('%s', async (_, more, member) => {
    expect(await refusal(intent, details(more))).toEqual(forDetails(member));
  });

  it('more scopes', async () => {
    expect(await refusal(intent, details(), { scope: 'other:read' })).toEqual([400, 'invalid_scope', 'scope']);
  });

  it('other bounds: those of both hold', async () => {
    const child = await exchange(gateway, intent, details({ bounds: [{ pointer: '/text', enum: ['b', 'c'] }] }));
    expect(await call(gateway, child.token, write, { text: 'a' })).toMatchObject({ error: { intent: child.intent } });
    const parent = intent.split('_')[1];
    expect(await call(gateway, child.token, write, { text: 'c' })).toMatchObject({
      error: { reason: 'intent_exceeded', intent: parent },
    });
    expect(await call(gateway, child.token, write, { text: 'b' })).toMatchObject({ status: 200 });
  });

  it('several at once: together they make no more calls than the first one may', async () => {
    const made = await exchange(gateway, token, details({ calls: 2 }));
    const children = await Promise.all([1, 2, 3].map(() => exchange(gateway, made.token, details({ calls: 2 }))));
    const came = [];
    for (const child of children) came.push((await call(gateway, child.token, write)).came);
    expect(came.sort()).toEqual(['answered', 'answered', 'intent_spent']);
    expect(await refusal(made.token, details())).toEqual(forDetails('calls'));
    expect(await call(gateway, made.token, write)).toMatchObject({ error: { intent: made.intent } });
  });

  it('ends with the one it is made from', async () => {
    const made = await exchange(gateway, token, details());
    const child = await exchange(gateway, made.token, details());
    const grandchild = await exchange(gateway, child.token, details());
    await gateway.operate('intents.revoke', { id: made.intent });
    for (const one of [child, grandchild]) {
      expect(await call(gateway, one.token, write)).toMatchObject({ status: 401, came: 'credential_revoked' });
      expect(await refusal(one.token, details())).toEqual([400, 'invalid_request', 'subject_token']);
    }
  });

  it('goes no deeper than sense', async () => {
    let now = token;
    for (let depth = 0; depth < 8; depth++) now = (await exchange(gateway, now, details())).token;
    expect(await refusal(now, details())).toEqual([400, 'invalid_request', 'subject_token']);
  });
});

describe('who acts for the user adds nothing', () => {
  it('no scope, and no kind that reaches what is internal', async () => {
    const agent = await gateway.mint('scribe', ['desk:admin', '*']);
    const actor = { actor_token: agent, actor_token_type: accessToken };
    expect(await refusal(token, details(), { ...actor, scope: 'desk:admin' })).toEqual([400, 'invalid_scope', 'scope']);
    const made = await exchange(gateway, token, details({ tools: ['*'] }), actor);
    expect(await call(gateway, made.token, 'desk.Desk.Erase')).toMatchObject({ came: 'insufficient_scope' });
  });

  it('a bad token of an agent is refused, and so is one that acts for somebody already', async () => {
    const actor = (secret: string) => ({ actor_token: secret, actor_token_type: accessToken });
    expect(await refusal(token, details(), actor('sp_nonsense'))).toEqual([400, 'invalid_request', 'actor_token']);
    expect(await refusal(token, details(), actor(intent))).toEqual([400, 'invalid_request', 'actor_token']);
  });
});
