import type { Reason } from '@sallyport/core';
import type { JWK } from 'jose';
import type { Attempt, BadCredential } from './bad-credentials.ts';
import { athOf, type ProofChanges } from './holder.ts';
import { audienceOf, type Lab } from './lab.ts';
import { hmacJwt, partsOf, payloadOf, rawJwt } from './raw-jwt.ts';

const nowS = (): number => Math.floor(Date.now() / 1000);
const urlOf = ({ target }: Lab): string => target.publicUrl + target.path;

/** A token that is bound to the key of the holder. */
const bound = (lab: Lab): Promise<string> =>
  lab.company.mint({ aud: audienceOf(lab.target), cnf: { jkt: lab.holder.jkt } });
const prove = (lab: Lab, token: string, changes: ProofChanges = {}): Promise<string> =>
  lab.holder.prove({ method: lab.target.method, url: urlOf(lab), token }, changes);

type Change = readonly [name: string, changes: (lab: Lab) => ProofChanges, reason?: Reason];

const requests: readonly Change[] = [
  ['a proof for another method', () => ({ claims: { htm: 'PUT' } })],
  ['a proof for the method in lower case', ({ target }) => ({ claims: { htm: target.method.toLowerCase() } })],
  ['a proof for no method', () => ({ claims: { htm: undefined } })],
  ['a proof for another host', ({ target }) => ({ claims: { htu: `https://evil.example${target.path}` } })],
  ['a proof for another path', ({ target }) => ({ claims: { htu: `${target.publicUrl}/elsewhere` } })],
  ['a proof for the path with a slash behind', (lab) => ({ claims: { htu: `${urlOf(lab)}/` } })],
  [
    'a proof for another scheme',
    (lab) => ({ claims: { htu: urlOf(lab).replace(/^https?/, (was) => (was === 'http' ? 'https' : 'http')) } }),
  ],
  [
    'a proof for another port',
    ({ target }) => ({
      claims: { htu: `${new URL(target.publicUrl).protocol}//${new URL(target.publicUrl).hostname}:1${target.path}` },
    }),
  ],
  ['a proof for an address with a name in it', (lab) => ({ claims: { htu: urlOf(lab).replace('://', '://user@') } })],
  ['a proof for a path alone', ({ target }) => ({ claims: { htu: target.path } })],
  ['a proof for no address', () => ({ claims: { htu: undefined } })],
  ['a proof for a list of addresses', (lab) => ({ claims: { htu: [urlOf(lab)] } })],
];

const times: readonly Change[] = [
  ['a proof of an hour ago', () => ({ claims: { iat: nowS() - 3600 } })],
  ['a proof of tomorrow', () => ({ claims: { iat: nowS() + 86_400 } })],
  ['a proof without a date', () => ({ claims: { iat: undefined } })],
  ['a proof with a date that is text', () => ({ claims: { iat: String(nowS()) } })],
  ['a proof that says it expired', () => ({ claims: { exp: nowS() - 600 } })],
  ['a proof without an id', () => ({ claims: { jti: undefined } })],
  ['a proof with an empty id', () => ({ claims: { jti: '' } })],
  ['a proof with a number for an id', () => ({ claims: { jti: 1 } })],
  ['a proof with an id without end', () => ({ claims: { jti: 'x'.repeat(2000) } })],
];

const tokens: readonly Change[] = [
  ['a proof for no token', () => ({ claims: { ath: undefined } })],
  ['a proof for another token', () => ({ claims: { ath: athOf('another') } })],
  ['a proof with an empty hash', () => ({ claims: { ath: '' } })],
  ['a proof with a hash in hex', () => ({ claims: { ath: 'ab'.repeat(32) } })],
];

const headers: readonly Change[] = [
  ['a proof of another type', () => ({ header: { typ: 'JWT' } })],
  ['a proof without a type', () => ({ header: { typ: undefined } })],
  ['a proof of the type of tokens', () => ({ header: { typ: 'at+jwt' } })],
  ['a proof without a key', () => ({ header: { jwk: undefined } })],
  ['a proof with the id of a key', () => ({ header: { jwk: undefined, kid: 'e1' } })],
  ['a proof that shows its private key', ({ holder }) => ({ header: { jwk: holder.privateJwk } })],
  ['a proof with text for a key', () => ({ header: { jwk: 'key' } })],
  ['a proof with an empty key', () => ({ header: { jwk: {} } })],
  ['a proof with a key that is on no curve', ({ holder }) => ({ header: { jwk: { ...holder.publicJwk, x: 'AAAA' } } })],
  ['a proof signed by another key than it shows', ({ thief }) => ({ signWith: thief.privateKey })],
  [
    'a proof of a thief who shows his own key',
    ({ thief }) => ({ header: { jwk: thief.publicJwk }, signWith: thief.privateKey }),
    'credential_invalid',
  ],
];

type Build = readonly [name: string, proofs: (lab: Lab, token: string) => Promise<readonly string[]>, reason?: Reason];

const payload = async (lab: Lab, token: string) => payloadOf(await prove(lab, token));
const symmetric: JWK = { kty: 'oct', k: Buffer.from('secret').toString('base64url') };

const builds: readonly Build[] = [
  ['no proof', async () => []],
  ['an empty proof', async () => ['']],
  ['two proofs', async (lab, token) => [await prove(lab, token), await prove(lab, token)]],
  ['two proofs in one header', async (lab, token) => [`${await prove(lab, token)}, ${await prove(lab, token)}`]],
  ['a proof that is no JWT', async () => ['proof']],
  ['the token for a proof', async (_lab, token) => [token]],
  ['an endless proof', async (lab, token) => [await prove(lab, token, { claims: { pad: 'x'.repeat(9000) } })]],
  [
    'a proof with alg none',
    async (lab, token) => [
      rawJwt({ alg: 'none', typ: 'dpop+jwt', jwk: lab.holder.publicJwk }, await payload(lab, token), ''),
    ],
  ],
  [
    'a proof with a shared secret',
    async (lab, token) => [
      hmacJwt({ alg: 'HS256', ...{ typ: 'dpop+jwt', jwk: symmetric } }, await payload(lab, token), 'secret'),
    ],
  ],
  [
    'a proof with another algorithm than its key',
    async (lab, token) => [
      rawJwt({ alg: 'RS256', typ: 'dpop+jwt', jwk: lab.holder.publicJwk }, await payload(lab, token), 'A'.repeat(86)),
    ],
  ],
  [
    'a proof with a critical extension',
    async (lab, token) => [
      rawJwt(
        { alg: 'ES256', typ: 'dpop+jwt', jwk: lab.holder.publicJwk, crit: ['x'], x: 1 },
        await payload(lab, token),
        'A'.repeat(86),
      ),
    ],
  ],
  [
    'a proof with another payload under its signature',
    async (lab, token) => [swapped(await prove(lab, token), await prove(lab, 'another'))],
  ],
  [
    'the proof of somebody else for his own token',
    async (lab, token) => [await lab.thief.prove({ method: lab.target.method, url: urlOf(lab), token })],
    'credential_invalid',
  ],
];

function swapped(proof: string, other: string): string {
  return `${partsOf(other)[0]}.${partsOf(proof)[1]}.${partsOf(other)[2]}`;
}

const changed = [...requests, ...times, ...tokens, ...headers].map(
  ([name, changes, reason]): Build => [
    name,
    async (lab, token) => [await prove(lab, token, changes(lab))],
    ...(reason === undefined ? ([] as const) : ([reason] as const)),
  ],
);

const withProofs = [...builds, ...changed].map(
  ([name, proofs, reason = 'proof_invalid']): BadCredential => ({
    name,
    reason,
    attempt: async (lab) => {
      const token = await bound(lab);
      return { authorization: [`DPoP ${token}`], dpop: await proofs(lab, token) };
    },
  }),
);

/** How a proof without the right nonce is told to get one. */
const nonces = (
  [
    ['a proof without a nonce', () => undefined],
    ['a proof with an old nonce', () => 'A'.repeat(32)],
    ['a proof with an empty nonce', () => ''],
    ['a proof with a number for a nonce', () => 1],
    ['a proof with half a nonce', ({ nonces }: Lab) => nonces.current().slice(0, 16)],
  ] as const
).map(
  ([name, nonce]): BadCredential => ({
    name: `${name}, where one is wanted`,
    reason: 'proof_nonce',
    attempt: async (lab) => {
      const token = await bound(lab);
      const dpop = [await prove(lab, token, { claims: { nonce: nonce(lab) } })];
      return { authorization: [`DPoP ${token}`], dpop, wantsNonce: true };
    },
  }),
);

const row = (name: string, reason: Reason, attempt: (lab: Lab) => Promise<Attempt>): BadCredential => ({
  name,
  reason,
  attempt,
});

/** Bound tokens in the wrong hands, and proofs that prove nothing. */
export const badProofs: readonly BadCredential[] = [
  ...withProofs,
  ...nonces,
  row('a proof that was used before', 'proof_invalid', async (lab) => {
    const token = await bound(lab);
    return { authorization: [`DPoP ${token}`], dpop: [await prove(lab, token)], isSecond: true };
  }),
  row('a bound token without a word of its key', 'credential_invalid', async (lab) => ({
    authorization: [`Bearer ${await bound(lab)}`],
  })),
  row('a bound token under Bearer, with a good proof', 'credential_invalid', async (lab) => {
    const token = await bound(lab);
    return { authorization: [`Bearer ${token}`], dpop: [await prove(lab, token)] };
  }),
  row('a token that is bound to nothing under DPoP, with a good proof', 'credential_invalid', async (lab) => {
    const token = await lab.company.mint({ aud: audienceOf(lab.target) });
    return { authorization: [`DPoP ${token}`], dpop: [await prove(lab, token)] };
  }),
  row('a bound token for another audience, with a good proof', 'credential_invalid', async (lab) => {
    const token = await lab.company.mint({ aud: 'https://other.example', cnf: { jkt: lab.holder.jkt } });
    return { authorization: [`DPoP ${token}`], dpop: [await prove(lab, token)] };
  }),
  row('an expired bound token, with a good proof', 'credential_expired', async (lab) => {
    const token = await lab.company.mint({
      aud: audienceOf(lab.target),
      exp: nowS() - 100,
      cnf: { jkt: lab.holder.jkt },
    });
    return { authorization: [`DPoP ${token}`], dpop: [await prove(lab, token)] };
  }),
  ...certificates(),
];

function certificates(): readonly BadCredential[] {
  const toCertificate = (lab: Lab, more: object = {}): Promise<string> =>
    lab.company.mint({ aud: audienceOf(lab.target), cnf: { 'x5t#S256': lab.certificate, ...more } });
  return [
    row('a token of a certificate that nobody shows', 'credential_invalid', async (lab) => ({
      authorization: [`Bearer ${await toCertificate(lab)}`],
    })),
    row('a token of another certificate', 'credential_invalid', async (lab) => ({
      authorization: [`Bearer ${await toCertificate(lab)}`],
      certificate: 'B'.repeat(43),
    })),
    row('a token of a certificate under DPoP', 'credential_invalid', async (lab) => ({
      authorization: [`DPoP ${await toCertificate(lab)}`],
      certificate: lab.certificate,
    })),
    row('a token of a certificate and a key, without the proof', 'proof_invalid', async (lab) => ({
      authorization: [`DPoP ${await toCertificate(lab, { jkt: lab.holder.jkt })}`],
      certificate: lab.certificate,
    })),
    row('a token of a certificate and a key, without the certificate', 'credential_invalid', async (lab) => {
      const token = await toCertificate(lab, { jkt: lab.holder.jkt });
      return { authorization: [`DPoP ${token}`], dpop: [await prove(lab, token)] };
    }),
  ];
}
