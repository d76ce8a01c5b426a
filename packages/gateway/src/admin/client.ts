import { type ClientRequest, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { type ErrorDetails, GatewayError, type Reason, reasons } from '@sallyport/core';
import type { JsonObject, JsonValue } from '@sallyport/protocol';

/** Where the gateway's administration is: its socket, or its URL with a token that has an `admin:` scope. */
export type AdminTarget = { readonly socketPath: string } | { readonly url: string; readonly token: string };

const maxAnswerBytes = 16 * 1024 * 1024;

/**
 * Asks a running gateway to do an administrative operation (`tokens.create`, `catalog.show`, …).
 *
 * @throws GatewayError as the gateway refused it; Error when no gateway answers, or none of this kind.
 */
export async function adminCall(
  target: AdminTarget,
  operation: string,
  { args = {}, signal }: { readonly args?: JsonObject; readonly signal?: AbortSignal } = {},
): Promise<JsonValue> {
  const body = JSON.stringify(args);
  const headers = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) };
  const options = { method: 'POST', headers, ...(signal && { signal }) };
  const response = await answerTo(open(target, `/admin/v1/${encodeURIComponent(operation)}`, options), body, target);
  return resultOf(response, await textOf(response));
}

function open(target: AdminTarget, path: string, options: RequestOptions): ClientRequest {
  if ('socketPath' in target) return httpRequest({ ...options, socketPath: target.socketPath, path, agent: false });
  const url = new URL(path, target.url);
  const isLoopback = ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname);
  if (url.protocol !== 'https:' && !isLoopback) {
    throw new Error(`a token is not sent in the clear: use https:// for ${url.host}`);
  }
  const headers = { ...(options.headers as Record<string, string | number>), Authorization: `Bearer ${target.token}` };
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
  return send(url, { ...options, headers, agent: false });
}

function answerTo(request: ClientRequest, body: string, target: AdminTarget): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.once('response', resolve);
    request.once('error', (error) => {
      const isAbsent = 'code' in error && (error.code === 'ENOENT' || error.code === 'ECONNREFUSED');
      const where = 'socketPath' in target ? target.socketPath : new URL(target.url).origin;
      reject(isAbsent ? new Error(`no gateway answers at ${where}; is it running?`, { cause: error }) : error);
    });
    request.end(body);
  });
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxAnswerBytes) throw new Error('the answer is larger than any answer of a gateway');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

interface AdminAnswer {
  readonly result?: JsonValue;
  readonly error?: ErrorDetails & { readonly reason: string };
  readonly suspended?: { readonly reason: string };
}

function resultOf({ statusCode }: IncomingMessage, text: string): JsonValue {
  const { result, error, suspended } = parse(text, statusCode);
  if (error !== undefined) throw errorOf(error);
  if (suspended !== undefined) throw new Error(`the operation waits for somebody: ${suspended.reason}`);
  if (result === undefined) throw new Error(`this is not the administration of a gateway (HTTP ${statusCode})`);
  return result;
}

function parse(text: string, statusCode: number | undefined): AdminAnswer {
  try {
    return JSON.parse(text) as AdminAnswer;
  } catch (cause) {
    throw new Error(`this is not the administration of a gateway (HTTP ${statusCode})`, { cause });
  }
}

function errorOf({
  reason,
  scopes,
  retryAfterMs,
  issues,
  reasons: why,
}: ErrorDetails & { readonly reason: string }): Error {
  if (!Object.hasOwn(reasons, reason)) return new Error(`the gateway refused: ${reason}`);
  return new GatewayError(reason as Reason, {
    ...(scopes && { scopes }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    ...(issues && { issues }),
    ...(why && { reasons: why }),
  });
}
