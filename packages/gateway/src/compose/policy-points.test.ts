import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { AuditRecord, GatewayError } from '@sallyport/core';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ExternalPoint } from '../policy/config.ts';
import { fixedRegistry, inProcessService } from '../registry/in-process.ts';
import { callbackAuditLog, createGateway, type Gateway } from './embed.ts';
import { createPolicyPoints } from './policy-points.ts';

interface Asked {
  readonly url: string | undefined;
  readonly authorization: string | undefined;
  readonly body: { readonly subject: object; readonly input: object };
}

const asked: Asked[] = [];
let answer: (response: ServerResponse) => void = () => undefined;
const server = createServer(async (request: IncomingMessage, response) => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const { url, headers } = request;
  asked.push({ url, authorization: headers.authorization, body: JSON.parse(Buffer.concat(chunks).toString()) });
  answer(response);
});
const says = (value: unknown, status = 200) => {
  answer = (response) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
  };
};

let gateway: Gateway;
let points: readonly ExternalPoint[] = [];
let origin = '';
const records: AuditRecord[] = [];
const closers: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const engine = createPolicyPoints({
    config: () => ({ policy: { external: points } }) as never,
    log: pino({ level: 'silent' }),
    life: { onClose: (close) => void closers.push(async () => close()) },
  });
  const service = inProcessService(
    {
      ...{ service: 'notes', version: '1.0.0' },
      tools: [{ name: 'Send', description: 'Sends.', sideEffect: 'write', inputSchema: { type: 'object' } }],
    },
    { Send: () => ({ sent: true }) },
  );
  const principal = {
    subject: 'alice',
    kind: 'agent',
    client: 'test',
    scopes: [],
    attributes: { team: 'red' },
  } as const;
  gateway = createGateway({
    registry: fixedRegistry([service]),
    authenticators: [{ authenticate: () => ({ ...principal, method: 'test', credentialId: 't' }) }],
    audit: callbackAuditLog((one) => {
      if (one.kind === 'outcome' && one.verb === 'invoke') records.push(one);
    }),
    policyEngines: [engine],
    tools: [{ pattern: '*', limit: { perPrincipal: { rate: 1_000, burst: 1_000 } } }],
    log: pino({ level: 'silent' }),
  });
});
afterAll(async () => {
  await gateway.close();
  for (const close of closers) await close();
  server.closeAllConnections();
  await new Promise((resolve) => void server.close(resolve));
});
beforeEach(() => {
  asked.length = 0;
  records.length = 0;
});

function point(kind: ExternalPoint['kind'], more: Partial<ExternalPoint> = {}): ExternalPoint {
  const url = kind === 'authzen' ? `${origin}/access/v1/evaluation` : `${origin}/v1/data/sallyport/authz`;
  return { kind, name: kind, url, timeoutMs: 2_000, tools: ['*'], discover: false, networks: [], ...more };
}

/** What became of a call, and what is on record of it. */
async function call() {
  const error = await gateway.call({ token: 't', tool: 'notes.Send', input: { to: 'ada' } }).then(
    () => undefined,
    (thrown: GatewayError) => thrown,
  );
  const { policies, policyErrors, policyRevision } = records.at(-1) ?? {};
  return { reason: error?.reason, reasons: error?.details.reasons, policies, policyErrors, policyRevision };
}

describe('a decision point that speaks AuthZEN', () => {
  beforeEach(() => {
    points = [point('authzen')];
  });

  it('is told everything policies may look at, and its yes is on record', async () => {
    says({ decision: true });
    expect(await call()).toMatchObject({ reason: undefined, policies: ['external/authzen'] });
    expect(asked).toHaveLength(1);
    expect(asked[0]).toMatchObject({
      url: '/access/v1/evaluation',
      body: {
        subject: { type: 'agent', id: 'alice', properties: { client: 'test', attributes: { team: 'red' } } },
        action: { name: 'invoke', properties: { method: 'tools/call' } },
        resource: { type: 'tool', id: 'notes.Send', properties: { service: 'notes', sideEffect: 'write' } },
        context: { arguments: { to: 'ada' }, transport: 'embedded' },
      },
    });
  });

  it('refuses with its no, and with what it wants the caller to be told', async () => {
    says({ decision: false, context: { reason_user: { en: 'Not on Sundays.' } } });
    expect(await call()).toMatchObject({
      ...{ reason: 'policy_denied', reasons: ['Not on Sundays.'], policies: ['external/authzen'] },
      policyErrors: undefined,
    });
  });

  it.each([
    ['no decision', { maybe: true }, 200],
    ['a decision that is a word', { decision: 'true' }, 200],
    ['a list', [true], 200],
    ['another status', { decision: true }, 201],
    ['a failure', { decision: true }, 500],
  ])('refuses where it answers with %s', async (_, value, status) => {
    says(value, status);
    expect(await call()).toMatchObject({ reason: 'policy_unavailable', policyErrors: ['external/authzen'] });
  });

  it('refuses where the answer says two things', async () => {
    answer = (response) => void response.end('{"decision":false,"decision":true}');
    expect(await call()).toMatchObject({ reason: 'policy_unavailable' });
  });

  it('refuses where it takes too long, or hangs up', async () => {
    points = [point('authzen', { timeoutMs: 50 })];
    answer = () => undefined;
    expect(await call()).toMatchObject({ reason: 'policy_unavailable' });
    points = [point('authzen')];
    answer = (response) => void response.destroy();
    expect(await call()).toMatchObject({ reason: 'policy_unavailable' });
  });

  it('refuses rather than to be sent elsewhere', async () => {
    answer = (response) => void response.writeHead(307, { location: `${origin}/other` }).end();
    expect(await call()).toMatchObject({ reason: 'policy_unavailable' });
    expect(asked).toHaveLength(1);
  });

  it('is shown its token, which is a secret of the gateway', async () => {
    process.env.POLICY_POINT_TOKEN = 'let-me-in';
    points = [point('authzen', { token: { env: 'POLICY_POINT_TOKEN' } })];
    says({ decision: true });
    expect(await call()).toMatchObject({ reason: undefined });
    expect(asked[0]?.authorization).toBe('Bearer let-me-in');
    points = [point('authzen', { token: { env: 'POLICY_POINT_NO_TOKEN' } })];
    expect(await call()).toMatchObject({ reason: 'policy_unavailable' });
    expect(asked).toHaveLength(1);
  });
});

describe('Open Policy Agent', () => {
  beforeEach(() => {
    points = [point('opa')];
  });

  it('is asked by its data API', async () => {
    says({ result: true });
    expect(await call()).toMatchObject({ reason: undefined, policies: ['external/opa'] });
    expect(asked[0]).toMatchObject({
      url: '/v1/data/sallyport/authz',
      body: { input: { resource: { id: 'notes.Send' }, context: { arguments: { to: 'ada' } } } },
    });
  });

  it.each([
    ['false', { result: false }, undefined],
    ['a rule that is not defined', {}, undefined],
    ['an object', { result: { allow: false, reasons: ['Ask first.'] } }, ['Ask first.']],
  ])('refuses with %s', async (_, value, reasons) => {
    says(value);
    expect(await call()).toMatchObject({ reason: 'policy_denied', reasons });
  });

  it('permits with an object', async () => {
    says({ result: { allow: true } });
    expect(await call()).toMatchObject({ reason: undefined });
  });

  it('refuses with something else', async () => {
    says({ result: { allow: 1 } });
    expect(await call()).toMatchObject({ reason: 'policy_unavailable' });
  });
});

describe('several decision points', () => {
  it('have to permit it, all of those that it is about', async () => {
    points = [point('authzen'), point('opa'), point('opa', { name: 'others', tools: ['billing.*'] })];
    says({ decision: true, result: false });
    expect(await call()).toMatchObject({ reason: 'policy_denied', policies: ['external/opa'] });
    says({ decision: true, result: true });
    expect(await call()).toMatchObject({ reason: undefined, policies: ['external/authzen', 'external/opa'] });
    expect(asked).toHaveLength(4);
  });

  it('refuse by their no where another one is silent', async () => {
    points = [point('authzen'), point('opa')];
    says({ result: false });
    expect(await call()).toMatchObject({ reason: 'policy_denied', policyErrors: ['external/authzen'] });
  });
});

it('asks what may be seen only where it is configured to', async () => {
  points = [point('authzen')];
  says({ decision: false });
  expect((await gateway.listTools({ token: 't' })).map(({ name }) => name)).toEqual(['notes.Send']);
  expect(asked).toEqual([]);
  points = [point('authzen', { name: 'lists', discover: true })];
  expect(await gateway.listTools({ token: 't' })).toEqual([]);
  expect(asked[0]?.body).toMatchObject({ action: { name: 'discover' } });
  says({ decision: true });
});
