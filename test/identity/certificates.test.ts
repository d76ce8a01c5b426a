import type { JsonObject } from '@sallyport/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Front, openFront } from './front.ts';
import { drawKey, startIssuer, type TestIssuer } from './issuer.ts';
import { type Issued, openPki, type Pki } from './pki.ts';
import { modernCall, type RawReply, sendRaw } from './send.ts';

const publicUrl = 'https://gate.example';
const [acme, others]: readonly Pki[] = [openPki('acme'), openPki('others')];
let company: TestIssuer;
let agent: Issued;
let unnamed: Issued;
let stranger: Issued;
const fronts: Front[] = [];
/** TLS with certificates required, with certificates asked for, and no TLS behind a proxy that is named or not. */
let required: Front;
let optional: Front;
let behindProxy: Front;
let behindNobody: Front;

const rules = [
  { spiffe: 'spiffe://acme.example/agents/*', scopes: ['posts:read'], tenant: 'acme' },
  { subject: 'CN=deputy,O=Acme', as: 'deputy', kind: 'person' },
];

async function open(config: object): Promise<Front> {
  const opened = await openFront({ publicUrl, ...config } as JsonObject);
  fronts.push(opened);
  return opened;
}

beforeAll(async () => {
  if (acme === undefined || others === undefined) throw new Error('no authorities');
  company = await startIssuer([await drawKey('e1')]);
  const server = acme.issue('server', 'IP:127.0.0.1');
  agent = acme.issue('agent', 'URI:spiffe://acme.example/agents/ci');
  unnamed = acme.issue('unnamed');
  stranger = others.issue('agent', 'URI:spiffe://acme.example/agents/ci');
  const tls = { cert: server.certFile, key: server.keyFile, clientCa: acme.caFile };
  const auth = { certificates: rules, issuers: { company: { issuer: company.url } } };
  required = await open({ listen: { port: 0, tls }, auth });
  optional = await open({ listen: { port: 0, tls: { ...tls, clientAuth: 'optional' } }, auth });
  behindProxy = await open({ auth: { ...auth, certificateProxies: ['127.0.0.1/32'] } });
  behindNobody = await open({
    trustedProxies: ['127.0.0.0/8'],
    auth: { ...auth, certificateProxies: ['10.0.0.9/32'] },
  });
});
afterAll(async () => {
  await Promise.all([company.close(), ...fronts.map((front) => front.close())]);
  for (const pki of [acme, others]) pki?.close();
});

interface Knock {
  readonly certificate?: Issued;
  readonly xfcc?: readonly string[];
  readonly token?: string;
}

function knock(front: Front, { certificate, xfcc = [], token }: Knock): Promise<RawReply> {
  const { headers, body } = modernCall('desk.Desk.Open');
  return sendRaw({
    ...{ origin: front.origin, method: 'POST', path: '/mcp', body: JSON.stringify(body) },
    headers: [
      ...headers,
      ...(token === undefined ? [] : [['Authorization', `Bearer ${token}`] as const]),
      ...xfcc.map((value) => ['X-Forwarded-Client-Cert', value] as const),
    ],
    tls: { ca: acme?.ca ?? '', ...(certificate && { cert: certificate.cert, key: certificate.key }) },
  });
}

const bound = ({ thumbprint }: Issued) => company.mint({ aud: publicUrl, cnf: { 'x5t#S256': thumbprint } });
const hex = ({ thumbprint }: Issued): string => Buffer.from(thumbprint, 'base64url').toString('hex');
const lastCaller = (front: Front) => front.seen.at(-1)?.principal;

describe('a client certificate on TLS', () => {
  it('with a SPIFFE id that a rule names is who it says, with the scopes of the rule', async () => {
    for (const front of [required, optional]) {
      expect((await knock(front, { certificate: agent })).status).toBe(200);
      expect(lastCaller(front)).toMatchObject({
        ...{ subject: 'spiffe://acme.example/agents/ci', kind: 'agent', tenant: 'acme', scopes: ['posts:read'] },
      });
      expect(front.records.at(-1)).toMatchObject({ method: 'mtls', credentialId: `certificate:${agent.thumbprint}` });
    }
  });

  it('that no rule names identifies nobody', async () => {
    for (const front of [required, optional]) {
      expect((await knock(front, { certificate: unnamed })).status).toBe(401);
    }
  });

  it('of another authority ends the connection where one is required, and counts for nothing where one is not', async () => {
    await expect(knock(required, { certificate: stranger })).rejects.toThrow();
    expect((await knock(optional, { certificate: stranger })).status).toBe(401);
    const token = await company.mint({ aud: publicUrl });
    expect((await knock(optional, { certificate: stranger, token })).status).toBe(200);
    expect(lastCaller(optional)?.subject).toBe('company:alice');
  });

  it('is not needed in a mixed fleet: who has none shows a token, and who has neither is nobody', async () => {
    const token = await company.mint({ aud: publicUrl });
    await expect(knock(required, { token })).rejects.toThrow();
    expect((await knock(optional, { token })).status).toBe(200);
    expect((await knock(optional, {})).status).toBe(401);
  });

  it('is the only one that a token which is bound to it can be used with', async () => {
    const token = await bound(agent);
    for (const front of [required, optional]) {
      expect((await knock(front, { certificate: agent, token })).status).toBe(200);
      expect(lastCaller(front)?.subject).toBe('company:alice');
      const before = front.seen.length;
      expect((await knock(front, { certificate: unnamed, token })).status).toBe(401);
      expect(front.seen.length).toBe(before);
    }
    expect((await knock(optional, { token })).status).toBe(401);
    expect((await knock(optional, { certificate: stranger, token: await bound(stranger) })).status).toBe(401);
  });

  it('is not replaced by a header', async () => {
    const xfcc = [`Hash=${hex(agent)};URI=spiffe://acme.example/agents/ci`];
    for (const certificate of [undefined, unnamed]) {
      expect((await knock(optional, { ...(certificate && { certificate }), xfcc })).status).toBe(401);
      const token = await bound(agent);
      expect((await knock(optional, { ...(certificate && { certificate }), xfcc, token })).status).toBe(401);
    }
  });
});

describe('a certificate that a proxy tells of', () => {
  const told = (issued: Issued): string =>
    `Hash=${hex(issued)};Cert="${encodeURIComponent(issued.cert)}";URI=spiffe://acme.example/agents/ci`;

  it('counts from the proxy that is named for it, as its own words and as the holder of a bound token', async () => {
    expect((await knock(behindProxy, { xfcc: [told(agent)] })).status).toBe(200);
    expect(lastCaller(behindProxy)?.subject).toBe('spiffe://acme.example/agents/ci');
    const token = await bound(agent);
    expect((await knock(behindProxy, { xfcc: [told(agent)], token })).status).toBe(200);
    expect((await knock(behindProxy, { xfcc: [told(unnamed)], token })).status).toBe(401);
    expect((await knock(behindProxy, { token })).status).toBe(401);
  });

  it.each([
    ['two headers', () => [told(agent), told(agent)]],
    ['two certificates in one header', () => [`${told(unnamed)},${told(agent)}`]],
    ['a certificate that does not fit its hash', () => [told(agent).replace(hex(agent), hex(unnamed))]],
    ['names alone', () => ['URI=spiffe://acme.example/agents/ci']],
    ['nonsense', () => ['spiffe://acme.example/agents/ci']],
  ])('counts for nothing as %s', async (_what, xfcc) => {
    expect((await knock(behindProxy, { xfcc: xfcc() })).status).toBe(401);
  });

  it('counts for nothing from anybody else, not even a proxy that is trusted for addresses', async () => {
    expect((await knock(behindNobody, { xfcc: [told(agent)] })).status).toBe(401);
    expect((await knock(behindNobody, { xfcc: [told(agent)], token: await bound(agent) })).status).toBe(401);
    expect(behindNobody.seen).toEqual([]);
  });
});
