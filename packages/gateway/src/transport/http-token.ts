import type { IncomingMessage } from 'node:http';
import { GatewayError } from '@sallyport/core';
import type { TokenRequest, TransportDeps } from './deps.ts';
import { type Body, type BodyLimits, readBody } from './http-body.ts';
import { hasOneHost, originOf } from './http-facts.ts';
import { replayed } from './http-replay.ts';
import { bodyProblem, goneSignal, headerTrace, linger } from './http-request.ts';
import type { HttpExchange } from './http-response.ts';

/** Where tokens are asked for (RFC 6749 §3.2). */
export const tokenPath = '/oauth/token';

const exchangeGrant = 'urn:ietf:params:oauth:grant-type:token-exchange';

/** Serves `POST /oauth/token`. What it decides is decided behind `exchangeToken`. */
export function createTokenRoute(
  deps: TransportDeps,
  exchangeToken: NonNullable<TransportDeps['exchangeToken']>,
  limits: BodyLimits,
): (exchange: HttpExchange) => Promise<void> {
  return async (exchange) => {
    const { request, responder } = exchange;
    const body = await readBody(request, limits);
    if (body.kind === 'gone') return;
    if (body.kind === 'text' && isForAuthServer(request, body.text)) {
      if (deps.authServer?.(replayed(request, body.text), exchange.response) === true) return;
    }
    const { status, headers, body: answer } = await exchangeToken(readRequest(deps, exchange, body));
    const type = { 'Content-Type': 'application/json' };
    responder.send({ status, headers: { ...type, ...headers }, body: JSON.stringify(answer) });
    if (body.kind === 'too-large' || body.kind === 'too-many') linger(exchange);
  };
}

function readRequest(deps: TransportDeps, exchange: HttpExchange, body: Exclude<Body, { kind: 'gone' }>): TokenRequest {
  const { request } = exchange;
  const form = new URLSearchParams(body.kind === 'text' && isForm(request) ? body.text : '');
  const problem = problemOf(request, body);
  return {
    form,
    ...(problem && { problem }),
    hasClientCredential:
      request.headers.authorization !== undefined || form.has('client_secret') || form.has('client_assertion'),
    origin: { ...originOf(request, 'http', deps), era: 'none' },
    ...headerTrace(request),
    signal: goneSignal(exchange),
    receivedBytes: body.bytes,
  };
}

function problemOf(request: IncomingMessage, body: Exclude<Body, { kind: 'gone' }>): GatewayError | undefined {
  if (body.kind !== 'text') return bodyProblem(request, body);
  if (!hasOneHost(request)) return malformed('Host: must be there once');
  if (!isForm(request)) return malformed('Content-Type: must be application/x-www-form-urlencoded');
  // They would be in logs and histories (RFC 6749 §3.2).
  return request.url?.includes('?') ? malformed('the parameters belong into the body') : undefined;
}

function malformed(issue: string): GatewayError {
  return new GatewayError('malformed_request', { issues: [issue] });
}

/** All but the exchange is for the authorization server, where there is one. */
function isForAuthServer(request: IncomingMessage, text: string): boolean {
  return !isForm(request) || new URLSearchParams(text).get('grant_type') !== exchangeGrant;
}

function isForm({ headers }: IncomingMessage): boolean {
  const [essence = ''] = (headers['content-type'] ?? '').split(';', 1);
  return essence.trim().toLowerCase() === 'application/x-www-form-urlencoded';
}
