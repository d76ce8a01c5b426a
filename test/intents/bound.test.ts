import { adminCall } from '@sallyport/gateway';
import type { JsonObject } from '@sallyport/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Front, openFront } from '../identity/front.ts';
import { drawHolder, type Holder } from '../identity/holder.ts';
import { drawKey, startIssuer, type TestIssuer } from '../identity/issuer.ts';
import { restCall, sendRaw } from '../identity/send.ts';
import { details as detail, digest, form } from './support.ts';

const publicUrl = 'https://gate.example';
const tokenUrl = `${publicUrl}/oauth/token`;
const open = 'desk.Desk.Open';
let company: TestIssuer;
let front: Front;
let holder: Holder;

beforeAll(async () => {
  company = await startIssuer([await drawKey('e1')]);
  holder = await drawHolder();
  const issuers = { company: { issuer: company.url, scopes: ['*'] } };
  front = await openFront({ publicUrl, views: { all: { tools: ['*'] } }, auth: { issuers } as JsonObject });
});
afterAll(async () => {
  await Promise.all([front.close(), company.close()]);
});

type Header = readonly [string, string];
const details = (more: object = {}) => detail({ tools: [open], ...more });
const operate = (operation: string, args: JsonObject) =>
  adminCall({ socketPath: front.gateway.adminSocket }, operation, { args }) as Promise<any>;

async function ask(token: string, more: Record<string, string> = {}, headers: readonly Header[] = []) {
  const body = form(token, details(), more).toString();
  const type = ['Content-Type', 'application/x-www-form-urlencoded'] as const;
  const reply = await sendRaw({
    origin: front.origin,
    method: 'POST',
    path: '/oauth/token',
    headers: [type, ...headers],
    body,
  });
  return { status: reply.status, body: reply.json() };
}

async function call(token: string, scheme = 'Bearer', more: readonly Header[] = []) {
  const { headers, body } = restCall(open);
  const authorization = ['Authorization', `${scheme} ${token}`] as const;
  const all = [...headers, authorization, ...more];
  const reply = await sendRaw({
    origin: front.origin,
    method: 'POST',
    path: '/mcp/call',
    headers: all,
    body: JSON.stringify(body),
  });
  return reply.status === 200 ? 'answered' : reply.json().error.reason;
}

const mint = (claims: object = {}) => company.mint({ aud: publicUrl, ...claims });
const proofFor = async (token: string, url: string, by = holder): Promise<Header> => [
  'DPoP',
  await by.prove({ method: 'POST', url, token }),
];

describe('a token of an issuer is exchanged for an intent', () => {
  it('and keeps who it speaks of', async () => {
    const token = await mint({ sub: 'alice', act: { sub: 'agent-7' }, client_id: 'app-1', sid: 's-1' });
    const { status, body } = await ask(token);
    expect([status, body.token_type, body.scope]).toEqual([200, 'Bearer', 'posts:read posts:write']);
    expect(await call(body.access_token)).toBe('answered');
    expect(front.seen.at(-1)?.principal).toMatchObject({
      ...{ subject: 'company:alice', actor: { subject: 'company:agent-7' }, client: 'company:app-1', session: 's-1' },
      intent: { id: body.authorization_details[0].identifier, messageDigest: digest },
    });
  });

  it('which ends when its issuer’s token is taken back, or all of its user’s', async () => {
    const [jti, sub] = [crypto.randomUUID(), 'bob'];
    const [one, other] = [await ask(await mint({ jti })), await ask(await mint({ sub }))];
    await operate('revocations.add', { issuer: 'company', kind: 'token', value: jti });
    await operate('revocations.add', { issuer: 'company', kind: 'subject', value: `company:${sub}` });
    expect(await call(one.body.access_token)).toBe('credential_revoked');
    expect(await call(other.body.access_token)).toBe('credential_revoked');
  });

  it('and never lives longer', async () => {
    const exp = Math.floor(Date.now() / 1000) + 60;
    const { body } = await ask(await mint({ exp }));
    expect(body.expires_in).toBeLessThanOrEqual(60);
    expect(await ask(await mint({ exp: exp - 120, iat: exp - 600 }))).toMatchObject({
      status: 400,
      body: { error: 'invalid_request' },
    });
  });

  it('good where the token was good: one for an endpoint gives one for that endpoint', async () => {
    const resource = `${publicUrl}/mcp/views/all`;
    const token = await mint({ aud: resource });
    expect(await ask(token)).toMatchObject({ status: 400, body: { error: 'invalid_request' } });
    expect(await ask(token, { resource: `${publicUrl}/mcp/desk` })).toMatchObject({ status: 400 });
    const { status, body } = await ask(token, { resource });
    expect(status).toBe(200);
    expect(await call(body.access_token)).toBe('credential_invalid');
  });

  it.each<[string, { aud?: string }]>([
    ['meant for somebody else', { aud: 'https://other.example' }],
    ['without an audience', {}],
    ['of another type', {}],
  ])('not one that is %s', async (what, claims) => {
    const token = await company.mint(
      { ...(what !== 'without an audience' && { aud: publicUrl }), ...claims },
      what === 'of another type' ? { typ: 'jwt' } : {},
    );
    expect(await ask(token)).toMatchObject({ status: 400, body: { error: 'invalid_request' } });
  });
});

describe('a token that is bound to a key stays bound', () => {
  const bound = () => mint({ cnf: { jkt: holder.jkt } });

  it('is exchanged with a proof, and comes out bound to the same key', async () => {
    const token = await bound();
    const { status, body } = await ask(token, {}, [await proofFor(token, tokenUrl)]);
    expect([status, body.token_type]).toEqual([200, 'DPoP']);
    const secret = body.access_token as string;
    const url = `${publicUrl}/mcp/call`;
    expect(await call(secret)).toBe('credential_invalid');
    expect(await call(secret, 'DPoP')).toBe('proof_invalid');
    expect(await call(secret, 'DPoP', [await proofFor(secret, url, await drawHolder())])).toBe('credential_invalid');
    expect(await call(secret, 'DPoP', [await proofFor(token, url)])).toBe('proof_invalid');
    expect(await call(secret, 'DPoP', [await proofFor(secret, url)])).toBe('answered');
  });

  it('is not exchanged without one, nor with one of another key, another address, another token, or an old one', async () => {
    const token = await bound();
    const error = async (...headers: readonly Header[]) => (await ask(token, {}, headers)).body.error;
    expect(await error()).toBe('invalid_request');
    expect(await error(await proofFor(token, tokenUrl, await drawHolder()))).toBe('invalid_request');
    expect(await error(await proofFor(token, `${publicUrl}/mcp`))).toBe('invalid_dpop_proof');
    expect(await error(await proofFor(await bound(), tokenUrl))).toBe('invalid_dpop_proof');
    const once = await proofFor(token, tokenUrl);
    expect(await error(once)).toBeUndefined();
    expect(await error(once)).toBe('invalid_dpop_proof');
    expect(await error(await proofFor(token, tokenUrl), await proofFor(token, tokenUrl))).toBe('invalid_dpop_proof');
  });

  it('cannot be an actor’s, whose proof would be one too many', async () => {
    const more = { actor_token: await bound(), actor_token_type: 'urn:ietf:params:oauth:token-type:access_token' };
    expect(await ask(await mint(), more)).toMatchObject({ status: 400, body: { error: 'invalid_request' } });
  });

  it('to a certificate: is not exchanged on a connection without it', async () => {
    const token = await mint({ cnf: { 'x5t#S256': 'A'.repeat(43) } });
    expect(await ask(token)).toMatchObject({ status: 400, body: { error: 'invalid_request' } });
  });
});
