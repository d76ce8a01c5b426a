import type { Reason } from '@sallyport/core';
import type { JWTPayload } from 'jose';
import type { BadCredential } from './bad-credentials.ts';
import { audienceOf, type Lab } from './lab.ts';

type Row = readonly [name: string, claims: (lab: Lab) => Readonly<Record<string, unknown>>, reason?: Reason];

const nowS = (): number => Math.floor(Date.now() / 1000);

/** An actor that acts for an actor that … */
function chain(length: number): object {
  return length === 0 ? { sub: 'a' } : { sub: 'a', act: chain(length - 1) };
}

const issuers: readonly Row[] = [
  ['no issuer', () => ({ iss: undefined })],
  ['an issuer nobody configured', () => ({ iss: 'https://login.evil.example' })],
  ['its issuer with a slash behind', ({ company }) => ({ iss: `${company.url}/` })],
  ['its issuer in capitals', ({ company }) => ({ iss: company.url.toUpperCase() })],
  ['its issuer by another name of the host', ({ company }) => ({ iss: company.url.replace('127.0.0.1', 'localhost') })],
  ['another configured issuer, with its own key', ({ plain }) => ({ iss: plain.url })],
  ['a list of issuers', ({ company }) => ({ iss: [company.url] })],
  ['an issuer that is a number', () => ({ iss: 7 })],
];

const audiences: readonly Row[] = [
  ['no audience', () => ({ aud: undefined })],
  ['another audience', () => ({ aud: 'https://other.example/mcp' })],
  ['an empty audience', () => ({ aud: '' })],
  ['an empty list of audiences', () => ({ aud: [] })],
  ['an audience that is a number', () => ({ aud: 1 })],
  ['an audience that is an object', ({ target }) => ({ aud: { [audienceOf(target)]: true } })],
  ['a list of audiences with a number in it', ({ target }) => ({ aud: [audienceOf(target), 1] })],
  ['the beginning of the audience', ({ target }) => ({ aud: audienceOf(target).slice(0, -1) })],
  ['more than the audience', ({ target }) => ({ aud: `${audienceOf(target)}x` })],
  ['the audience in capitals', ({ target }) => ({ aud: audienceOf(target).toUpperCase() })],
  ['the audience with a query', ({ target }) => ({ aud: `${audienceOf(target)}?x=1` })],
  ['a service of the gateway as audience', ({ target }) => ({ aud: `${audienceOf(target)}/posts` })],
  ['a view of the gateway as audience', ({ target }) => ({ aud: `${audienceOf(target)}/views/public` })],
  ['the client as audience, as in ID tokens', () => ({ aud: 'agent-1' })],
  ['a host that begins like the audience', ({ target }) => ({ aud: `${target.publicUrl}.evil.example/mcp` })],
];

const times: readonly Row[] = [
  ['expired an hour ago', () => ({ iat: nowS() - 7200, exp: nowS() - 3600 }), 'credential_expired'],
  ['expired a little longer ago than clocks may differ', () => ({ exp: nowS() - 60 }), 'credential_expired'],
  ['expired in 1970', () => ({ exp: 0 }), 'credential_expired'],
  ['expired before 1970', () => ({ exp: -1 }), 'credential_expired'],
  ['no expiry', () => ({ exp: undefined })],
  ['an expiry that is text', () => ({ exp: String(nowS() + 600) })],
  ['an expiry that is null', () => ({ exp: null })],
  ['an expiry that is a list', () => ({ exp: [nowS() + 600] })],
  ['not valid yet', () => ({ nbf: nowS() + 3600 })],
  ['a begin that is text', () => ({ nbf: 'now' })],
  ['no date of issue', () => ({ iat: undefined })],
  ['issued in the future', () => ({ iat: nowS() + 3600, exp: nowS() + 7200 })],
  ['a date of issue that is text', () => ({ iat: 'today' })],
  [
    'too old, however long it says it is good',
    () => ({ iat: nowS() - 90_000, exp: nowS() + 90_000 }),
    'credential_expired',
  ],
  ['issued in 1970', () => ({ iat: 0 }), 'credential_expired'],
];

const people: readonly Row[] = [
  ['no subject', () => ({ sub: undefined })],
  ['an empty subject', () => ({ sub: '' })],
  ['a subject that is a number', () => ({ sub: 7 })],
  ['a subject that is a list', () => ({ sub: ['alice'] })],
  ['a subject that is null', () => ({ sub: null })],
  ['a subject with a line break', () => ({ sub: 'alice\nroot' })],
  ['a subject with a zero byte', () => ({ sub: 'alice\u0000' })],
  ['a subject written backwards for the eye', () => ({ sub: 'alice\u202egpj' })],
  ['a subject with an invisible letter', () => ({ sub: 'ali\u200bce' })],
  ['a subject without end', () => ({ sub: 'a'.repeat(1000) })],
  ['a client that is a number', () => ({ client_id: 7 })],
  ['a client that is an object', () => ({ client_id: { id: 'agent-1' } })],
  ['a session that is an object', () => ({ sid: {} })],
  ['a tenant that is a list', () => ({ tenant: ['acme'] })],
  ['an attribute that is an object', () => ({ team: { name: 'sales' } })],
  ['an attribute that is null', () => ({ team: null })],
  ['an attribute that is a mixed list', () => ({ team: ['sales', 1] })],
  ['scopes that are a number', () => ({ scope: 1 })],
  ['scopes that are an object', () => ({ scope: { admin: true } })],
  ['scopes with a list inside', () => ({ scope: [['posts:read']] })],
  ['thousands of scopes', () => ({ scope: Array.from({ length: 1000 }, (_, at) => `s${at}`) })],
  ['an actor that is text', () => ({ act: 'agent' })],
  ['an actor that is a list', () => ({ act: [{ sub: 'agent' }] })],
  ['an actor that is nobody', () => ({ act: {} })],
  ['an actor with a number for a name', () => ({ act: { sub: 1 } })],
  ['an actor for whom nobody acts', () => ({ act: { sub: 'agent', act: null } })],
  ['an endless chain of actors', () => ({ act: chain(40) })],
];

const bindings: readonly Row[] = [
  ['a confirmation that is text', () => ({ cnf: 'key' })],
  ['a confirmation that is empty', () => ({ cnf: {} })],
  ['a confirmation that is a list', () => ({ cnf: [] })],
  ['a key that is written out', ({ holder }) => ({ cnf: { jwk: holder.publicJwk } })],
  ['a key by its id', () => ({ cnf: { kid: 'k' } })],
  ['a kind of confirmation nobody knows', ({ holder }) => ({ cnf: { jkt: holder.jkt, x: 'y' } })],
  ['a thumbprint that is none', () => ({ cnf: { jkt: '' } })],
  ['an old thumbprint of a certificate', () => ({ cnf: { x5t: 'A'.repeat(27) } })],
];

const ofCompany = [...issuers, ...audiences, ...times, ...people, ...bindings].map(
  ([name, claims, reason = 'credential_invalid']): BadCredential => ({
    name,
    reason,
    attempt: async (lab) => {
      const usual = { aud: audienceOf(lab.target) };
      const token = await lab.company.mint({ ...usual, ...claims(lab) } as JWTPayload, {}, lab.company.keys[0]);
      return { authorization: [`Bearer ${token}`] };
    },
  }),
);

const bearerOf = async (token: Promise<string>) => ({ authorization: [`Bearer ${await token}`] });

/** Names that an issuer without a prefix of its own must not use. */
const taken = [
  'service:posts',
  'company:alice',
  'strict:alice',
  'anonymous:public',
  'certificate:CN=ci',
  'spiffe://acme/ci',
];

/** Tokens that are signed well, and say what they must not. */
export const badClaims: readonly BadCredential[] = [
  ...ofCompany,
  ...taken.map(
    (sub): BadCredential => ({
      name: `a subject like somebody else's: ${sub}`,
      reason: 'credential_invalid',
      attempt: ({ plain, target }) => bearerOf(plain.mint({ sub, aud: audienceOf(target) })),
    }),
  ),
  {
    name: "an actor like somebody else's",
    reason: 'credential_invalid',
    attempt: ({ plain, target }) => bearerOf(plain.mint({ act: { sub: 'service:posts' }, aud: audienceOf(target) })),
  },
  {
    name: 'an issuer nobody configured, in all else good',
    reason: 'credential_invalid',
    attempt: ({ stranger, target }) => bearerOf(stranger.mint({ aud: audienceOf(target) })),
  },
  {
    name: 'a token that anybody can carry, of an issuer whose tokens must be bound',
    reason: 'credential_invalid',
    attempt: ({ strict, target }) => bearerOf(strict.mint({ aud: audienceOf(target) })),
  },
  {
    name: 'a token that was revoked',
    reason: 'credential_revoked',
    attempt: async (lab) => {
      const jti = crypto.randomUUID();
      await lab.state.revocations.add({ issuer: 'company', kind: 'token', value: jti, atMs: Date.now() });
      return bearerOf(lab.company.mint({ jti, aud: audienceOf(lab.target) }));
    },
  },
];
