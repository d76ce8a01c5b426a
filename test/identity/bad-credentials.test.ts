import { GatewayError } from '@sallyport/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { evidenceOf } from './attempt.ts';
import { badCredentials } from './bad-credentials.ts';
import { drawHolder } from './holder.ts';
import { audienceOf, type Lab, openLab, type Target, withNonces } from './lab.ts';

const target: Target = { publicUrl: 'https://gate.example', method: 'POST', path: '/mcp' };
let lab: Lab;

beforeAll(async () => {
  lab = await openLab(target);
});
afterAll(() => lab.close());

describe('a bad credential is refused with the right reason', () => {
  it('in more ways than anybody will try', () => {
    expect(badCredentials.length).toBeGreaterThanOrEqual(120);
    expect(new Set(badCredentials.map(({ name }) => name)).size).toBe(badCredentials.length);
  });

  it.each(badCredentials.map((bad) => [bad.name, bad] as const))('%s', async (_name, { attempt: make, reason }) => {
    const attempt = await make(lab);
    const authenticate = attempt.wantsNonce ? withNonces(lab) : lab.authenticate;
    if (attempt.isSecond) await authenticate(evidenceOf(attempt, target));
    const outcome = await authenticate(evidenceOf(attempt, target)).catch((error: unknown) => error);
    expect(outcome).toBeInstanceOf(GatewayError);
    expect((outcome as GatewayError).reason).toBe(reason);
  });
});

describe('what differs from these by nothing but being right is let in', () => {
  it.each(['e1', 'r1', 'd1'])('a token signed by the key %s', async (kid) => {
    const key = lab.company.keys.find((one) => one.kid === kid);
    const token = await lab.company.mint({ aud: audienceOf(target) }, {}, key);
    expect(await lab.authenticate(evidenceOf({ authorization: [`Bearer ${token}`] }, target))).toMatchObject({
      subject: 'company:alice',
      client: 'company:agent-1',
    });
  });

  it.each(['ES256', 'RS256', 'EdDSA'])('a bound token with a proof by %s', async (alg) => {
    const holder = await drawHolder(alg);
    const token = await lab.company.mint({ aud: audienceOf(target), cnf: { jkt: holder.jkt } });
    const proof = await holder.prove({ method: 'POST', url: 'https://gate.example/mcp', token });
    const attempt = { authorization: [`dpop ${token}`], dpop: [proof] };
    expect(await lab.authenticate(evidenceOf(attempt, target))).toMatchObject({ subject: 'company:alice' });
  });

  it('a proof with the nonce of now, where one is wanted', async () => {
    const token = await lab.company.mint({ aud: audienceOf(target), cnf: { jkt: lab.holder.jkt } });
    const claims = { nonce: lab.nonces.current() };
    const proof = await lab.holder.prove({ method: 'POST', url: 'https://gate.example/mcp?x=1#y', token }, { claims });
    const attempt = { authorization: [`DPoP ${token}`], dpop: [proof] };
    expect(await withNonces(lab)(evidenceOf(attempt, target))).toMatchObject({ subject: 'company:alice' });
  });

  it('a token of a certificate, with that certificate', async () => {
    const token = await lab.company.mint({ aud: audienceOf(target), cnf: { 'x5t#S256': lab.certificate } });
    const attempt = { authorization: [`Bearer ${token}`], certificate: lab.certificate };
    expect(await lab.authenticate(evidenceOf(attempt, target))).toMatchObject({ subject: 'company:alice' });
  });

  it('a token of the gateway', async () => {
    const attempt = { authorization: [`BEARER ${lab.apiTokens.good}`] };
    expect(await lab.authenticate(evidenceOf(attempt, target))).toMatchObject({ subject: 'alice' });
  });

  it('a token without a type and a prefix, of an issuer that is configured to have neither', async () => {
    const token = await lab.plain.mint({ aud: target.publicUrl }, { typ: undefined });
    const attempt = { authorization: [`Bearer ${token}`] };
    expect(await lab.authenticate(evidenceOf(attempt, target))).toMatchObject({ subject: 'alice', client: 'agent-1' });
  });
});
