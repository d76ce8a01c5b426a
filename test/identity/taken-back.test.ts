import { once } from 'node:events';
import { request } from 'node:http';
import { adminCall } from '@sallyport/gateway';
import type { JsonObject } from '@sallyport/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { type Front, openFront } from './front.ts';
import { drawKey, startIssuer, type TestIssuer } from './issuer.ts';
import { legacyCall, modernCall, sendRaw } from './send.ts';

const publicUrl = 'https://gate.example';
let company: TestIssuer;
let front: Front;

beforeAll(async () => {
  company = await startIssuer([await drawKey('e1')]);
  const issuers = { company: { issuer: company.url }, other: { issuer: 'https://login.example' } };
  front = await openFront({ publicUrl, auth: { issuers } as JsonObject });
});
afterAll(async () => {
  await Promise.all([front.close(), company.close()]);
});

const operate = (operation: string, args: JsonObject = {}) =>
  adminCall({ socketPath: front.gateway.adminSocket }, operation, { args });
const revoke = (args: JsonObject) => operate('revocations.add', { issuer: 'company', ...args });

let people = 0;
/** Somebody new, with a token that was good a moment ago. */
async function newcomer(claims: object = {}) {
  const sub = `person-${++people}`;
  const jti = crypto.randomUUID();
  const mint = (more: object = {}) =>
    company.mint({ aud: publicUrl, sub, jti, sid: `session-${sub}`, ...claims, ...more });
  const token = await mint();
  expect(await call(token)).toBe(200);
  return { sub, subject: `company:${sub}`, jti, token, mint };
}

async function call(token: string): Promise<number> {
  const { headers, body } = modernCall('desk.Desk.Open');
  const authorization = ['Authorization', `Bearer ${token}`] as const;
  const sending = { origin: front.origin, method: 'POST', path: '/mcp', headers: [...headers, authorization] };
  return (await sendRaw({ ...sending, body: JSON.stringify(body) })).status;
}

/** Reads an event stream until it ends. `text` grows. */
async function openStream(options: { path: string; method: string; headers: Record<string, string>; body?: string }) {
  const asking = request(`${front.origin}${options.path}`, { method: options.method, headers: options.headers });
  asking.end(options.body);
  const [response] = await once(asking, 'response');
  const stream = { status: response.statusCode as number, text: '', ended: once(response, 'end') };
  response.on('data', (chunk: Buffer) => {
    stream.text += chunk.toString();
  });
  return stream;
}

const reasonOf = (data: unknown): string => JSON.parse(String(data)).error?.data?.reason ?? 'answered';

describe('a token of an issuer that was taken back', () => {
  it('by its id is refused from the next call on, and no other of the same person is', async () => {
    const { token, jti, mint } = await newcomer();
    const other = await mint({ jti: 'another' });
    expect([await call(token), await call(other)]).toEqual([200, 200]);
    expect(await revoke({ kind: 'token', value: jti })).toMatchObject({ issuer: 'company', kind: 'token', value: jti });
    expect([await call(token), await call(other)]).toEqual([401, 200]);
    expect(front.records.at(-2)).toMatchObject({ outcome: 'refused', reason: 'credential_revoked' });
  });

  it.each([
    ['a subject', 'subject', (who: { subject: string }) => who.subject],
    ['a session', 'session', (who: { sub: string }) => `session-${who.sub}`],
  ] as const)('with all that %s had, is refused, and what is issued later is not', async (_what, kind, nameOf) => {
    const [who, bystander] = [await newcomer(), await newcomer()];
    await revoke({ kind, value: nameOf(who) });
    expect([await call(who.token), await call(bystander.token)]).toEqual([401, 200]);
    const later = await who.mint({ jti: 'later', iat: Math.floor(Date.now() / 1000) + 2 });
    expect(await call(later)).toBe(200);
  });

  it('with all that a client had, is refused', async () => {
    const [who, bystander] = [await newcomer({ client_id: 'leaky' }), await newcomer()];
    await revoke({ kind: 'client', value: 'company:leaky' });
    expect([await call(who.token), await call(bystander.token)]).toEqual([401, 200]);
  });

  it('stays so after a restart, as the store says', async () => {
    const { subject } = await newcomer();
    await revoke({ kind: 'subject', value: subject });
    const about = { issuer: 'company', subject, client: 'company:agent-1', issuedAtMs: 0 };
    expect(await front.state.revocations.isRevoked(about)).toBe(true);
    const { revocations } = (await operate('revocations.list')) as { revocations: JsonObject[] };
    expect(revocations[0]).toMatchObject({ issuer: 'company', kind: 'subject', value: subject });
  });

  it('is refused on a WebSocket that is open, which ends', async () => {
    const { token, jti } = await newcomer();
    const socket = new WebSocket(`${front.origin.replace('http', 'ws')}/mcp/ws`, {
      headers: { Authorization: `Bearer ${token}` },
    });
    await once(socket, 'open');
    const ask = async () => {
      socket.send(JSON.stringify(modernCall('desk.Desk.Open').body));
      return reasonOf((await once(socket, 'message'))[0]);
    };
    expect(await ask()).toBe('answered');
    await revoke({ kind: 'token', value: jti });
    const closed = once(socket, 'close');
    expect(await ask()).toBe('credential_revoked');
    expect((await closed)[0]).toBe(4401);
  });

  it('is refused in a session that it opened', async () => {
    const { token, jti } = await newcomer();
    const headers = [...legacyCall('x').headers, ['Authorization', `Bearer ${token}`] as const];
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } };
    const send = (body: object, more: readonly (readonly [string, string])[] = []) =>
      sendRaw({
        ...{ origin: front.origin, method: 'POST', path: '/mcp', headers: [...headers, ...more] },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, ...body }),
      });
    const opened = await send({ method: 'initialize', params });
    const session = ['Mcp-Session-Id', opened.header('mcp-session-id') ?? ''] as const;
    const news = await openStream({
      ...{ path: '/mcp', method: 'GET' },
      headers: { Accept: 'text/event-stream', Authorization: `Bearer ${token}`, 'Mcp-Session-Id': session[1] },
    });
    expect(news.status).toBe(200);
    expect((await send(legacyCall('desk.Desk.Open').body, [session])).status).toBe(200);
    await revoke({ kind: 'token', value: jti });
    expect((await send(legacyCall('desk.Desk.Open').body, [session])).status).toBe(401);
    await news.ended;
  });

  it('ends a subscription on which nothing happens', async () => {
    const [who, bystander] = [await newcomer(), await newcomer()];
    const listen = (token: string) => {
      const { headers, body } = modernCall('x');
      const params = { notifications: { toolsListChanged: true }, _meta: body.params._meta };
      return openStream({
        ...{ path: '/mcp', method: 'POST' },
        headers: {
          ...Object.fromEntries(headers.filter(([name]) => name !== 'Mcp-Name')),
          ...{ 'Mcp-Method': 'subscriptions/listen', Authorization: `Bearer ${token}` },
        },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'subscriptions/listen', params }),
      });
    };
    const [mine, other] = [await listen(who.token), await listen(bystander.token)];
    await expect
      .poll(() => [mine.text, other.text].every((text) => text.includes('acknowledged')), { timeout: 5_000 })
      .toBe(true);
    let isOtherOver = false;
    void other.ended.then(() => {
      isOtherOver = true;
    });
    await revoke({ kind: 'subject', value: who.subject });
    await mine.ended;
    expect(isOtherOver).toBe(false);
  });
});

describe('taking back', () => {
  it.each([
    ['of an issuer that is not configured', { issuer: 'nobody', kind: 'all' }, 'not_found'],
    ['of nothing in particular', { issuer: 'company', kind: 'subject' }, 'invalid_input'],
    ['of all with a name', { issuer: 'company', kind: 'all', value: 'x' }, 'invalid_input'],
    ['of another kind', { issuer: 'company', kind: 'tenant', value: 'x' }, 'invalid_input'],
  ])('%s is refused', async (_what, args, reason) => {
    await expect(operate('revocations.add', args)).rejects.toMatchObject({ reason });
  });

  it('all of another issuer touches nobody here', async () => {
    const { token } = await newcomer();
    await operate('revocations.add', { issuer: 'other', kind: 'all' });
    expect(await call(token)).toBe(200);
  });

  it('all of an issuer ends everything that it issued until then', async () => {
    const { token } = await newcomer();
    await revoke({ kind: 'all' });
    expect(await call(token)).toBe(401);
  });
});
