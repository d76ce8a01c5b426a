import type { Attempt } from './bad-credentials.ts';
import type { Front } from './front.ts';
import type { Lab } from './lab.ts';
import { legacyCall, modernCall, type RawReply, restCall, sendRaw, upgradeHeaders } from './send.ts';

/** A way in over which attempts are made: what is asked there, and where. */
export interface Face {
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Absent: nothing is sent beside the headers. */
  readonly body?: object;
  /** The status of a request that is let in. */
  readonly good: number;
  /** Upgrades without a credential go on, for those who show one later: each message is judged. */
  readonly isPatient: boolean;
}

const tool = 'desk.Desk.Open';

/** Everything a caller can be let in by, asking for the tool that everybody may call. */
export const faces: readonly Face[] = [
  { name: 'MCP 2026-07-28', method: 'POST', path: '/mcp', ...modernCall(tool), good: 200, isPatient: false },
  { name: 'MCP 2025-11-25', method: 'POST', path: '/mcp', ...legacyCall(tool), good: 200, isPatient: false },
  { name: 'REST', method: 'POST', path: '/mcp/call', ...restCall(tool), good: 200, isPatient: false },
  { name: 'WebSocket', method: 'GET', path: '/mcp/ws', headers: upgradeHeaders, good: 101, isPatient: true },
];

/** The lab as somebody sees it who knocks at this face. */
export function labAt(lab: Lab, { method, path }: Face): Lab {
  return { ...lab, target: { publicUrl: lab.target.publicUrl, method, path } };
}

/** Makes an attempt. A certificate is told of by the proxy that is named for it. */
export async function makeAttempt(front: Front, face: Face, attempt: Attempt): Promise<RawReply> {
  const { authorization = [], dpop = [], query, inBody, certificate } = attempt;
  const body = face.body && JSON.stringify(inBody === undefined ? face.body : { ...face.body, access_token: inBody });
  const hash = certificate && Buffer.from(certificate, 'base64url').toString('hex');
  const reply = await sendRaw({
    origin: front.origin,
    method: face.method,
    path: query === undefined ? face.path : `${face.path}?${query}`,
    headers: [
      ...face.headers,
      ...authorization.map((value) => ['Authorization', value] as const),
      ...dpop.map((value) => ['DPoP', value] as const),
      ...(hash === undefined ? [] : [['X-Forwarded-Client-Cert', `Hash=${hash};Subject="CN=nobody"`] as const]),
    ],
    ...(body !== undefined && { body }),
  });
  reply.socket?.destroy();
  return reply;
}

/** The `auth:` of a front for this lab. */
export function authOf(lab: Lab, more: object = {}) {
  const algorithms = ['ES256', 'RS256', 'EdDSA'];
  return {
    issuers: {
      company: { issuer: lab.company.url, algorithms, claims: { tenant: 'tenant', attributes: { team: 'team' } } },
      plain: { issuer: lab.plain.url, algorithms, prefix: '', types: ['at+jwt', 'jwt', 'absent'] },
      strict: { issuer: lab.strict.url, algorithms, requireBinding: true },
    },
    anonymous: [{ view: 'public' }],
    certificateProxies: ['127.0.0.1/32'],
    ...more,
  };
}
