import type { Reason } from '@sallyport/core';
import type { Attempt, BadCredential } from './bad-credentials.ts';
import { audienceOf, type Lab } from './lab.ts';

const good = (lab: Lab): Promise<string> => lab.company.mint({ aud: audienceOf(lab.target) });

type Row = readonly [name: string, reason: Reason, attempt: (lab: Lab, token: string) => Attempt];

const rows: readonly Row[] = [
  ['nothing', 'credential_missing', () => ({})],
  ['a token in the query', 'credential_missing', (_lab, token) => ({ query: `access_token=${token}` })],
  ['a token in the query under another name', 'credential_missing', (_lab, token) => ({ query: `token=${token}` })],
  ['a token in the body', 'credential_missing', (_lab, token) => ({ inBody: token })],
  [
    'a token in query and header',
    'credential_invalid',
    (_lab, token) => ({ authorization: [`Bearer ${token}`], query: `access_token=${token}` }),
  ],
  [
    'a token in header and, in disguise, in the query',
    'credential_invalid',
    (_lab, token) => ({ authorization: [`Bearer ${token}`], query: `a=b&access%5Ftoken=${token}` }),
  ],
  [
    'two headers with two tokens',
    'credential_invalid',
    ({ apiTokens }, token) => ({ authorization: [`Bearer ${token}`, `Bearer ${apiTokens.good}`] }),
  ],
  [
    'two headers with one token',
    'credential_invalid',
    (_lab, token) => ({ authorization: [`Bearer ${token}`, `Bearer ${token}`] }),
  ],
  [
    'a good header and an empty one',
    'credential_invalid',
    (_lab, token) => ({ authorization: [`Bearer ${token}`, ''] }),
  ],
  [
    'two tokens in one header',
    'credential_invalid',
    ({ apiTokens }, token) => ({ authorization: [`Bearer ${token}, Bearer ${apiTokens.good}`] }),
  ],
  [
    'two tokens behind one scheme',
    'credential_invalid',
    ({ apiTokens }, token) => ({ authorization: [`Bearer ${token} ${apiTokens.good}`] }),
  ],
  ['a token in quotes', 'credential_invalid', (_lab, token) => ({ authorization: [`Bearer "${token}"`] })],
  ['a token as a parameter', 'credential_invalid', (_lab, token) => ({ authorization: [`Bearer token=${token}, x`] })],
  ['a scheme alone', 'credential_invalid', () => ({ authorization: ['Bearer'] })],
  ['DPoP alone', 'credential_invalid', () => ({ authorization: ['DPoP'] })],
  ['the scheme twice', 'credential_invalid', (_lab, token) => ({ authorization: [`Bearer Bearer ${token}`] })],
  ['a token without a scheme', 'credential_missing', (_lab, token) => ({ authorization: [token] })],
  ['a scheme that is none', 'credential_missing', (_lab, token) => ({ authorization: [`BearerX ${token}`] })],
  ['Basic', 'credential_missing', () => ({ authorization: ['Basic YWxpY2U6c2VjcmV0'] })],
  ['Digest', 'credential_missing', () => ({ authorization: ['Digest username="alice"'] })],
  ['null for a token', 'credential_invalid', () => ({ authorization: ['Bearer null'] })],
  ['undefined for a token', 'credential_invalid', () => ({ authorization: ['Bearer undefined'] })],
  [
    'a bad token under a scheme in mixed case',
    'credential_invalid',
    (_lab, token) => ({ authorization: [`bEaReR ${token.slice(0, -2)}`] }),
  ],
  [
    'an unbound token under DPoP in mixed case',
    'credential_invalid',
    (_lab, token) => ({ authorization: [`dPoP ${token}`] }),
  ],
  ['a certificate that no rule names', 'credential_missing', ({ certificate }) => ({ certificate })],
  [
    'a revoked token of the gateway',
    'credential_revoked',
    ({ apiTokens }) => ({ authorization: [`Bearer ${apiTokens.revoked}`] }),
  ],
  [
    'an expired token of the gateway',
    'credential_expired',
    ({ apiTokens }) => ({ authorization: [`Bearer ${apiTokens.expired}`] }),
  ],
  [
    'a token of an account that is disabled',
    'credential_revoked',
    ({ apiTokens }) => ({ authorization: [`Bearer ${apiTokens.ofDisabled}`] }),
  ],
  [
    'a token of another gateway',
    'credential_invalid',
    ({ apiTokens }) => ({ authorization: [`Bearer ${apiTokens.ofOther}`] }),
  ],
  [
    'a token of the gateway under DPoP',
    'credential_invalid',
    ({ apiTokens }) => ({ authorization: [`DPoP ${apiTokens.good}`] }),
  ],
  [
    'a token of the gateway in capitals',
    'credential_invalid',
    ({ apiTokens }) => ({ authorization: [`Bearer ${apiTokens.good.toUpperCase()}`] }),
  ],
  [
    'half a token of the gateway',
    'credential_invalid',
    ({ apiTokens }) => ({ authorization: [`Bearer ${apiTokens.good.slice(0, 40)}`] }),
  ],
];

/** Good tokens shown in ways that do not count, and tokens of the gateway's own that are none any more. */
export const badHeaders: readonly BadCredential[] = rows.map(([name, reason, attempt]) => ({
  name,
  reason,
  attempt: async (lab) => attempt(lab, await good(lab)),
}));
