import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { endAll } from '../e2e/support/program.ts';
import { accessToken, ask, call, details, digest, exchange, form, message, startDesk } from './support.ts';

type Desk = Awaited<ReturnType<typeof startDesk>>;
let desk: Desk;
let gateway: Desk['gateway'];
/** Of a person who may use the desk, but not erase. */
let token: string;

beforeAll(async () => {
  desk = await startDesk();
  gateway = desk.gateway;
  token = await gateway.mint('dana', ['desk:use', 'other:*'], 'person');
}, 60_000);
afterAll(endAll);

const write = 'desk.Desk.Write';

describe('a token is exchanged for one that is good for one intent', () => {
  it('as RFC 8693 and RFC 9396 have it', async () => {
    const { status, headers, body, intent } = await ask(gateway, form(token, details(), { scope: 'desk:use' }));
    expect(status).toBe(200);
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('pragma')).toBe('no-cache');
    expect(body).toEqual({
      access_token: expect.stringMatching(/^spi_[0-9A-Za-z]{16}_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}$/),
      issued_token_type: accessToken,
      token_type: 'Bearer',
      expires_in: 900,
      scope: 'desk:use',
      authorization_details: [
        { type: 'intent', identifier: intent, message_digest: digest, tools: [write], calls: 1, expires_in: 900 },
      ],
    });
  });

  it('and lets through what it was made for, once; everything else is refused, naming the intent', async () => {
    const made = await exchange(gateway, token, details());
    expect(await call(gateway, made.token, write, { text: 'one' })).toMatchObject({ status: 200 });
    expect(await call(gateway, made.token, write)).toMatchObject({
      status: 403,
      error: { reason: 'intent_spent', intent: made.intent },
    });
    expect(await call(gateway, made.token, 'desk.Desk.Ask')).toMatchObject({
      status: 403,
      error: { reason: 'intent_exceeded', intent: made.intent },
    });
    expect(desk.notes().filter((note) => note === 'one')).toHaveLength(1);
  });

  it('shows in lists what it lets be called, and no more', async () => {
    const made = await exchange(gateway, token, details({ tools: [write, 'desk.Desk.A*'] }));
    const names = async (secret: string): Promise<readonly string[]> => {
      const response = await fetch(new URL('/mcp/tools', gateway.mcp), {
        headers: { authorization: `Bearer ${secret}` },
      });
      return ((await response.json()) as { tools: { name: string }[] }).tools.map(({ name }) => name);
    };
    expect(await names(made.token)).toEqual(['desk.Desk.Ask', write]);
    expect((await names(token)).length).toBeGreaterThan(2);
  });

  it('holds arguments to their bounds, and costs no call when they are outside of them', async () => {
    const bounds = [
      { pointer: '/text', enum: ['a', 'b'] },
      { pointer: '/amount', minimum: 1, maximum: 500 },
    ];
    const made = await exchange(gateway, token, details({ bounds }));
    const issues = async (input: object) => (await call(gateway, made.token, write, input)).error?.issues;
    expect(await issues({ text: 'c', amount: 501 })).toEqual([
      '/text: is not what was agreed',
      '/amount: is too large',
    ]);
    expect(await issues({ text: 'a', amount: 0 })).toEqual(['/amount: is too small']);
    expect(await issues({ text: 'a' })).toEqual(['/amount: has to be there']);
    expect(await call(gateway, made.token, write, { text: 'a', amount: 500 })).toMatchObject({ status: 200 });
    expect(await issues({ text: 'a', amount: 500 })).toBeUndefined();
  });

  it('counts no call that was refused, by whatever stage', async () => {
    const made = await exchange(gateway, token, details());
    for (const [tool, input] of [
      ['desk.Desk.Erase', {}],
      ['desk.Desk.Nothing', {}],
      [write, { text: 7 }],
    ] as const) {
      expect((await call(gateway, made.token, tool, input)).status).toBeGreaterThanOrEqual(400);
    }
    expect(await call(gateway, made.token, write)).toMatchObject({ status: 200 });
  });

  it('is revoked at once, by itself or with what it was made from', async () => {
    const parent = await gateway.mint('erin', ['desk:use'], 'person');
    const [one, other] = [await exchange(gateway, parent, details()), await exchange(gateway, parent, details())];
    expect(await gateway.operate('intents.revoke', { id: one.intent })).toEqual({ id: one.intent, changed: true });
    expect(await call(gateway, one.token, write)).toMatchObject({ status: 401, came: 'credential_revoked' });
    await gateway.operate('tokens.revoke', { id: parent.split('_')[1] ?? '' });
    expect(await call(gateway, other.token, write)).toMatchObject({ status: 401, came: 'credential_revoked' });
  });

  it('ends with the account of its user', async () => {
    const parent = await gateway.mint('fay', ['desk:use'], 'person');
    const made = await exchange(gateway, parent, details());
    await gateway.operate('accounts.disable', { name: 'fay' });
    expect(await call(gateway, made.token, write)).toMatchObject({ status: 401, came: 'credential_revoked' });
  });

  it('names the agent that acts for the user, if it shows who it is', async () => {
    const agent = await gateway.mint('scribe', []);
    const more = { actor_token: agent, actor_token_type: accessToken };
    const made = await exchange(gateway, token, details(), more);
    expect(await call(gateway, made.token, write)).toMatchObject({ status: 200 });
    const [record] = await gateway.records({ intent: made.intent });
    expect(record).toMatchObject({ subject: 'dana', actor: { subject: 'scribe' }, client: 'token:token', tool: write });
    await gateway.operate('accounts.disable', { name: 'scribe' });
    expect(await call(gateway, made.token, write)).toMatchObject({ came: 'credential_revoked' });
  });
});

describe('nothing of it is secret where it is kept', () => {
  it('each exchange leaves one record, without tokens and without the message', async () => {
    const before = (await gateway.records()).length;
    const { token: secret } = await exchange(gateway, token, details({ message, message_digest: undefined }));
    const records = (await gateway.records()).slice(before);
    expect(records).toHaveLength(1);
    expect(records[0]).toMatchObject({ subject: 'dana', tool: 'sallyport.intents.exchange', outcome: 'answered' });
    const text = JSON.stringify(records);
    for (const piece of [secret, secret.split('_')[2] ?? '', token, message]) expect(text).not.toContain(piece);
  });

  it('each refusal leaves one', async () => {
    const before = (await gateway.records()).length;
    expect(await ask(gateway, form(token, details({ calls: 100_000 })))).toMatchObject({ status: 400 });
    expect(await ask(gateway, form(token, details(), { grant_type: 'password' }))).toMatchObject({ status: 400 });
    const records = (await gateway.records()).slice(before);
    expect(records).toMatchObject([
      { subject: 'dana', outcome: 'refused', reason: 'invalid_input' },
      { subject: 'dana', outcome: 'refused', reason: 'malformed_params' },
    ]);
  });
});

describe('what cannot be taken is refused in the words of OAuth', () => {
  const bad: readonly (readonly [string, () => Parameters<typeof ask>[1], string])[] = [
    ['no grant', () => form(token, details(), { grant_type: undefined }), 'invalid_request'],
    ['another grant', () => form(token, details(), { grant_type: 'client_credentials' }), 'unsupported_grant_type'],
    ['no token', () => form(token, details(), { subject_token: undefined }), 'invalid_request'],
    ['a token that is none', () => form('sp_nonsense', details()), 'invalid_request'],
    ['another type of token', () => form(token, details(), { subject_token_type: 'urn:x:saml' }), 'invalid_request'],
    ['another type wanted', () => form(token, details(), { requested_token_type: 'urn:x:saml' }), 'invalid_request'],
    ['an actor without its type', () => form(token, details(), { actor_token: token }), 'invalid_request'],
    ['no details', () => form(token, details(), { authorization_details: undefined }), 'invalid_authorization_details'],
    [
      'details that are no JSON',
      () => form(token, {}, { authorization_details: '[' }),
      'invalid_authorization_details',
    ],
    ['details of another type', () => form(token, details({ type: 'payment' })), 'invalid_authorization_details'],
    [
      'two details',
      () => form(token, {}, { authorization_details: JSON.stringify([details(), details()]) }),
      'invalid_authorization_details',
    ],
    ['a member nobody knows', () => form(token, details({ actions: ['all'] })), 'invalid_authorization_details'],
    [
      'a member twice',
      () =>
        form(token, {}, { authorization_details: `[${JSON.stringify(details()).slice(0, -1)},"calls":1,"calls":2}]` }),
      'invalid_authorization_details',
    ],
    ['no tools', () => form(token, details({ tools: [] })), 'invalid_authorization_details'],
    ['no message', () => form(token, details({ message_digest: undefined })), 'invalid_authorization_details'],
    [
      'a digest of another message',
      () => form(token, details({ message: 'Erase it all.' })),
      'invalid_authorization_details',
    ],
    [
      'a bound that binds nothing',
      () => form(token, details({ bounds: [{ pointer: '/text' }] })),
      'invalid_authorization_details',
    ],
    ['no calls', () => form(token, details({ calls: 0 })), 'invalid_authorization_details'],
    ['an empty scope', () => form(token, details(), { scope: ' ' }), 'invalid_scope'],
    ['a parameter twice', () => `${form(token, details())}&subject_token=x`, 'invalid_request'],
  ];
  it.each(bad)('%s', async (_, body, error) => {
    const text = String(body());
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const answer = await ask(gateway, text, { headers });
    expect([answer.status, answer.body.error]).toEqual([400, error]);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.body.access_token).toBeUndefined();
  });

  it('a client that signs in is told that it cannot', async () => {
    const headers = { authorization: 'Basic YTpi' };
    const answer = await ask(gateway, form(token, details()), { headers });
    expect([answer.status, answer.body.error]).toEqual([401, 'invalid_client']);
    expect(answer.headers.get('www-authenticate')).toContain('Basic');
  });

  it('another kind of body, and parameters in the address', async () => {
    const headers = { 'content-type': 'application/json' };
    expect(await ask(gateway, '{}', { headers })).toMatchObject({ status: 400, body: { error: 'invalid_request' } });
    const inAddress = await fetch(new URL(`/oauth/token?${form(token, details())}`, gateway.mcp), { method: 'POST' });
    expect(inAddress.status).toBe(400);
    expect((await fetch(new URL('/oauth/token', gateway.mcp))).status).toBe(405);
  });
});
