import { once } from 'node:events';
import type { AccessRequest, AuditRecord } from '@sallyport/core';
import {
  type AuthenticationDeps,
  callbackAuditLog,
  createGateway,
  fixedRegistry,
  inProcessService,
} from '@sallyport/gateway';
import type { JsonObject } from '@sallyport/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { authenticatorKinds } from '../../packages/gateway/src/authentication/index.ts';
import { type Front, openFront } from './front.ts';
import { drawKey, settingsOf, startIssuer, type TestIssuer } from './issuer.ts';
import { legacyCall, modernCall, restCall, sendRaw } from './send.ts';

const publicUrl = 'https://gate.example';
let company: TestIssuer;
let front: Front;
let token: string;

/** Alice, through the planner that the assistant started, in the program `desktop`. */
const claims = {
  ...{ aud: publicUrl, sub: 'alice', client_id: 'desktop', sid: 'monday', org: 'acme', team: 'blue', suite: 'office' },
  ...{ scope: 'posts:read', act: { sub: 'planner', act: { sub: 'assistant', act: { sub: 'scheduler' } } } },
};
const identity = {
  subject: 'company:alice',
  actor: {
    subject: 'company:planner',
    actor: { subject: 'company:assistant', actor: { subject: 'company:scheduler' } },
  },
  client: 'company:desktop',
  session: 'monday',
  tenant: 'acme',
  app: 'office',
};
const principal = { ...identity, kind: 'person', scopes: ['posts:read'], attributes: { team: 'blue' } };

beforeAll(async () => {
  company = await startIssuer([await drawKey('e1')]);
  const issuers = {
    company: { issuer: company.url, claims: { tenant: 'org', app: 'suite', attributes: { team: 'team' } } },
  };
  front = await openFront({ publicUrl, auth: { issuers } as JsonObject });
  token = await company.mint(claims);
});
afterAll(async () => {
  await Promise.all([front.close(), company.close()]);
});

/** What somebody would like to be. */
const wish = {
  ...{ subject: 'owner', sub: 'owner', actor: { subject: 'owner' }, act: { sub: 'owner' }, client: 'trusted' },
  ...{ client_id: 'trusted', session: 'other', tenant: 'rival', scopes: ['*', 'admin:*'], scope: '*', kind: 'owner' },
  ...{ attributes: { team: 'red' }, roles: ['admin'], method: 'local-owner', credentialId: 'forged' },
};
const metaNames = ['principal', 'dev.sallyport/principal', 'dev.sallyport/actor', 'io.modelcontextprotocol/principal'];
const wishMeta = {
  ...Object.fromEntries(metaNames.map((name) => [name, wish])),
  'io.modelcontextprotocol/clientInfo': { name: 'trusted', version: '1', ...wish },
  ...wish,
};
const wishHeaders = [
  ...['X-User', 'X-Remote-User', 'Remote-User', 'X-Forwarded-User', 'X-Forwarded-Email', 'X-Forwarded-Groups'],
  ...['X-Auth-Request-User', 'X-Auth-Request-Email', 'X-Authenticated-Userid', 'X-Goog-Authenticated-User-Email'],
  ...['X-Ms-Client-Principal', 'X-Amzn-Oidc-Identity', 'X-Amzn-Oidc-Data', 'X-Sallyport-Principal', 'X-Sallyport-User'],
  ...['X-Tenant-Id', 'X-Account-Id', 'X-Scopes', 'X-Roles', 'X-Actor', 'On-Behalf-Of', 'X-Client-Id', 'From'],
  ...['X-Api-Key', 'Proxy-Authorization', 'Cookie', 'X-Ssl-Client-S-Dn', 'Ssl-Client-Cert', 'Client-Cert', 'Baggage'],
  ...['Sallyport-Assertion', 'X-Sallyport-Assertion', 'Txn-Token', 'User-Agent', 'Mcp-Client', 'Tracestate'],
].map((name) => [name, 'owner'] as const);

type Header = readonly [name: string, value: string];

/** A call with something beside it that must not count. */
interface Sending {
  readonly input?: object;
  readonly meta?: object;
  /** Members of the params, or of the REST body. */
  readonly params?: object;
  /** Members of the message. */
  readonly message?: object;
  readonly headers?: readonly Header[];
  readonly query?: string;
}

interface WayIn {
  readonly name: string;
  call(sending: Sending): Promise<void>;
}

const bearer = (): Header => ['Authorization', `Bearer ${token}`];

async function post(
  path: string,
  { headers, body, query }: { headers: readonly Header[]; body: object; query?: string },
) {
  const reply = await sendRaw({
    ...{ origin: front.origin, method: 'POST', path: query === undefined ? path : `${path}?${query}` },
    headers: [...headers, bearer()],
    body: JSON.stringify(body),
  });
  expect(reply.status, reply.text).toBe(200);
}

const waysIn: readonly WayIn[] = [
  {
    name: 'MCP 2026-07-28',
    call: ({ input, meta = {}, params, message, headers = [], query }) => {
      const made = modernCall('desk.Desk.Open', input, meta);
      const body = { ...made.body, ...message, params: { ...made.body.params, ...params } };
      return post('/mcp', { headers: [...made.headers, ...headers], body, ...(query !== undefined && { query }) });
    },
  },
  {
    name: 'MCP 2025-11-25',
    call: ({ input, meta, params, message, headers = [], query }) => {
      const made = legacyCall('desk.Desk.Open', input);
      const body = {
        ...made.body,
        ...message,
        params: { ...made.body.params, ...params, ...(meta && { _meta: meta }) },
      };
      return post('/mcp', { headers: [...made.headers, ...headers], body, ...(query !== undefined && { query }) });
    },
  },
  {
    name: 'REST',
    call: ({ input, headers = [], query }) => {
      const made = restCall('desk.Desk.Open', input);
      return post('/mcp/call', {
        headers: [...made.headers, ...headers],
        body: made.body,
        ...(query !== undefined && { query }),
      });
    },
  },
  {
    name: 'WebSocket',
    async call({ input, meta = {}, params, message, headers = [], query }) {
      const socket = new WebSocket(
        `${front.origin.replace('http', 'ws')}/mcp/ws${query === undefined ? '' : `?${query}`}`,
        {
          headers: Object.fromEntries([...headers, bearer()]),
        },
      );
      await once(socket, 'open');
      const made = modernCall('desk.Desk.Open', input, meta);
      socket.send(JSON.stringify({ ...made.body, ...message, params: { ...made.body.params, ...params } }));
      const [data] = await once(socket, 'message');
      expect(JSON.parse(String(data)).error).toBeUndefined();
      socket.terminate();
    },
  },
];

const forgeries: readonly (readonly [string, Sending])[] = [
  ['nothing', {}],
  ['its arguments', { input: { ...wish, principal: wish, _meta: wishMeta, ctx: { principal: wish } } }],
  ['_meta', { meta: wishMeta }],
  ['other members of the params', { params: { principal: wish, ...wish, auth: wish } }],
  ['other members of the message', { message: { principal: wish, ...wish, auth: wish } }],
  ['headers that nobody signed', { headers: wishHeaders }],
  ['the query', { query: 'subject=owner&user=owner&scope=*&client_id=trusted&tenant=rival' }],
  ['a token for a WebSocket message, beside the one of the connection', { params: { _token: 'sp_other' } }],
];

const identityOf = ({ subject, actor, client, session, tenant, app, method }: Partial<AuditRecord>) => ({
  ...{ subject, actor, client, session, tenant, app, method },
});

describe.each(waysIn)('over $name', (way) => {
  it.each(forgeries)('who calls is what the token says, whatever is claimed in %s', async (_where, sending) => {
    const [recorded, reached] = [front.records.length, front.seen.length];
    await way.call(sending).catch((error: unknown) => {
      // What the protocol does not know may be refused as a whole, but never believed.
      if (front.seen.length > reached) throw error;
    });
    const calls = front.records.slice(recorded).filter(({ verb }) => verb === 'invoke');
    expect(calls).toHaveLength(front.seen.length > reached ? 1 : calls.length);
    for (const record of calls) expect(identityOf(record)).toEqual({ ...identity, method: 'jwt' });
    for (const seen of front.seen.slice(reached)) expect(seen.principal).toEqual(principal);
  });

  it('the whole chain is in the record and in what the service is told', async () => {
    await way.call({});
    const record = front.records.filter(({ verb }) => verb === 'invoke').at(-1);
    expect(record).toMatchObject({ ...identity, method: 'jwt', outcome: 'answered' });
    expect(front.seen.at(-1)?.principal).toEqual(principal);
  });
});

it('policies decide by the whole chain', async () => {
  const subjects: AccessRequest['subject'][] = [];
  const jwtOnly: AuthenticationDeps = {
    ...{ tokens: front.state.tokens, pepper: front.pepper, nowMs: Date.now, fetch, publicUrl: () => publicUrl },
    ...{ maxTokenLifeMs: () => 1, scopesOf: () => [], settings: () => settings },
  };
  const names = { ...settingsOf('').claims, tenant: 'org', app: 'suite', attributes: { team: 'team' } };
  const settings = { issuers: [settingsOf(company.url, { claims: names })] };
  const open = { name: 'Desk.Open', description: 'For everybody.', inputSchema: { type: 'object' } };
  const desk = { service: 'desk', version: '1.0.0', tools: [open] };
  const gateway = createGateway({
    registry: fixedRegistry([inProcessService(desk, { 'Desk.Open': () => ({ done: true }) })]),
    authenticators: authenticatorKinds.map((kind) => kind.create(jwtOnly)),
    audit: callbackAuditLog(() => undefined),
    policyEngines: [
      {
        decide: ({ subject }) => {
          subjects.push(subject);
          return { effect: 'abstain', policies: [] };
        },
        revision: () => 'spy/1',
      },
    ],
  });
  await gateway.call({ token, tool: 'desk.Desk.Open', input: { principal: wish } });
  await gateway.close();
  expect(subjects.length).toBeGreaterThan(0);
  for (const subject of subjects) expect(subject).toEqual(principal);
});

describe('who says of himself that he is somebody', () => {
  it.each(forgeries)(
    'but presents nothing is nobody, whatever is claimed in %s',
    async (_where, { input, meta, headers = [], query }) => {
      const reached = front.seen.length;
      const made = modernCall('desk.Desk.Open', input, meta);
      const unsigned = headers.filter(([name]) => name !== 'Cookie');
      const reply = await sendRaw({
        ...{ origin: front.origin, method: 'POST', path: query === undefined ? '/mcp' : `/mcp?${query}` },
        headers: [...made.headers, ...unsigned],
        body: JSON.stringify(made.body),
      });
      expect(reply.status).toBe(401);
      expect(front.records.at(-1)).toMatchObject({ outcome: 'refused', reason: 'credential_missing' });
      expect(identityOf(front.records.at(-1) ?? {})).toEqual(identityOf({}));
      expect(front.seen.length).toBe(reached);
    },
  );
});

describe('claims that are not what they have to be', () => {
  it.each([
    ['an actor without a name', { act: {} }],
    ['an actor that is text', { act: 'owner' }],
    ['an actor that never ends', { act: nested(40) }],
    ['a session that is a list', { sid: ['monday'] }],
    ['a tenant that is a number', { org: 7 }],
    ['a client that is an object', { client_id: { name: 'desktop' } }],
  ])('make the whole token bad: %s', async (_what, changes) => {
    const { headers, body } = modernCall('desk.Desk.Open');
    const bad = await company.mint({ ...claims, ...changes });
    const reply = await sendRaw({
      ...{ origin: front.origin, method: 'POST', path: '/mcp', body: JSON.stringify(body) },
      headers: [...headers, ['Authorization', `Bearer ${bad}`]],
    });
    expect(reply.status).toBe(401);
  });
});

function nested(depth: number): object {
  return depth === 0 ? { sub: 'last' } : { sub: `actor-${depth}`, act: nested(depth - 1) };
}
