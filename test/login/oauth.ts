import { createHash, randomBytes } from 'node:crypto';
import { allow, type World } from './world.ts';

/** A program that asks for tokens, by hand: what no well-behaved client would send can be sent too. */
export interface Program {
  readonly clientId: string;
  readonly verifier: string;
  readonly challenge: string;
}

/** Where programs here are sent back to; nobody listens. */
export const redirectUri = 'http://127.0.0.1:49152/callback';

/** Fields of a request; `undefined` leaves out what is there by default. */
export type Fields = Readonly<Record<string, string | readonly string[] | undefined>>;

/** Registers a client (RFC 7591). */
export async function register({ origin }: Pick<World, 'origin'>, metadata: object = {}): Promise<Response> {
  return fetch(`${origin}/oauth/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      client_name: 'Test Agent',
      redirect_uris: [redirectUri],
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token'],
      ...metadata,
    }),
  });
}

/** A program that registered itself. */
export async function newProgram(world: Pick<World, 'origin'>, metadata: object = {}): Promise<Program> {
  const { client_id: clientId } = (await (await register(world, metadata)).json()) as { client_id: string };
  return programNamed(clientId);
}

/** A program that is known already. */
export function programNamed(clientId: string): Program {
  const verifier = randomBytes(32).toString('base64url');
  return { clientId, verifier, challenge: createHash('sha256').update(verifier).digest('base64url') };
}

/** Where a program sends the browser. */
export function authorizeUrl(
  { origin }: Pick<World, 'origin'>,
  { clientId, challenge }: Program,
  fields: Fields = {},
): string {
  const usual: Fields = {
    response_type: 'code',
    client_id: clientId,
    redirect_uri: redirectUri,
    code_challenge: challenge,
    code_challenge_method: 'S256',
    state: 'the-state',
    scope: 'posts:read posts:write',
    resource: `${origin}/mcp`,
  };
  return `${origin}/oauth/authorize?${toForm({ ...usual, ...fields })}`;
}

/** What the token endpoint says. */
export interface TokenAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: {
    readonly access_token: string;
    readonly refresh_token: string;
    readonly scope: string;
    readonly expires_in: number;
    readonly error?: string;
    readonly error_description?: string;
  };
}

/** Asks for a token. */
export async function askToken(
  { origin }: Pick<World, 'origin'>,
  fields: Fields,
  headers: Readonly<Record<string, string>> = {},
): Promise<TokenAnswer> {
  const response = await fetch(`${origin}/oauth/token`, { method: 'POST', body: toForm(fields), headers });
  return { status: response.status, headers: response.headers, body: (await response.json()) as TokenAnswer['body'] };
}

/** Redeems a code. */
export function redeem(
  world: Pick<World, 'origin'>,
  { clientId, verifier }: Program,
  code: string,
  fields: Fields = {},
): Promise<TokenAnswer> {
  const usual = {
    grant_type: 'authorization_code',
    client_id: clientId,
    code,
    code_verifier: verifier,
    redirect_uri: redirectUri,
  };
  return askToken(world, { ...usual, resource: `${world.origin}/mcp`, ...fields });
}

/** Refreshes. */
export function refresh(
  world: Pick<World, 'origin'>,
  { clientId }: Program,
  refreshToken: string,
  fields: Fields = {},
): Promise<TokenAnswer> {
  return askToken(world, { grant_type: 'refresh_token', client_id: clientId, refresh_token: refreshToken, ...fields });
}

/** Signs `ada` in, allows all that is asked for and redeems the code. */
export async function logIn(world: World, program: Program, fields: Fields = {}): Promise<TokenAnswer['body']> {
  const back = await allow(world.browser(), authorizeUrl(world, program, fields));
  return (await redeem(world, program, back.searchParams.get('code') ?? '')).body;
}

/** Calls a tool over REST with a token. */
export async function callWith(
  origin: string,
  token: string,
  tool = 'posts.Post.List',
): Promise<{ readonly status: number; readonly headers: Headers; readonly body: any }> {
  const response = await fetch(`${origin}/mcp/call`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ tool, input: {} }),
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}

function toForm(fields: Fields): URLSearchParams {
  const form = new URLSearchParams();
  for (const [name, values] of Object.entries(fields)) {
    for (const value of [values].flat()) if (value !== undefined) form.append(name, value);
  }
  return form;
}
