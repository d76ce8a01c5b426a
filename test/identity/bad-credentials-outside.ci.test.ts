import type { JsonObject } from '@sallyport/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { badCredentials } from './bad-credentials.ts';
import { authOf, faces, labAt, makeAttempt } from './faces.ts';
import { type Front, openFront } from './front.ts';
import { audienceOf, type Lab, mintApiTokens, openLab } from './lab.ts';

const publicUrl = 'https://gate.example';
let lab: Lab;
let front: Front;
let strict: Front;
const labs = new Map<Front, Lab>();

beforeAll(async () => {
  lab = await openLab({ publicUrl, method: 'POST', path: '/mcp' });
  const open = async (auth: object) => {
    const views = { public: { tools: ['desk.Desk.Open'] } };
    const opened = await openFront({ publicUrl, views, auth: auth as JsonObject });
    const { state, pepper } = opened;
    const apiTokens = await mintApiTokens({ ...lab.deps, tokens: state.tokens, pepper }, state);
    labs.set(opened, { ...lab, state, apiTokens });
    return opened;
  };
  front = await open(authOf(lab));
  strict = await open(authOf(lab, { dpop: { requireNonce: true } }));
});
afterAll(async () => {
  await Promise.all([...labs.keys()].map((opened) => opened.close()));
  await lab.close();
});

const labOf = (opened: Front): Lab => labs.get(opened) ?? lab;

/** What the challenge has to say, by reason. */
const challenges: Readonly<Record<string, RegExp>> = {
  credential_missing:
    /^Bearer resource_metadata="https:\/\/gate\.example\/\.well-known\/oauth-protected-resource\/mcp", DPoP /,
  credential_invalid: /^Bearer error="invalid_token", .*resource_metadata=/,
  credential_expired: /^Bearer error="invalid_token", .*resource_metadata=/,
  credential_revoked: /^Bearer error="invalid_token", .*resource_metadata=/,
  proof_invalid: /^DPoP error="invalid_dpop_proof", .*algs="/,
  proof_nonce: /^DPoP error="use_dpop_nonce", .*algs="/,
};

describe.each(faces)('over $name a bad credential gets its 401, one record and no further', (face) => {
  it.each(badCredentials.map((bad) => [bad.name, bad] as const))('%s', async (_name, { attempt: make, reason }) => {
    const attempt = await make(labAt(labOf(front), face));
    const asked = attempt.wantsNonce ? strict : front;
    if (attempt.isSecond) expect((await makeAttempt(asked, face, attempt)).status).toBe(face.good);
    const [before, reached] = [asked.records.length, asked.seen.length];
    const reply = await makeAttempt(asked, face, attempt);
    const isPatient = face.isPatient && reason === 'credential_missing';
    expect(reply.status).toBe(isPatient ? 101 : 401);
    if (!isPatient) {
      expect(reply.header('www-authenticate')).toMatch(challenges[reason] ?? /^$/);
      expect(reply.text).toContain(`"${reason}"`);
    }
    if (attempt.wantsNonce) expect(reply.header('dpop-nonce')).toMatch(/^[A-Za-z0-9_-]{32}$/);
    const records = asked.records.slice(before);
    expect(records.map((record) => [record.outcome, record.reason, record.stage])).toEqual([
      ['refused', reason, 'authenticate'],
    ]);
    expect(records[0]?.subject).toBeUndefined();
    expect(asked.seen.length).toBe(reached);
  });
});

describe.each(faces)('over $name is let in', (face) => {
  it.each(['Bearer', 'bEaReR'])('a token under %s', async (scheme) => {
    const token = await lab.company.mint({ aud: audienceOf(lab.target) });
    expect((await makeAttempt(front, face, { authorization: [`${scheme} ${token}`] })).status).toBe(face.good);
  });

  it.each(['DPoP', 'dpOp'])('a bound token with its proof under %s', async (scheme) => {
    const token = await lab.company.mint({ aud: audienceOf(lab.target), cnf: { jkt: lab.holder.jkt } });
    const proof = await lab.holder.prove({ method: face.method, url: publicUrl + face.path, token });
    const attempt = { authorization: [`${scheme} ${token}`], dpop: [proof] };
    expect((await makeAttempt(front, face, attempt)).status).toBe(face.good);
  });

  it('a proof with the nonce that the refusal before came with, where one is wanted', async () => {
    const token = await lab.company.mint({ aud: audienceOf(lab.target), cnf: { jkt: lab.holder.jkt } });
    const prove = (claims: object) =>
      lab.holder.prove({ method: face.method, url: publicUrl + face.path, token }, { claims: { ...claims } });
    const authorization = [`DPoP ${token}`];
    const refused = await makeAttempt(strict, face, { authorization, dpop: [await prove({})] });
    expect(refused.status).toBe(401);
    const nonce = refused.header('dpop-nonce');
    expect((await makeAttempt(strict, face, { authorization, dpop: [await prove({ nonce })] })).status).toBe(face.good);
  });

  it('a token of a certificate, with that certificate', async () => {
    const token = await lab.company.mint({ aud: audienceOf(lab.target), cnf: { 'x5t#S256': lab.certificate } });
    const attempt = { authorization: [`Bearer ${token}`], certificate: lab.certificate };
    expect((await makeAttempt(front, face, attempt)).status).toBe(face.good);
  });

  it('a token of the gateway', async () => {
    const attempt = { authorization: [`Bearer ${labOf(front).apiTokens.good}`] };
    expect((await makeAttempt(front, face, attempt)).status).toBe(face.good);
  });
});
