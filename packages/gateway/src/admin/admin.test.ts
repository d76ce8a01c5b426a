import { createSecretKey, randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AuditRecord, type CallId, GatewayError } from '@sallyport/core';
import type { JsonObject } from '@sallyport/protocol';
import { fakeCatalog, plainSealer } from '@sallyport/testkit';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openTestDesk } from '../approval/desk.fixture.ts';
import { authenticatorKinds } from '../authentication/index.ts';
import { mintToken } from '../authentication/mint-token.ts';
import { createAuthenticate } from '../authentication/stage.ts';
import { createLiveCatalog } from '../catalog/live.ts';
import { composePipeline } from '../compose/stages.ts';
import { openState, type State } from '../store/state.ts';
import { createSealing } from '../upstream/sealing.ts';
import { adminCall } from './client.ts';
import { type AdminListener, listenForAdmin } from './http.ts';
import { type AdminDeps, adminOperations } from './operations.ts';
import { openTestPolicies } from './policy-desk.fixture.ts';
import { type RawRequest, sendRaw } from './raw-request.fixture.ts';
import { createAdminRegistry } from './registry.ts';

const day = 86_400_000;
const log = pino({ level: 'silent' });

let folder: string;
let socketPath: string;
let state: State;
let nowMs: number;
let deps: AdminDeps & { readonly scopesOf: () => readonly string[] };
let records: AuditRecord[];
let listener: AdminListener;
let url: string;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sp-admin-'));
  socketPath = join(folder, 'admin.sock');
  nowMs = 1_800_000_000_000;
  records = [];
  state = await openState({ path: join(folder, 'state.db'), nowMs: () => nowMs });
  const empty = { ...fakeCatalog([]), revision: 'r' };
  deps = {
    ...{ tokens: state.tokens, accounts: state.accounts, revocations: state.revocations },
    ...{ containments: state.containments, refreshContainment: async () => undefined },
    ...{ pepper: createSecretKey(randomBytes(32)), nowMs: () => nowMs, maxTokenLifeMs: () => 90 * day },
    ...{ scopesOf: () => [], issuerNames: () => ['company'], gatewayName: () => 'Test', openMessage: () => undefined },
    ...{ intents: state.intents, users: state.users, catalog: () => empty, auditPath: join(folder, 'audit.db') },
    ...{ metrics: async () => 'a_metric 1\n', status: () => ({ version: '0.0.0' }) },
    approvalDesk: openTestDesk(state.approvals, () => nowMs).desk,
    policyDesk: openTestPolicies(state, () => nowMs),
    credentials: { connect: async () => undefined, list: async () => [], revoke: async () => 0 },
    ...{ sealTotp: (user: string, secret: string) => `${user} ${secret}`, eraseAudit: async () => 1 },
    keys: { list: async () => [], rotate: async (key) => ({ key }) },
  };
  listener = await listenForAdmin(
    { ...edges, pipeline: composeAdmin(), isReady: () => true },
    { tcp: { host: '127.0.0.1', port: 0 }, socketPath, user: 'dana' },
  );
  url = listener.url!;
});

afterEach(async () => {
  await listener.close();
  await state.close();
  rmSync(folder, { recursive: true, force: true });
});

const edges = {
  ...{ newCallId: () => randomUUID() as CallId, nowMs: () => nowMs },
  newTrace: () => ({ traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), sampled: false }),
};

function composeAdmin() {
  const registry = createAdminRegistry(adminOperations(deps));
  return composePipeline({
    admit: () => undefined,
    authenticators: authenticatorKinds.map((kind) => kind.create(deps)),
    catalog: createLiveCatalog({ registry, overrideFor: () => ({}), log }),
    rate: { rate: () => undefined, rateDenied: (_principal, refusal) => refusal },
    record: async (record) => void records.push(record),
    ...{ viewNamed: () => undefined, redaction: { groups: [], rules: [] } },
    sealing: createSealing({ sealer: plainSealer, nowMs: () => nowMs, gatewayId: 'test' }),
    nowMs: () => nowMs,
  });
}

async function tokenWith(...scopes: string[]): Promise<string> {
  const account = await state.accounts.ensure({ name: 'holder', kind: 'person' });
  return (await mintToken(deps, { account, scopes, label: 'test', lifeMs: day })).text;
}

const local = (operation: string, args: JsonObject = {}) => adminCall({ socketPath }, operation, { args });
const remote = (token: string, operation: string, args: JsonObject = {}) =>
  adminCall({ url, token }, operation, { args });

const raw = (asked: RawRequest) => sendRaw(url, asked);

const json = { 'Content-Type': 'application/json' };

describe('tokens', () => {
  it('are created over the socket, shown once, and good at once', async () => {
    const args = { account: 'writer', scopes: ['posts:write'], label: 'laptop', lifeSeconds: 3600 };
    const created = (await local('tokens.create', args)) as JsonObject;
    expect(created).toMatchObject({ account: 'writer', kind: 'agent', scopes: ['posts:write'], state: 'active' });
    const authenticate = createAuthenticate(authenticatorKinds.map((kind) => kind.create(deps)));
    const presented = { kind: 'bearer', token: String(created.token) } as const;
    const origin = { transport: 'http', peer: 'x', era: 'none' } as const;
    expect(await authenticate({ presented, origin })).toMatchObject({ subject: 'writer', client: 'token:laptop' });

    const secret = String(created.token).split('_')[2]!;
    expect(JSON.stringify(await local('tokens.list'))).not.toContain(secret);
    // What was answered is kept as a hash.
    expect(JSON.stringify(records.map(({ outputText: _, ...kept }) => kept))).not.toContain(secret);
    const copy = Buffer.concat(
      readdirSync(folder)
        .filter((name) => name.startsWith('state.db'))
        .map((name) => readFileSync(join(folder, name))),
    );
    expect(copy.includes(secret)).toBe(false);
  });

  it('rotate: both are good during the overlap, then only the new one', async () => {
    const old = (await local('tokens.create', { account: 'writer', scopes: ['*'] })) as JsonObject;
    const next = (await local('tokens.rotate', { id: old.id!, overlapSeconds: 60 })) as JsonObject;
    const states = async () => {
      const { tokens } = (await local('tokens.list')) as { tokens: JsonObject[] };
      return Object.fromEntries(tokens.map(({ id, state }) => [id, state]));
    };
    expect(next.token).not.toBe(old.token);
    expect(await states()).toEqual({ [String(old.id)]: 'active', [String(next.id)]: 'active' });
    nowMs += 60_000;
    expect(await states()).toEqual({ [String(old.id)]: 'expired', [String(next.id)]: 'active' });
    await expect(local('tokens.rotate', { id: old.id! })).rejects.toMatchObject({ reason: 'conflict' });
  });

  it('are revoked once; a second time changes nothing, and an unknown one is not found', async () => {
    const { id } = (await local('tokens.create', { account: 'writer', scopes: [] })) as { id: string };
    expect(await local('tokens.revoke', { id })).toEqual({ id, changed: true });
    expect(await local('tokens.revoke', { id })).toEqual({ id, changed: false });
    await expect(local('tokens.revoke', { id: '0'.repeat(16) })).rejects.toMatchObject({ reason: 'not_found' });
  });

  it.each([
    ['a life beyond the limit', { lifeSeconds: 91 * 86_400 }],
    ['a scope that is none', { scopes: ['Posts Read'] }],
    ['an argument nobody knows', { admin: true }],
    ['a name that could be a service', { account: 'service:posts' }],
    ['a kind nobody knows', { kind: 'god' }],
    ['a life of no length', { lifeSeconds: 0 }],
  ])('are not created with %s', async (_what, args) => {
    const refused = local('tokens.create', { account: 'writer', scopes: [], ...args });
    await expect(refused).rejects.toMatchObject({ reason: 'invalid_input' });
    expect(await state.tokens.list()).toEqual([]);
  });

  it('are not created for an account of another kind, other spelling, or disabled', async () => {
    await local('tokens.create', { account: 'writer', scopes: [] });
    for (const args of [{ account: 'writer', kind: 'person' }, { account: 'Writer' }]) {
      await expect(local('tokens.create', { ...args, scopes: [] })).rejects.toMatchObject({ reason: 'conflict' });
    }
    await local('accounts.disable', { name: 'writer' });
    await expect(local('tokens.create', { account: 'writer', scopes: [] })).rejects.toMatchObject({
      reason: 'conflict',
    });
  });
});

describe('accounts and the gateway', () => {
  it('an account is disabled, listed as such and enabled', async () => {
    await local('tokens.create', { account: 'writer', scopes: [] });
    expect(await local('accounts.disable', { name: 'writer' })).toMatchObject({ state: 'disabled' });
    expect(await local('accounts.list')).toEqual({ accounts: [{ name: 'writer', kind: 'agent', state: 'disabled' }] });
    expect(await local('accounts.enable', { name: 'writer' })).toMatchObject({ state: 'active' });
    await expect(local('accounts.disable', { name: 'nobody' })).rejects.toMatchObject({ reason: 'not_found' });
  });

  it('catalog and status are shown', async () => {
    expect(await local('catalog.show')).toEqual({ revision: 'r', stale: false, services: [] });
    expect(await local('gateway.status')).toEqual({ version: '0.0.0' });
  });
});

describe('administration is for administrators', () => {
  it.each([
    ['no scope', []],
    ['every tool scope', ['*']],
    ['a scope that looks alike', ['administrator:*', 'tokens:admin', 'posts:*']],
    ['another administrative scope', ['admin:read', 'admin:accounts']],
  ])('an agent token with %s cannot list or make tokens', async (_what, scopes) => {
    const token = await tokenWith(...scopes);
    const before = (await state.tokens.list()).length;
    await expect(remote(token, 'tokens.list')).rejects.toMatchObject({
      reason: 'insufficient_scope',
      details: { scopes: ['admin:tokens'] },
    });
    const create = remote(token, 'tokens.create', { account: 'holder', kind: 'person', scopes: ['*'] });
    await expect(create).rejects.toMatchObject({ reason: 'insufficient_scope' });
    expect(await state.tokens.list()).toHaveLength(before);
  });

  it('each operation takes its own scope, and admin:* satisfies all', async () => {
    const everything = await tokenWith('admin:*');
    const [reader, keeper] = [await tokenWith('admin:read'), await tokenWith('admin:accounts')];
    await remote(reader, 'catalog.show');
    await remote(keeper, 'accounts.list');
    await expect(remote(reader, 'accounts.list')).rejects.toMatchObject({ reason: 'insufficient_scope' });
    for (const operation of ['tokens.list', 'accounts.list', 'catalog.show', 'gateway.status']) {
      await remote(everything, operation);
    }
  });

  it.each([
    ['an administrative scope', { scopes: ['admin:read'] }],
    ['all administrative scopes', { scopes: ['posts:read', 'admin:*'] }],
    ['a pattern of administrative scopes', { scopes: ['admin:t*'] }],
    ['an account of an owner', { kind: 'owner', scopes: [] }],
    ['an account of a service', { kind: 'service', scopes: [] }],
  ])('nobody without admin:* gives away %s', async (_what, args) => {
    const token = await tokenWith('admin:tokens', '*');
    const refused = remote(token, 'tokens.create', { account: 'friend', ...args });
    await expect(refused).rejects.toMatchObject({ reason: 'insufficient_scope', details: { scopes: ['admin:*'] } });
    expect(await state.accounts.find('friend')).toBeUndefined();
    await local('tokens.create', { account: 'friend', ...args });
  });

  it('nobody without admin:* takes over a stronger token by rotating it', async () => {
    const strong = (await local('tokens.create', { account: 'chief', scopes: ['admin:*'] })) as { id: string };
    const token = await tokenWith('admin:tokens');
    await expect(remote(token, 'tokens.rotate', { id: strong.id })).rejects.toMatchObject({
      reason: 'insufficient_scope',
    });
  });

  it('every operation and every refusal is on record, with who it was', async () => {
    await local('tokens.list');
    await remote(await tokenWith('*'), 'tokens.list').catch(() => undefined);
    await raw({ headers: json });
    await raw({ path: '/admin/v1/../../etc', headers: json });
    expect(records.map(({ verb, subject, reason }) => [verb, subject, reason])).toEqual([
      ['invoke', 'dana', undefined],
      ['invoke', 'holder', 'insufficient_scope'],
      ['invoke', undefined, 'credential_missing'],
      ['unreadable', undefined, 'credential_missing'],
    ]);
  });

  it('the intent of a change is on record before the change', async () => {
    await local('tokens.create', { account: 'writer', scopes: [] });
    expect(records.map(({ kind, tool }) => [kind, tool])).toEqual([
      ['intent', 'admin.tokens.create'],
      ['outcome', 'admin.tokens.create'],
    ]);
  });
});

describe('nothing but a client with a token gets in over TCP', () => {
  it.each([
    ['nothing', {}, 'credential_missing'],
    ['an empty header', { authorization: '' }, 'credential_invalid'],
    ['another scheme', { authorization: 'Basic YWRtaW46YWRtaW4=' }, 'credential_invalid'],
    ['the word alone', { authorization: 'Bearer' }, 'credential_invalid'],
    ['any text', { authorization: 'Bearer letmein' }, 'credential_invalid'],
    ['a cookie', { cookie: 'token=letmein' }, 'credential_missing'],
    ['a user in a header', { 'x-forwarded-user': 'dana', 'x-remote-user': 'dana' }, 'credential_missing'],
  ])('%s', async (_what, headers, reason) => {
    const { status, text, headers: answered } = await raw({ headers: { ...json, ...headers } });
    expect([status, JSON.parse(text).error.reason]).toEqual([401, reason]);
    expect(answered['www-authenticate']).toBe('Bearer');
  });

  it('a token in the query is not a token', async () => {
    const token = await tokenWith('admin:*');
    const { status } = await raw({ path: `/admin/v1/tokens.list?token=${token}&access_token=${token}`, headers: json });
    expect(status).toBe(401);
  });

  it('two tokens at once are none', async () => {
    const token = await tokenWith('admin:*');
    const authorization = [`Bearer ${token}`, `Bearer ${token}`];
    const { text } = await raw({ headers: { ...json, authorization } });
    expect(JSON.parse(text).error.reason).toBe('credential_invalid');
  });
});

describe('a page in a browser cannot administer, even if it has the token', () => {
  it.each([
    ['a foreign Origin', { Origin: 'https://evil.example' }],
    ['the Origin of a sandboxed frame', { Origin: 'null' }],
    ['another port of this machine as Origin', { Origin: 'http://127.0.0.1:1' }],
    ['a Host that was made to resolve to this machine', { Host: 'evil.example' }],
    ['such a Host with its own Origin', { Host: 'evil.example', Origin: 'http://evil.example' }],
    ['a browser that says the page is foreign', { 'Sec-Fetch-Site': 'cross-site' }],
    ['a browser that says the page is of a sibling', { 'Sec-Fetch-Site': 'same-site' }],
  ])('%s is refused', async (_what, headers) => {
    const authorization = `Bearer ${await tokenWith('admin:*')}`;
    const { status, text } = await raw({ headers: { ...json, authorization, ...headers } });
    expect([status, JSON.parse(text).error.reason]).toEqual([403, 'origin_refused']);
  });

  it.each([
    ['a form', 'application/x-www-form-urlencoded'],
    ['a form with files', 'multipart/form-data; boundary=x'],
    ['plain text', 'text/plain'],
    ['no type', ''],
    ['text that mentions JSON', 'text/plain; application/json'],
  ])('%s is refused: only JSON is read, for which browsers ask first', async (_what, type) => {
    const authorization = `Bearer ${await tokenWith('admin:*')}`;
    const { status, text } = await raw({ headers: { authorization, 'Content-Type': type } });
    expect([status, JSON.parse(text).error.reason]).toEqual([400, 'malformed_request']);
  });

  it('the question that browsers ask first is answered with no permission', async () => {
    const headers = { Origin: 'https://evil.example', 'Access-Control-Request-Method': 'POST' };
    const answer = await raw({ method: 'OPTIONS', headers });
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
  });

  it.each(['/', '/health', '/ready', '/admin/v1/tokens.list', '/nothing'])(
    'GET %s cannot be framed, cached, sniffed or scripted',
    async (path) => {
      const { headers } = await raw({ method: 'GET', path });
      expect(headers['content-security-policy']).toContain("default-src 'none'");
      expect(headers['content-security-policy']).toContain("frame-ancestors 'none'");
      expect(headers).toMatchObject({
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
        'referrer-policy': 'no-referrer',
        'cache-control': 'no-store',
      });
    },
  );
});

describe('what is asked', () => {
  it.each([
    ['no JSON', '{', 400, 'malformed_json'],
    ['nothing', '', 400, 'malformed_json'],
    ['bytes that are no text', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), 400, 'malformed_json'],
    ['a member twice', '{"id":"a","id":"b"}', 400, 'malformed_json'],
    ['a list', '[]', 400, 'invalid_input'],
    ['null', 'null', 400, 'invalid_input'],
    ['a member too many', '{"x":1}', 400, 'invalid_input'],
    ['too much', `{"x":"${'a'.repeat(70_000)}"}`, 413, 'payload_too_large'],
  ])('%s is refused', async (_what, body, status, reason) => {
    const authorization = `Bearer ${await tokenWith('admin:*')}`;
    const answer = await raw({ headers: { ...json, authorization }, body });
    expect([answer.status, JSON.parse(answer.text).error.reason]).toEqual([status, reason]);
  });

  it('too much in pieces of unknown length is refused as well', async () => {
    const authorization = `Bearer ${await tokenWith('admin:*')}`;
    const headers = { ...json, authorization, 'Transfer-Encoding': 'chunked' };
    const answer = await raw({ headers, body: `{"x":"${'a'.repeat(70_000)}"}` });
    expect(answer.status).toBe(413);
  });

  it.each([
    ['an unknown operation', '/admin/v1/tokens.steal', 'unknown_tool'],
    ['no operation', '/admin/v1/', 'method_unknown'],
    ['a path beside', '/admin/v2/tokens.list', 'method_unknown'],
    ['a tool of the data plane', '/admin/v1/posts.PostService.Create', 'method_unknown'],
  ])('%s is not there', async (_what, path, reason) => {
    const authorization = `Bearer ${await tokenWith('admin:*')}`;
    const { status, text } = await raw({ path, headers: { ...json, authorization } });
    expect([status, JSON.parse(text).error.reason]).toEqual([404, reason]);
  });

  it('the answer names the call', async () => {
    const authorization = `Bearer ${await tokenWith('admin:*')}`;
    const { text, headers } = await raw({ headers: { ...json, authorization } });
    expect(headers['mcp-trace-id']).toBe(records[0]?.callId);
    expect(JSON.parse(text).trace_id).toBe(records[0]?.callId);
  });

  it('gives metrics to whoever may read, as plain text, and puts it on record', async () => {
    const refused = await raw({ method: 'GET', path: '/metrics' });
    expect(refused).toMatchObject({ status: 401, headers: { 'www-authenticate': 'Bearer' } });
    const Authorization = `Bearer ${await tokenWith('admin:read')}`;
    const scraped = await raw({ method: 'GET', path: '/metrics', headers: { Authorization } });
    expect(scraped).toMatchObject({ status: 200, text: 'a_metric 1\n' });
    expect(scraped.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(records).toMatchObject([{ outcome: 'refused' }, { outcome: 'answered', tool: 'admin.metrics.show' }]);
    const poor = `Bearer ${await tokenWith('admin:tokens')}`;
    expect((await raw({ method: 'GET', path: '/metrics', headers: { Authorization: poor } })).status).toBe(403);
  });

  it('says what it is, and how it is, without a token', async () => {
    expect((await raw({ method: 'GET', path: '/' })).text).toContain('Sallyport administration');
    expect((await raw({ method: 'GET', path: '/health' })).text).toBe('{"status":"ok"}');
    expect((await raw({ method: 'GET', path: '/ready' })).text).toBe('{"status":"ready"}');
  });
});

describe('where it listens', () => {
  it('the socket is for its owner alone', () => {
    expect(statSync(socketPath).mode & 0o777).toBe(0o600);
  });

  it('a second gateway on the same folder is refused, and the first goes on', async () => {
    const second = listenForAdmin(
      { ...edges, pipeline: composeAdmin(), isReady: () => true },
      { socketPath, user: 'dana' },
    );
    await expect(second).rejects.toThrow('another gateway runs on this data folder');
    await local('tokens.list');
  });

  it.each(['0.0.0.0', '::', '192.0.2.1', 'example.com'])('it does not listen on %s', async (host) => {
    const addresses = { tcp: { host, port: 0 }, socketPath: join(folder, 'other.sock'), user: 'dana' };
    const listening = listenForAdmin({ ...edges, pipeline: composeAdmin(), isReady: () => true }, addresses);
    await expect(listening).rejects.toThrow('loopback');
    await new Promise<void>((resolve) => {
      connect(addresses.socketPath).once('error', () => resolve());
    });
  });

  it('the client says when no gateway answers, and sends no token in the clear', async () => {
    await expect(adminCall({ socketPath: join(folder, 'no.sock') }, 'tokens.list')).rejects.toThrow('is it running?');
    await expect(adminCall({ url: 'http://gateway.example:3001', token: 'x' }, 'tokens.list')).rejects.toThrow('https');
  });

  it('the client throws what the gateway refused with', async () => {
    const refusal = await local('tokens.revoke', { id: 'x' }).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(GatewayError);
    expect((refusal as GatewayError).details.issues?.join()).toContain('/id');
  });
});
