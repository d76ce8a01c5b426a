import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose';
import type { IssuerSettings } from '../../packages/gateway/src/authentication/settings.ts';

/** A key of an issuer: what it signs with, and what it publishes. */
export interface SigningKey {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: CryptoKey;
  readonly publicJwk: JWK;
}

/** An issuer that says whatever a test wants: metadata and keys over HTTP on this machine. */
export interface TestIssuer {
  readonly url: string;
  /** What is published. */
  keys: readonly SigningKey[];
  /** What else is in the key set, as it is. */
  extraKeys: readonly unknown[];
  /** Changes to its metadata. */
  metadata: Readonly<Record<string, unknown>>;
  /** While true, connections are cut. */
  isDown: boolean;
  /** Answers this instead, to everything. */
  answer: ((response: ServerResponse) => void) | undefined;
  /** Paths that were asked for. */
  readonly asked: string[];
  /** Signs a token as it would; everything can be replaced. */
  mint(claims?: JWTPayload, header?: Readonly<Record<string, unknown>>, key?: SigningKey): Promise<string>;
  close(): Promise<void>;
}

/** Draws a key. */
export async function drawKey(kid: string, alg = 'ES256'): Promise<SigningKey> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, privateKey, publicJwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } };
}

/** Starts an issuer. `path` is part of its name, as in multi-tenant products. */
export async function startIssuer(keys: readonly SigningKey[], path = ''): Promise<TestIssuer> {
  const server = createServer((request, response) => answer(issuer, path, { request, response }));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`;
  const issuer: TestIssuer = {
    ...{ url, keys, extraKeys: [], metadata: {}, isDown: false, answer: undefined, asked: [] },
    mint: (claims, header, key) => mint(issuer, { claims, header, key }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return issuer;
}

interface Minting {
  readonly claims: JWTPayload | undefined;
  readonly header: Readonly<Record<string, unknown>> | undefined;
  readonly key: SigningKey | undefined;
}

function mint(issuer: TestIssuer, { claims = {}, header = {}, key = issuer.keys[0] }: Minting): Promise<string> {
  if (key === undefined) throw new Error('an issuer without keys cannot sign');
  const nowS = Math.floor(Date.now() / 1000);
  const usual = {
    ...{
      iss: issuer.url,
      sub: 'alice',
      client_id: 'agent-1',
      iat: nowS,
      exp: nowS + 600,
      scope: 'posts:read posts:write',
    },
    jti: crypto.randomUUID(),
  };
  return new SignJWT(without({ ...usual, ...claims }))
    .setProtectedHeader(without({ typ: 'at+jwt', kid: key.kid, alg: key.alg, ...header }) as { alg: string })
    .sign(key.privateKey);
}

/** Claims set to `undefined` are left out. */
function without<Values extends object>(values: Values): Values {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Values;
}

interface Asking {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

function answer(issuer: TestIssuer, path: string, { request, response }: Asking): void {
  issuer.asked.push(request.url ?? '');
  if (issuer.isDown) {
    response.destroy();
    return;
  }
  if (issuer.answer !== undefined) {
    issuer.answer(response);
    return;
  }
  const documents: Readonly<Record<string, unknown>> = {
    [`/.well-known/oauth-authorization-server${path}`]: {
      ...{ issuer: issuer.url, jwks_uri: `${issuer.url}/jwks`, token_endpoint: `${issuer.url}/token` },
      ...issuer.metadata,
    },
    [`${path}/jwks`]: { keys: [...issuer.keys.map((key) => key.publicJwk), ...issuer.extraKeys] },
  };
  const document = documents[request.url ?? ''];
  response.writeHead(document === undefined ? 404 : 200, { 'content-type': 'application/json' });
  response.end(JSON.stringify(document ?? {}));
}

/** The settings of an issuer as the configuration would give them. */
export function settingsOf(issuer: string, changes: Partial<IssuerSettings> = {}): IssuerSettings {
  return {
    name: 'company',
    issuer,
    audiences: [],
    algorithms: ['ES256', 'RS256', 'EdDSA'],
    types: ['at+jwt'],
    clockSkewMs: 30_000,
    maxTokenAgeMs: 86_400_000,
    prefix: 'company:',
    requireBinding: false,
    claims: {
      subject: 'sub',
      client: ['client_id', 'azp'],
      session: 'sid',
      scopes: ['scope', 'scp'],
      attributes: {},
    },
    keys: { refreshMs: 600_000, keepMs: 3_600_000, cooldownMs: 5_000, timeoutMs: 2_000 },
    ...changes,
  };
}
