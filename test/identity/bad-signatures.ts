import { createPublicKey, randomBytes } from 'node:crypto';
import type { JWK, JWTPayload } from 'jose';
import type { BadCredential } from './bad-credentials.ts';
import { audienceOf, type Lab } from './lab.ts';
import { hmacJwt, partsOf, payloadOf, rawJwt } from './raw-jwt.ts';

type Make = (lab: Lab) => string | Promise<string>;

const claimsFor = ({ target }: Lab, claims: JWTPayload = {}): JWTPayload => ({ aud: audienceOf(target), ...claims });
const good = (lab: Lab, claims: JWTPayload = {}): Promise<string> => lab.company.mint(claimsFor(lab, claims));
const payloadFor = async (lab: Lab): Promise<Record<string, unknown>> => payloadOf(await good(lab));

/** With another header, signed by the key that is published as `e1`. */
const headed =
  (header: Readonly<Record<string, unknown>>): Make =>
  (lab) =>
    lab.company.mint(claimsFor(lab), header);

const unsigned =
  (alg: unknown, signature = ''): Make =>
  async (lab) =>
    rawJwt({ alg, typ: 'at+jwt', kid: 'e1' }, await payloadFor(lab), signature);

/** Signed with a secret that everybody can know: what is published of the key. */
const confused =
  (alg: string, secret: (jwk: JWK) => string): Make =>
  async (lab) => {
    const [, rsa] = lab.company.keys;
    const header = { alg, typ: 'at+jwt', kid: 'r1' };
    return hmacJwt(header, await payloadFor(lab), secret(rsa?.publicJwk ?? {}));
  };

const altered =
  (alter: (token: string, lab: Lab) => string | Promise<string>): Make =>
  async (lab) =>
    alter(await good(lab), lab);

const pem = (jwk: JWK): string =>
  String(createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' }));
const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

const shapes: readonly (readonly [name: string, make: Make])[] = [
  ['no JWT at all', () => 'opaque'],
  ['two parts', altered((token) => token.slice(0, token.lastIndexOf('.')))],
  ['four parts', altered((token) => `${token}.AAAA`)],
  ['five parts, as if encrypted', () => rawJwt({ alg: 'dir', enc: 'A256GCM' }, {}, 'AAAA.AAAA.AAAA')],
  ['dots alone', () => '..'],
  ['a header that is no JSON', async (lab) => rawJwt('no json', await payloadFor(lab))],
  ['a header that is a list', async (lab) => rawJwt(['ES256'], await payloadFor(lab))],
  ['a header that is null', async (lab) => rawJwt('null', await payloadFor(lab))],
  ['a payload that is no JSON', () => rawJwt({ alg: 'ES256', typ: 'at+jwt', kid: 'e1' }, 'no json')],
  ['a payload that is a list', () => rawJwt({ alg: 'ES256', typ: 'at+jwt', kid: 'e1' }, [])],
  ['a payload that is null', () => rawJwt({ alg: 'ES256', typ: 'at+jwt', kid: 'e1' }, 'null')],
  ['a payload with broken UTF-8', altered((token) => token.replace(/\.[^.]*\./, '._4D_gA.'))],
  ['more than any token has', (lab) => good(lab, { pad: 'x'.repeat(10_000) })],
];

const signatures: readonly (readonly [name: string, make: Make])[] = [
  ['a signature cut short', altered((token) => token.slice(0, -4))],
  ['a longer signature', altered((token) => `${token}AAAA`)],
  ['a signature of zeros', altered((token) => token.replace(/[^.]*$/, 'A'.repeat(86)))],
  ['random bytes for a signature', altered((token) => token.replace(/[^.]*$/, randomBytes(64).toString('base64url')))],
  [
    'the signature of another token',
    altered(async (token, lab) => token.replace(/[^.]*$/, partsOf(await good(lab))[2])),
  ],
  ['another payload under its signature', altered(swapPayload)],
  [
    'another header under its signature',
    altered((token) => token.replace(/^[^.]*/, encoded({ alg: 'ES256', kid: 'e1', typ: 'at+jwt', x: 1 }))),
  ],
  ['an unpublished key with a published id', (lab) => lab.company.mint(claimsFor(lab), {}, lab.unpublished)],
  ['a key of another issuer', (lab) => lab.company.mint(claimsFor(lab), {}, lab.plain.keys[0])],
  [
    'a key of another issuer under a published id',
    (lab) => lab.company.mint(claimsFor(lab), { kid: 'e1' }, lab.plain.keys[0]),
  ],
  [
    'another published key than the one named',
    (lab) => lab.company.mint(claimsFor(lab), { kid: 'e1' }, lab.company.keys[3]),
  ],
];

const algorithms: readonly (readonly [name: string, make: Make])[] = [
  ['alg none', unsigned('none')],
  ['alg None', unsigned('None')],
  ['alg NONE', unsigned('NONE')],
  ['alg none with a signature', unsigned('none', 'AAAA')],
  ['an empty alg', unsigned('', 'AAAA')],
  ['an alg with a blank', unsigned('none ', '')],
  ['an alg that is null', unsigned(null, 'AAAA')],
  ['an alg that is a list', unsigned(['none', 'ES256'], 'AAAA')],
  ['no alg', unsigned(undefined, 'AAAA')],
  ['no signature under ES256', unsigned('ES256')],
  ['HS256 with the public key as secret, PEM', confused('HS256', pem)],
  ['HS256 with the public key as secret, JWK', confused('HS256', (jwk) => JSON.stringify(jwk))],
  ['HS256 with the modulus as secret', confused('HS256', ({ n = '' }) => n)],
  ['HS512 with the public key as secret', confused('HS512', pem)],
  ['HS256 with an empty secret', confused('HS256', () => '')],
  ['an algorithm that is not allowed, signed well', (lab) => lab.company.mint(claimsFor(lab), {}, lab.company.keys[4])],
  ['RS256 named for an ES256 key', (lab) => lab.company.mint(claimsFor(lab), { kid: 'e1' }, lab.company.keys[1])],
  ['ES256 in lower case', unsigned('es256', 'AAAA')],
];

const keyIds: readonly (readonly [name: string, make: Make])[] = [
  ['an unknown key id', headed({ kid: 'nobody' })],
  ['no key id where several keys fit', headed({ kid: undefined })],
  ['an empty key id', headed({ kid: '' })],
  ['a path for a key id', headed({ kid: '../../../../dev/null' })],
  ['SQL for a key id', headed({ kid: "e1' OR '1'='1" })],
  ['a command for a key id', headed({ kid: 'e1; cat /etc/passwd' })],
  ['an address for a key id', headed({ kid: 'http://127.0.0.1:1/key' })],
  ['a name of every object for a key id', headed({ kid: '__proto__' })],
  ['a key id with a zero byte', headed({ kid: 'e1\u0000' })],
  ['a very long key id', headed({ kid: 'e'.repeat(2000) })],
  [
    'a number for a key id',
    async (lab) => rawJwt({ alg: 'ES256', typ: 'at+jwt', kid: 1 }, await payloadFor(lab), 'A'.repeat(86)),
  ],
  [
    'a list for a key id',
    async (lab) => rawJwt({ alg: 'ES256', typ: 'at+jwt', kid: ['e1'] }, await payloadFor(lab), 'A'.repeat(86)),
  ],
  [
    'null for a key id',
    async (lab) => rawJwt({ alg: 'ES256', typ: 'at+jwt', kid: null }, await payloadFor(lab), 'A'.repeat(86)),
  ],
  [
    'a key of its own',
    (lab) => lab.company.mint(claimsFor(lab), { jwk: lab.thief.publicJwk, kid: undefined }, thiefKey(lab)),
  ],
  [
    'a key of its own under a published id',
    (lab) => lab.company.mint(claimsFor(lab), { jwk: lab.thief.publicJwk, kid: 'e1' }, thiefKey(lab)),
  ],
  [
    'an address to get its key from',
    (lab) => lab.company.mint(claimsFor(lab), { jku: `${lab.stranger.url}/jwks`, kid: 'x1' }, lab.stranger.keys[0]),
  ],
  ['an address to get its certificate from', headed({ x5u: 'https://evil.example/cert.pem' })],
  ['a good token with a key of its own beside', headed({ jwk: { kty: 'EC' } })],
];

const extensions: readonly (readonly [name: string, make: Make])[] = [
  [
    'a critical extension nobody knows',
    async (lab) =>
      rawJwt({ alg: 'ES256', typ: 'at+jwt', kid: 'e1', crit: ['x'], x: 1 }, await payloadFor(lab), 'A'.repeat(86)),
  ],
  [
    'an empty list of critical extensions',
    async (lab) => rawJwt({ alg: 'ES256', typ: 'at+jwt', kid: 'e1', crit: [] }, await payloadFor(lab), 'A'.repeat(86)),
  ],
  [
    'a payload that is not encoded',
    async (lab) =>
      rawJwt(
        { alg: 'ES256', typ: 'at+jwt', kid: 'e1', b64: false, crit: ['b64'] },
        await payloadFor(lab),
        'A'.repeat(86),
      ),
  ],
  ['an ID token', headed({ typ: 'JWT' })],
  ['no type', headed({ typ: undefined })],
  ['a logout token', headed({ typ: 'logout+jwt' })],
  ['a proof of possession for a token', headed({ typ: 'dpop+jwt' })],
  ['a type with more behind it', headed({ typ: 'at+jwt;x' })],
  [
    'a type that is a number',
    async (lab) => rawJwt({ alg: 'ES256', typ: 1, kid: 'e1' }, await payloadFor(lab), 'A'.repeat(86)),
  ],
];

/** Tokens whose form or signature does not hold. */
export const badSignatures: readonly BadCredential[] = [
  ...shapes,
  ...signatures,
  ...algorithms,
  ...keyIds,
  ...extensions,
].map(([name, make]) => ({
  name,
  reason: 'credential_invalid',
  attempt: async (lab) => ({ authorization: [`Bearer ${await make(lab)}`] }),
}));

function swapPayload(token: string): string {
  const [header, , signature] = partsOf(token);
  return `${header}.${encoded({ ...payloadOf(token), sub: 'root' })}.${signature}`;
}

function thiefKey({ thief }: Lab) {
  return { kid: 'e1', alg: 'ES256', privateKey: thief.privateKey, publicJwk: thief.publicJwk };
}
