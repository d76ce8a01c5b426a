import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startGateway, type TestGateway, writeConfig } from '../e2e/support/gateway.ts';
import { repository, temporaryFolder } from '../e2e/support/program.ts';

/** The answer of a token endpoint, good or bad. */
export interface TokenAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: {
    readonly access_token: string;
    readonly token_type: string;
    readonly issued_token_type: string;
    readonly expires_in: number;
    readonly scope: string;
    readonly authorization_details: readonly Readonly<Record<string, unknown>>[];
    readonly error?: string;
    readonly error_description?: string;
  };
  /** The id of the intent; empty if there is none. */
  readonly intent: string;
}

export const accessToken = 'urn:ietf:params:oauth:token-type:access_token';
export const exchangeGrant = 'urn:ietf:params:oauth:grant-type:token-exchange';

/** What a user might have said. */
export const message = 'Please write it down, once.';
export const digest = createHash('sha256').update(message).digest('base64url');

/** Details of the type `intent`: one call of one tool, unless said otherwise. */
export function details(more: object = {}): object {
  return { type: 'intent', message_digest: digest, tools: ['desk.Desk.Write'], ...more };
}

/** A form for exchange, as it should be, unless said otherwise; `undefined` leaves a parameter out. */
export function form(token: string, detail: object, more: Readonly<Record<string, string | undefined>> = {}) {
  const all = {
    grant_type: exchangeGrant,
    subject_token: token,
    subject_token_type: accessToken,
    authorization_details: JSON.stringify([detail]),
    ...more,
  };
  return new URLSearchParams(Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined));
}

/** Asks the token endpoint of a gateway. */
export async function ask(
  gateway: Pick<TestGateway, 'mcp'>,
  body: URLSearchParams | string,
  init: RequestInit = {},
): Promise<TokenAnswer> {
  const response = await fetch(new URL('/oauth/token', gateway.mcp), { method: 'POST', body, ...init });
  const answer = (await response.json()) as TokenAnswer['body'];
  const id = answer.authorization_details?.[0]?.identifier;
  return { status: response.status, headers: response.headers, body: answer, intent: String(id ?? '') };
}

/** Exchanges a token, which has to work. */
export async function exchange(
  gateway: Pick<TestGateway, 'mcp'>,
  token: string,
  detail: object,
  more: Readonly<Record<string, string | undefined>> = {},
): Promise<{ readonly token: string; readonly intent: string }> {
  const { status, body, intent } = await ask(gateway, form(token, detail, more));
  if (status !== 200) throw new Error(`no token: ${status} ${body.error}: ${body.error_description}`);
  return { token: body.access_token, intent };
}

/** What a call over REST came to: its result, or the reason it was refused for. */
export async function call(gateway: Pick<TestGateway, 'mcp'>, token: string, tool: string, input: object = {}) {
  const response = await fetch(new URL('/mcp/call', gateway.mcp), {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ tool, input }),
  });
  const { result, error } = (await response.json()) as {
    result?: any;
    error?: { reason: string; intent?: string; issues?: readonly string[] };
  };
  return { status: response.status, result, error, came: error?.reason ?? 'answered' };
}

/** One line of `services:` for the service that writes down what it did. */
export function deskService(notes: string, more = ''): string {
  const file = join(import.meta.dirname, 'desk.ts');
  return `  desk: { command: [node, ${file}], cwd: ${repository}, env: { DESK_NOTES: ${notes} }${more} }`;
}

/** A gateway with that service, and what it wrote down. */
export async function startDesk(more = '', service = '') {
  const folder = temporaryFolder();
  const notes = join(folder, 'notes');
  const peers = 'limits: { peer: { rate: 10000, burst: 10000 }, presets: { write: { rate: 1000, burst: 1000 } } }';
  const config = writeConfig(folder, `services:\n${deskService(notes, service)}\n${peers}\n${more}`);
  const gateway = await startGateway('run', config);
  return { gateway, config, folder, notes: () => written(notes) };
}

/** What was written down, in the order it was. */
export function written(notes: string): readonly string[] {
  try {
    return readFileSync(notes, 'utf8').split('\n').filter(Boolean);
  } catch {
    return [];
  }
}

/** Sends one request of MCP 2026-07-28, from a client that can be asked by a form unless said otherwise. */
export async function modern(
  url: URL,
  token: string,
  ...[method, params = {}, capabilities = { elicitation: { form: {} } }]: readonly [
    method: string,
    params?: Readonly<Record<string, unknown>>,
    capabilities?: object,
  ]
) {
  const version = '2026-07-28';
  const meta = {
    'io.modelcontextprotocol/protocolVersion': version,
    'io.modelcontextprotocol/clientCapabilities': capabilities,
  };
  const name = params.name ?? params.uri ?? params.taskId;
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': version,
      'mcp-method': method,
      ...(typeof name === 'string' && { 'mcp-name': name }),
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { ...params, _meta: meta } }),
  });
  const text = await response.text();
  const last = text.split('\n').findLast((line) => line.startsWith('data:'));
  const { result, error } = JSON.parse(last?.slice('data:'.length) ?? text);
  return { status: response.status, result, error };
}
