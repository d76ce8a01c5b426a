import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { notResponsible, type PeerCertificate, type Principal } from '@sallyport/core';
import { beforeAll, describe, expect, it } from 'vitest';
import { mtls } from './mtls.ts';
import { toPeerCertificate } from './peer-certificate.ts';
import type { CertificateRule } from './settings.ts';
import { certificateFromXfcc, createCertificateOf } from './xfcc.ts';

const rule = { kind: 'agent', scopes: ['posts:read'] } as const;
const shown = (facts: Partial<PeerCertificate>): PeerCertificate => ({
  ...{ thumbprint: 'T'.repeat(43), subject: '', uris: [], dnsNames: [] },
  ...facts,
});

function identify(rules: readonly CertificateRule[], certificate: PeerCertificate | undefined, token?: string) {
  const authenticator = mtls.create({ settings: () => ({ certificates: rules }) } as never);
  const presented = token === undefined ? { kind: 'none' as const } : { kind: 'bearer' as const, token };
  const origin = { transport: 'http', peer: '::1', era: 'none', ...(certificate && { certificate }) } as const;
  return authenticator.authenticate({ presented, origin }) as Principal | typeof notResponsible;
}

describe('a client certificate', () => {
  it('with a SPIFFE id is who the id says, where a rule names it', () => {
    const certificate = shown({ uris: ['spiffe://acme.example/agents/ci'] });
    expect(identify([{ ...rule, spiffe: 'spiffe://acme.example/agents/*', tenant: 'acme' }], certificate)).toEqual({
      subject: 'spiffe://acme.example/agents/ci',
      client: 'spiffe://acme.example/agents/ci',
      tenant: 'acme',
      kind: 'agent',
      scopes: ['posts:read'],
      attributes: {},
      method: 'mtls',
      credentialId: `certificate:${'T'.repeat(43)}`,
    });
  });

  it.each([
    ['spiffe://acme.example/agents/ci', 'spiffe://acme.example/agents/ci', true],
    ['spiffe://acme.example/*', 'spiffe://acme.example/agents/ci', true],
    ['spiffe://acme.example/*/ci', 'spiffe://acme.example/agents/ci', true],
    ['spiffe://acme.example/agents', 'spiffe://acme.example/agents/ci', false],
    ['spiffe://acme.example/agents/*', 'spiffe://acme.example/agents', false],
    ['spiffe://acme.example/agents/*', 'spiffe://acme.example/agentsx/ci', false],
    ['spiffe://acme.example/*', 'spiffe://acme.example.evil/agents', false],
    ['spiffe://*/agents', 'spiffe://evil.example/agents', false],
    ['spiffe://acme.example/*', 'spiffe://acme.example/../x', false],
    ['spiffe://acme.example/*', 'spiffe://acme.example/a%2fb', false],
    ['spiffe://acme.example/*', 'spiffe://ACME.example/a', false],
    ['spiffe://acme.example/*', 'https://acme.example/a', false],
  ])('%s fits %s: %s', (spiffe, id, fits) => {
    expect(identify([{ ...rule, spiffe }], shown({ uris: [id] })) !== notResponsible).toBe(fits);
  });

  it('with two URIs has no SPIFFE id', () => {
    const uris = ['spiffe://acme.example/a', 'spiffe://acme.example/b'];
    expect(identify([{ ...rule, spiffe: 'spiffe://acme.example/*' }], shown({ uris }))).toBe(notResponsible);
  });

  it('is known by its whole subject or by a DNS name, under the name that is configured', () => {
    const certificate = shown({ subject: 'CN=ci,O=Acme', dnsNames: ['CI.acme.example'] });
    const subjects = [
      { ...rule, subject: 'CN=ci,O=Acme' },
      { ...rule, subject: 'CN=ci,O=Acme', as: 'ci' },
      { ...rule, dns: 'ci.acme.example' },
      { ...rule, subject: 'CN=ci' },
      { ...rule },
    ].map((one) => {
      const found = identify([one], certificate);
      return found === notResponsible ? undefined : found.subject;
    });
    expect(subjects).toEqual(['certificate:CN=ci,O=Acme', 'ci', 'certificate:ci.acme.example', undefined, undefined]);
  });

  it('says nothing where no rule is, or a token is shown as well', () => {
    const certificate = shown({ subject: 'CN=ci' });
    expect(identify([], certificate)).toBe(notResponsible);
    expect(identify([{ ...rule, subject: 'CN=ci' }], undefined)).toBe(notResponsible);
    expect(identify([{ ...rule, subject: 'CN=ci' }], certificate, 'x.y.z')).toBe(notResponsible);
  });
});

describe('the certificate of a request', () => {
  let pem: string;
  let x509: X509Certificate;
  let facts: PeerCertificate;
  const proxy = '10.0.0.5';
  let nowMs = Date.now();
  const certificateOf = createCertificateOf({ isNamedProxy: (address) => address === proxy, nowMs: () => nowMs });

  beforeAll(() => {
    const folder = mkdtempSync(join(tmpdir(), 'sallyport-cert-'));
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const names = 'subjectAltName=URI:spiffe://acme.example/agents/ci,DNS:ci.acme.example,DNS:*.acme.example';
    const words = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
    const subject = '/O=Acme, Inc./CN=ci, OU=root';
    execFileSync('openssl', [...words, '-keyout', key, '-out', cert, '-subj', subject, '-addext', names], {
      stdio: 'ignore',
    });
    pem = readFileSync(cert, 'utf8');
    rmSync(folder, { recursive: true });
    x509 = new X509Certificate(pem);
    facts = toPeerCertificate(x509);
  });

  it('has its names read without being fooled by commas', () => {
    expect(facts).toMatchObject({
      subject: 'CN=ci\\, OU=root,O=Acme\\, Inc.',
      uris: ['spiffe://acme.example/agents/ci'],
      dnsNames: ['ci.acme.example', '*.acme.example'],
    });
    expect(Buffer.from(facts.thumbprint, 'base64url').toString('hex')).toBe(
      x509.fingerprint256.replaceAll(':', '').toLowerCase(),
    );
  });

  it('is that of the connection, while it is valid', () => {
    expect(certificateOf({ address: '192.0.2.1', verified: x509, forwarded: [] })).toEqual(facts);
    nowMs += 3 * 86_400_000;
    expect(certificateOf({ address: '192.0.2.1', verified: x509, forwarded: [] })).toBeUndefined();
    nowMs = Date.now();
  });

  it('is what a proxy that is named for it says; from everybody else that counts for nothing', () => {
    const forwarded = [`Hash=${hex()};Cert="${encodeURIComponent(pem)}"`];
    expect(certificateOf({ address: proxy, forwarded })).toEqual(facts);
    expect(certificateOf({ address: '10.0.0.6', forwarded })).toBeUndefined();
    expect(certificateOf({ address: '10.0.0.6', verified: x509, forwarded: [`Hash=${'0'.repeat(64)}`] })).toEqual(
      facts,
    );
  });

  it("is never the proxy's own", () => {
    expect(certificateOf({ address: proxy, verified: x509, forwarded: [] })).toBeUndefined();
  });

  const hex = (): string => Buffer.from(facts.thumbprint, 'base64url').toString('hex');

  it('may be told by hash and names', () => {
    const header = `By=spiffe://acme.example/gate;Hash=${hex()};Subject="O=Acme\\, Inc.,CN=\\"ci\\"";URI=spiffe://acme.example/a;DNS=a.example;DNS=b.example`;
    expect(certificateFromXfcc(header)).toEqual({
      thumbprint: facts.thumbprint,
      subject: 'O=Acme, Inc.,CN="ci"',
      uris: ['spiffe://acme.example/a'],
      dnsNames: ['a.example', 'b.example'],
    });
  });

  it.each([
    ['nothing', ''],
    ['two certificates', () => `Hash=${hex()},Hash=${hex()}`],
    ['two headers in one', () => `Hash=${hex()};URI=spiffe://a/b,URI=spiffe://a/c`],
    ['two hashes', () => `Hash=${hex()};Hash=${'0'.repeat(64)}`],
    ['no hash', 'URI=spiffe://acme.example/a'],
    ['a hash that is none', 'Hash=abc'],
    ['a hash of another certificate', () => `Hash=${'0'.repeat(64)};Cert="${encodeURIComponent(pem)}"`],
    ['a certificate that is none', 'Cert="-----BEGIN"'],
    ['a broken escape', 'Cert="%zz"'],
    ['a quote that does not end', () => `Hash=${hex()};Subject="CN=ci`],
    ['text after a quote', () => `Subject="CN=ci"x;Hash=${hex()}`],
    ['no key', () => `=${hex()}`],
    ['too much', () => `Hash=${hex()};Subject="${'x'.repeat(20_000)}"`],
  ])('is none where the proxy says %s', (_what, header) => {
    expect(certificateFromXfcc(typeof header === 'string' ? header : header())).toBeUndefined();
  });

  it('is none where there are two headers', () => {
    const forwarded = [`Hash=${hex()}`, `Hash=${hex()}`];
    expect(certificateOf({ address: proxy, forwarded })).toBeUndefined();
  });
});
