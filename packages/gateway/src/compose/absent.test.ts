import { type Authenticator, notResponsible, type PolicyEngine } from '@sallyport/core';
import { fakePrincipal } from '@sallyport/testkit';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createForeignRegistry } from '../registry/foreign.ts';
import { createMcpHttp } from '../upstream/mcp/service-http.ts';
import { callbackAuditLog, createGateway } from './embed.ts';

const log = pino({ level: 'silent' });
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const byName: Authenticator = {
  authenticate: ({ presented }) => {
    if (presented.kind !== 'bearer') return notResponsible;
    return fakePrincipal({ subject: presented.token });
  },
};

/** A service may be hidden from somebody whatever it has. */
const hidingIt: PolicyEngine = {
  revision: () => '1',
  decide: ({ subject, resource }) => ({
    effect: subject.subject === 'stranger' && resource.service === 'wiki' ? 'deny' : 'permit',
    policies: ['hiding'],
  }),
};

let mcp: URL;
beforeEach(async () => {
  // Nothing listens there, and nothing ever will.
  const clientInfo = { name: 'sallyport', version: '0.1.0' };
  const wiki = createMcpHttp({ service: 'wiki', url: 'http://127.0.0.1:1/mcp', clientInfo, log });
  const registry = createForeignRegistry({ services: new Map([['wiki', wiki]]), log, settleMs: 1 });
  const gateway = createGateway({
    ...{ registry, authenticators: [byName], policyEngines: [hidingIt], log },
    audit: callbackAuditLog(() => undefined),
  });
  cleanups.push(registry.close, gateway.close);
  await vi.waitFor(() => expect(registry.settling).toBe(false), 15_000);
  mcp = await gateway.listen({ port: 0 });
});

async function get(path: string, as: string): Promise<unknown> {
  const url = new URL(`${mcp.pathname}${path}`, mcp);
  return (await fetch(url, { headers: { Authorization: `Bearer ${as}` } })).json();
}

async function ask(method: string, params: object, { at = '', as = 'ada' } = {}) {
  const response = await fetch(`${mcp}${at}`, {
    method: 'POST',
    headers: {
      Authorization: `Bearer ${as}`,
      'Content-Type': 'application/json',
      Accept: 'application/json, text/event-stream',
      'MCP-Protocol-Version': '2026-07-28',
      'Mcp-Method': method,
      ...('name' in params && { 'Mcp-Name': String(params.name) }),
    },
    body: JSON.stringify({
      ...{ jsonrpc: '2.0', id: 1, method },
      params: {
        ...params,
        _meta: {
          'io.modelcontextprotocol/protocolVersion': '2026-07-28',
          'io.modelcontextprotocol/clientCapabilities': {},
        },
      },
    }),
  });
  return { status: response.status, body: (await response.json()) as any };
}

describe('a configured service that has never answered', () => {
  it.each(['', '/wiki'])('is named by every list, at the endpoint "%s"', async (at) => {
    for (const list of ['tools', 'prompts', 'resources', 'resources/templates']) {
      const { body } = await ask(`${list}/list`, {}, { at });
      expect(body.result._meta['dev.sallyport/stale']).toEqual(['wiki']);
    }
    expect((await ask('server/discover', {}, { at })).body.result.capabilities).toHaveProperty('prompts');
  });

  it('is named over REST', async () => {
    expect(await get('/tools', 'ada')).toMatchObject({ tools: [], stale: true, absent: ['wiki'] });
    expect(await get('/catalog', 'ada')).toMatchObject({ services: [], stale: true, absent: ['wiki'] });
  });

  it('may be asked again: nobody knows whether it has what is called', async () => {
    const calls = [
      ask('tools/call', { name: 'wiki.Find', arguments: {} }),
      ask('tools/call', { name: 'Find', arguments: {} }, { at: '/wiki' }),
      ask('prompts/get', { name: 'wiki.greet' }),
    ];
    for (const { status, body } of await Promise.all(calls)) {
      expect([status, body.error.data.reason]).toEqual([503, 'upstream_unavailable']);
    }
    expect((await ask('tools/call', { name: 'other.Find', arguments: {} })).body.error.data.reason).toBe(
      'unknown_tool',
    );
  });

  it('is not there for whoever may not know of it', async () => {
    const as = 'stranger';
    expect((await ask('tools/list', {}, { as })).body.result._meta).not.toHaveProperty('dev.sallyport/stale');
    expect(await get('/tools', as)).toEqual({ tools: [] });
    const { body } = await ask('tools/call', { name: 'wiki.Find', arguments: {} }, { as });
    expect(body.error.data.reason).toBe('unknown_tool');
    expect((await ask('server/discover', {}, { at: '/wiki', as })).body.error.data.reason).toBe('unknown_endpoint');
  });
});
