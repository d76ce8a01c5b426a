import { type Authenticator, notResponsible } from '@sallyport/core';
import {
  callbackAuditLog,
  createGateway,
  fixedRegistry,
  type Gateway,
  hasProblems,
  inProcessService,
  parsePolicies,
} from '@sallyport/gateway';
import { fakePrincipal } from '@sallyport/testkit';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type CedarEngine, createCedarEngine } from '../../packages/gateway/src/authorization/cedar.ts';
import { createLiveCatalog } from '../../packages/gateway/src/catalog/live.ts';

/** The list of one caller over real HTTP: what policies leave of the arguments is in it, and nowhere else. */
const inputSchema = {
  type: 'object',
  properties: { amount: { type: 'integer' }, currency: { type: 'string' } },
  required: ['amount'],
} as const;
const written = `{"name":"Charge","vendor":1.0,"inputSchema":${JSON.stringify(inputSchema)}}`;
const tool = { description: 'x', sideEffect: 'write', inputSchema } as const;
const pay = {
  ...{ service: 'pay', version: '1.0.0' },
  tools: [
    { ...tool, name: 'Desk.Refund' },
    { ...tool, name: 'Charge', entryText: written },
  ],
} as const;

const cedar = `
@id("few") @narrow("true") @reason("At most 500.")
forbid(principal in Group::"staff", action, resource) when { context.arguments.amount > 500 };
@id("euro") @narrow("true")
forbid(principal, action == Action::"pay.Desk.Refund", resource)
unless { context.arguments has currency && ["EUR", "USD"].contains(context.arguments.currency) };
@id("secret")
forbid(principal, action, resource) when { context.arguments.amount > 400 && context.arguments.amount < 410 };`;

const byName: Authenticator = {
  authenticate: ({ presented }) => {
    if (presented.kind !== 'bearer') return notResponsible;
    return fakePrincipal({ subject: presented.token, attributes: { groups: [presented.token] } });
  },
};

const log = pino({ level: 'silent' });
let gateway: Gateway;
let engine: CedarEngine;
let mcp: URL;
const cleanups: (() => unknown)[] = [];

async function policySet(text: string) {
  const source = await parsePolicies([{ name: 'pay.cedar', text }]);
  if (hasProblems(source)) throw new Error(JSON.stringify(source.problems));
  return { source, settings: { default: 'scopes', attributes: { groups: 'strings' } } } as const;
}

beforeAll(async () => {
  const answer = () => ({ done: true });
  const registry = fixedRegistry([inProcessService(pay, { 'Desk.Refund': answer, Charge: answer })]);
  const catalog = createLiveCatalog({ registry, overrideFor: () => ({}), methodsOf: () => [], log });
  engine = createCedarEngine(await policySet(cedar), { catalog: catalog.current, onProblems: () => undefined });
  const audit = callbackAuditLog(() => undefined);
  gateway = createGateway({ registry, policyEngines: [engine], authenticators: [byName], audit, log });
  mcp = await gateway.listen({ port: 0 });
});
afterAll(async () => {
  for (const cleanup of cleanups) await cleanup();
  await gateway.close();
});

function post(method: string, params: Readonly<Record<string, unknown>>, options: Asked = {}): Promise<Response> {
  const { as = 'staff', at = '', signal } = options;
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': {},
    'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1.0.0' },
  };
  return fetch(`${mcp}${at}`, {
    method: 'POST',
    headers: {
      ...{ Authorization: `Bearer ${as}`, 'Content-Type': 'application/json' },
      ...{ Accept: 'application/json, text/event-stream', 'MCP-Protocol-Version': '2026-07-28', 'Mcp-Method': method },
      ...('name' in params && { 'Mcp-Name': String(params.name) }),
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { ...params, _meta } }),
    ...(signal && { signal }),
  });
}

interface Asked {
  readonly as?: string;
  readonly at?: string;
  readonly signal?: AbortSignal;
}

async function ask(method: string, params: Readonly<Record<string, unknown>>, options: Asked = {}) {
  return { text: await (await post(method, params, options)).text() };
}

/** What somebody hears who listens to the list of tools. */
async function listenAs(as: string): Promise<() => string> {
  const leaving = new AbortController();
  const params = { notifications: { toolsListChanged: true } };
  const { body } = await post('subscriptions/listen', params, { as, signal: leaving.signal });
  if (body === null) throw new Error('nothing to listen to');
  let heard = '';
  const reading = body.pipeThrough(new TextDecoderStream()).pipeTo(
    new WritableStream({
      write: (text) => {
        heard += text;
      },
    }),
  );
  cleanups.push(() => {
    leaving.abort();
    return reading.catch(() => undefined);
  });
  await vi.waitFor(() => expect(heard).toContain('acknowledged'), 10_000);
  return () => heard;
}

async function schemas(as: string, at = ''): Promise<Record<string, unknown>> {
  const { text } = await ask('tools/list', {}, { as, at });
  const { result } = JSON.parse(text) as {
    result: { tools: { name: string; inputSchema: { properties: unknown } }[] };
  };
  return Object.fromEntries(result.tools.map(({ name, inputSchema: { properties } }) => [name, properties]));
}

const euros = { type: 'string', enum: ['EUR', 'USD'] };

it('shows each caller its own bounds, of policies that opted in, for a foreign tool too', async () => {
  expect(await schemas('staff')).toEqual({
    'pay.Charge': { amount: { type: 'integer', maximum: 500 }, currency: { type: 'string' } },
    'pay.Desk.Refund': { amount: { type: 'integer', maximum: 500 }, currency: euros },
  });
  expect(await schemas('guest')).toEqual({
    'pay.Charge': { amount: { type: 'integer' }, currency: { type: 'string' } },
    'pay.Desk.Refund': { amount: { type: 'integer' }, currency: euros },
  });
});

it('changes no other byte of what a server wrote, where it is mounted alone', async () => {
  const { text } = await ask('tools/list', {}, { at: '/pay' });
  expect(text).toContain(written.replace('"amount":{', '"amount":{"maximum":500,'));
  expect(text).toContain('"cacheScope":"private"');
  expect((await ask('tools/list', {}, { at: '/pay', as: 'guest' })).text).toContain(written);
});

it('validates against the schema of the service: what is not in the list is refused by policy, with its public reason', async () => {
  const call = async (amount: number, as: string) =>
    (await ask('tools/call', { name: 'pay.Desk.Refund', arguments: { amount, currency: 'EUR' } }, { as })).text;
  expect(await call(500, 'staff')).toContain('"done":true');
  const refused = await call(501, 'staff');
  expect(refused).toContain('policy_denied');
  expect(refused).toContain('At most 500.');
  expect(await call(501, 'guest')).toContain('"done":true');
});

it('tells them apart by the ETag of the list over REST', async () => {
  const tools = async (as: string) => {
    const response = await fetch(new URL('/mcp/tools', mcp), { headers: { Authorization: `Bearer ${as}` } });
    return { etag: response.headers.get('etag'), text: await response.text() };
  };
  const [staff, guest, other] = [await tools('staff'), await tools('guest'), await tools('other')];
  expect(staff.text).toContain('"maximum":500');
  expect(guest.text).not.toContain('"maximum":500');
  expect(staff.etag).not.toBe(guest.etag);
  expect(other.etag).toBe(guest.etag);
});

it('tells those who listen when policies make their list another one, and nobody else', async () => {
  const [staff, guest, outsider] = [await listenAs('staff'), await listenAs('guest'), await listenAs('outsider')];
  const put = async (text: string) => engine.prepare(await policySet(text))();
  const changes = (heard: () => string) => heard().split('notifications/tools/list_changed').length - 1;

  await put(cedar.replace('> 500', '> 300'));
  await vi.waitFor(() => expect(changes(staff)).toBe(1), 10_000);
  expect(await schemas('staff')).toMatchObject({ 'pay.Charge': { amount: { maximum: 300 } } });

  await put(`${cedar.replace('> 500', '> 300')} @id("out") forbid(principal in Group::"outsider", action, resource);`);
  await vi.waitFor(() => expect(changes(outsider)).toBe(1), 10_000);

  await put(cedar);
  await vi.waitFor(() => expect([changes(staff), changes(guest), changes(outsider)]).toEqual([2, 0, 2]), 10_000);
});
