import type { JsonObject } from '@sallyport/protocol';
import { type Front, openFront } from './front.ts';
import { drawKey, startIssuer, type TestIssuer } from './issuer.ts';
import { modernCall, type RawReply, restCall, sendRaw, upgradeHeaders } from './send.ts';

/** The address of the resource: below a path, as behind a proxy that serves other things too. */
export const publicUrl = 'https://gate.example/ai';
/** Where its metadata is. */
export const wellKnown = 'https://gate.example/.well-known/oauth-protected-resource/ai';

/** A request for a tool. Default: at `/mcp`, without a token, for the one that everybody may call. */
export interface Asking {
  readonly path?: string;
  readonly token?: string;
  readonly scheme?: string;
  readonly tool?: string;
  readonly more?: readonly (readonly [string, string])[];
}

/** A gateway with two issuers, one of which binds its tokens, and the ways to knock at it. */
export interface Resource {
  readonly front: Front;
  readonly company: TestIssuer;
  readonly strict: TestIssuer;
  metadata(path: string): Promise<RawReply>;
  tokenFor(audience: unknown, claims?: object): Promise<string>;
  ask(asking: Asking): Promise<RawReply>;
  upgrade(path: string, token?: string): Promise<RawReply>;
  close(): Promise<void>;
}

/** Starts it. */
export async function openResource(): Promise<Resource> {
  const [company, strict] = [await startIssuer([await drawKey('e1')]), await startIssuer([await drawKey('s1')])];
  const auth = {
    issuers: { company: { issuer: company.url, scopes: ['*'] }, strict: { issuer: strict.url, requireBinding: true } },
    resource: {
      scopes: ['posts:read', 'offline_access', 'openid'],
      name: 'Gate',
      documentation: 'https://gate.example/docs',
    },
    anonymous: [{ view: 'public' }],
  };
  const views = { public: { tools: ['desk.*'] }, closed: { tools: ['desk.*'] } };
  const front = await openFront({ publicUrl, views, auth: auth as JsonObject });
  const { origin } = front;
  return {
    ...{ front, company, strict },
    metadata: (path) => sendRaw({ origin, method: 'GET', path, headers: [] }),
    tokenFor: (aud, claims = {}) => company.mint({ aud: aud as string, ...claims }),
    ask({ path = '/mcp', token, scheme = 'Bearer', tool = 'desk.Desk.Open', more = [] }) {
      const { headers, body } = path === '/mcp/call' ? restCall(tool) : modernCall(nameAt(path, tool));
      const authorization = token === undefined ? [] : [['Authorization', `${scheme} ${token}`] as const];
      const sending = { origin, method: 'POST', path, headers: [...headers, ...authorization, ...more] };
      return sendRaw({ ...sending, body: JSON.stringify(body) });
    },
    upgrade(path, token) {
      const authorization = token === undefined ? [] : [['Authorization', `Bearer ${token}`] as const];
      return sendRaw({ origin, method: 'GET', path, headers: [...upgradeHeaders, ...authorization] });
    },
    async close() {
      await Promise.all([front.close(), company.close(), strict.close()]);
    },
  };
}

const nameAt = (path: string, tool: string): string => (path === '/mcp/desk' ? tool.replace('desk.', '') : tool);
