import type { ServerResponse } from 'node:http';
import type { Answer, CallId, GatewayError, Outcome } from '@sallyport/core';
import type { JsonObject, JsonValue } from '@sallyport/protocol';
import { etagKey } from './guarded.ts';

/** On every answer, whatever it is: nothing here is to be framed, cached, sniffed or scripted. */
const securityHeaders = {
  'Content-Security-Policy': "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cache-Control': 'no-store',
} as const;

const frontPage = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Sallyport administration</title>
<h1>Sallyport administration</h1>
<p>This port is for administration by programs. Agents do not belong here.</p>
<p>Operations are <code>POST /admin/v1/&lt;operation&gt;</code> with a JSON body and a token that has an
<code>admin:</code> scope; <code>GET /admin/v1/openapi.json</code> describes them. The <code>sallyport</code> command does the same over a Unix socket, without a token.</p>
</html>
`;

/** Answers with the page that says what this is. */
export function sendFrontPage(response: ServerResponse): void {
  send(response, { status: 200, type: 'text/html; charset=utf-8', body: frontPage });
}

/** Answers with a state for probes: `200` if it is well, `503` if not. */
export function sendState(response: ServerResponse, isWell: boolean, status: string): void {
  sendJson(response, isWell ? 200 : 503, { status });
}

/** Answers with how a call ended. */
export function sendOutcome(response: ServerResponse, callId: CallId, outcome: Outcome<Answer>): void {
  response.setHeader('Mcp-Trace-Id', callId);
  if (outcome.kind === 'refused') {
    sendRefusal(response, callId, outcome.error);
    return;
  }
  if (outcome.kind === 'suspended') {
    const { question, reason } = outcome;
    sendJson(response, 202, { suspended: { question, reason }, trace_id: callId });
    return;
  }
  const etag = etagOf(outcome.content);
  if (etag !== undefined) response.setHeader('ETag', etag);
  sendJson(response, 200, { result: resultOf(outcome.content), trace_id: callId });
}

/** Answers with a document as it is, or with why not. */
export function sendDocument(response: ServerResponse, callId: CallId, outcome: Outcome<Answer>): void {
  if (outcome.kind !== 'answered') {
    sendOutcome(response, callId, outcome);
    return;
  }
  response.setHeader('Mcp-Trace-Id', callId);
  send(response, { status: 200, type: 'application/json', body: JSON.stringify(resultOf(outcome.content)) });
}

/** Answers with metrics as scrapers of them want them, or with why not. */
export function sendMetrics(response: ServerResponse, callId: CallId, outcome: Outcome<Answer>): void {
  if (outcome.kind !== 'answered') {
    sendOutcome(response, callId, outcome);
    return;
  }
  const { text } = resultOf(outcome.content) as { readonly text: string };
  response.setHeader('Mcp-Trace-Id', callId);
  send(response, { status: 200, type: 'text/plain; version=0.0.4; charset=utf-8', body: text });
}

function sendRefusal(response: ServerResponse, callId: CallId, error: GatewayError): void {
  const { code, reason, message, details, http } = error;
  if (http === 401) response.setHeader('WWW-Authenticate', 'Bearer');
  if (http === 413) response.setHeader('Connection', 'close');
  if (details.retryAfterMs !== undefined)
    response.setHeader('Retry-After', Math.max(1, Math.ceil(details.retryAfterMs / 1000)));
  sendJson(response, http, { error: { code, reason, message, ...(details as JsonObject) }, trace_id: callId });
}

function resultOf({ text }: Answer): JsonValue {
  return (JSON.parse(text) as { structuredContent?: JsonValue }).structuredContent ?? null;
}

function etagOf({ text }: Answer): string | undefined {
  return (JSON.parse(text) as { _meta?: { [etagKey]?: string } })._meta?.[etagKey];
}

function sendJson(response: ServerResponse, status: number, body: JsonObject): void {
  send(response, { status, type: 'application/json', body: JSON.stringify(body) });
}

interface Body {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

function send(response: ServerResponse, { status, type, body }: Body): void {
  response.writeHead(status, { ...securityHeaders, 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) });
  response.end(body);
}
