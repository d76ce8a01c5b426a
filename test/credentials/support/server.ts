import { createHash, randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { listen, type Received, receive, sendJson } from './upstream.ts';

/** A request for a token, as it came in. */
export interface TokenAsked extends Received {
  readonly form: URLSearchParams;
}

/** A small authorization server that does what a test wants of it, bad things included. */
export interface AuthorizationServer {
  readonly origin: string;
  readonly received: Received[];
  /** Members that replace those of its metadata; `undefined` leaves one out. */
  metadata: Record<string, unknown>;
  /** What comes back with the browser, instead of what should. */
  callback: (good: URLSearchParams) => URLSearchParams;
  /** What a token request gets. */
  answer: (asked: TokenAsked) => { readonly status?: number; readonly body: unknown };
  /** Answers everything itself. */
  take: ((request: IncomingMessage, response: ServerResponse) => boolean) | undefined;
  readonly tokenRequests: () => readonly TokenAsked[];
  close(): Promise<void>;
}

/** Makes a token that looks like nothing else. */
export function drawToken(kind = 'token'): string {
  return `${kind}-${randomBytes(12).toString('hex')}`;
}

/** Starts a server that agrees to everything and gives tokens to everybody. */
export async function startAuthorizationServer(): Promise<AuthorizationServer> {
  const received: Received[] = [];
  const asked: TokenAsked[] = [];
  const challenges = new Map<string, string>();
  let origin = '';
  const self = {
    metadata: {} as Record<string, unknown>,
    callback: (good: URLSearchParams) => good,
    answer: (): { readonly status?: number; readonly body: unknown } => ({
      body: { access_token: drawToken(), token_type: 'Bearer', expires_in: 3600, refresh_token: drawToken('refresh') },
    }),
    take: undefined as AuthorizationServer['take'],
  } satisfies Partial<AuthorizationServer> as Pick<AuthorizationServer, 'metadata' | 'callback' | 'answer' | 'take'>;

  const authorize = (query: URLSearchParams, response: ServerResponse): void => {
    const code = drawToken('code');
    challenges.set(code, query.get('code_challenge') ?? '');
    const good = new URLSearchParams({ code, state: query.get('state') ?? '', iss: origin });
    response.writeHead(302, { location: `${query.get('redirect_uri')}?${self.callback(good)}` }).end();
  };
  const token = (one: Received, response: ServerResponse): void => {
    const form = new URLSearchParams(one.body);
    asked.push({ ...one, form });
    const verifier = form.get('code_verifier') ?? '';
    const challenge = challenges.get(form.get('code') ?? '');
    const isProven = createHash('sha256').update(verifier).digest('base64url') === challenge;
    if (form.get('grant_type') === 'authorization_code' && !isProven) {
      sendJson(response, { error: 'invalid_grant' }, 400);
      return;
    }
    challenges.delete(form.get('code') ?? '');
    const { status = 200, body } = self.answer({ ...one, form });
    sendJson(response, body, status);
  };
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (self.take?.(request, response)) return;
    const one = await receive(request);
    received.push(one);
    const url = new URL(one.url, origin);
    switch (url.pathname) {
      case '/.well-known/oauth-authorization-server':
        return sendJson(response, { ...metadataOf(origin), ...self.metadata });
      case '/authorize':
        return authorize(url.searchParams, response);
      case '/token':
        return token(one, response);
      case '/register': {
        const wanted = JSON.parse(one.body) as object;
        return sendJson(response, { ...wanted, client_id: drawToken('client'), client_id_issued_at: 1 }, 201);
      }
      case '/revoke':
        return void response.writeHead(200).end();
      default:
        return void response.writeHead(404).end();
    }
  };
  const listening = await listen((request, response) => void serve(request, response));
  origin = listening.origin;
  return Object.assign(self, { origin, received, tokenRequests: () => asked, close: listening.close });
}

function metadataOf(origin: string): Record<string, unknown> {
  return {
    issuer: origin,
    authorization_endpoint: `${origin}/authorize`,
    token_endpoint: `${origin}/token`,
    registration_endpoint: `${origin}/register`,
    revocation_endpoint: `${origin}/revoke`,
    response_types_supported: ['code'],
    code_challenge_methods_supported: ['S256'],
    token_endpoint_auth_methods_supported: ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'],
    authorization_response_iss_parameter_supported: true,
  };
}
