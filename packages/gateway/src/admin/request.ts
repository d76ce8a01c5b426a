import type { IncomingMessage } from 'node:http';
import { GatewayError, type JsonText, type Presented } from '@sallyport/core';
import {
  type Envelope,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  parseStrict,
  StrictJsonError,
} from '@sallyport/protocol';

const maxBodyBytes = 64 * 1024;
/** Policies that are to be tried come whole. */
const largeBodies: ReadonlyMap<string, number> = new Map([['policies.replay', 1024 * 1024]]);
const operationPath = /^\/admin\/v1\/([a-z]+\.[a-z]+)$/;

/** What was asked for, and how large it was. */
export interface OperationRequest {
  readonly operation: string;
  readonly argumentsText: JsonText;
  readonly bytes: number;
}

/**
 * Reads which operation a request asks for.
 *
 * A page in somebody's browser must not be able to make one: it would have to send JSON, which needs a preflight that
 * is never answered, and browsers say where they come from.
 *
 * @throws GatewayError for everything that is not one, as the reason says.
 */
export async function readOperation(request: IncomingMessage, isLocal: boolean): Promise<OperationRequest> {
  refuseForeignPages(request, isLocal);
  const [, operation] = operationPath.exec(pathOf(request)) ?? [];
  if (operation === undefined || request.method !== 'POST') throw new GatewayError('method_unknown');
  if (!/^application\/json *(;|$)/i.test(request.headers['content-type'] ?? '')) {
    throw new GatewayError('malformed_request', { issues: ['Content-Type: has to be application/json'] });
  }
  const body = await readBody(request, largeBodies.get(operation));
  return { operation, argumentsText: conditional(request, toArguments(body)), bytes: body.length };
}

/** `If-Match` (RFC 9110 §13.1.1) is the argument of that name. */
function conditional({ headers }: IncomingMessage, argumentsText: JsonText): JsonText {
  const ifMatch = headers['if-match'];
  if (ifMatch === undefined) return argumentsText;
  const args: unknown = JSON.parse(argumentsText);
  return isJsonObject(args as JsonValue)
    ? (JSON.stringify({ ...(args as JsonObject), ifMatch }) as JsonText)
    : argumentsText;
}

const answerPath = /^\/approvals\/answer\/([a-z][a-z0-9-]{0,62})$/;

/** The webhook that a request answers to, if it is an answer at all. */
export function answeredWebhook(request: IncomingMessage): string | undefined {
  return request.method === 'POST' ? answerPath.exec(pathOf(request))?.[1] : undefined;
}

/** The path of a request without its query: nothing is ever read from a query, a token least of all. */
export function pathOf(request: IncomingMessage): string {
  const url = request.url ?? '';
  const end = url.indexOf('?');
  return end < 0 ? url : url.slice(0, end);
}

/** What the caller showed in the `Authorization` header. Anything unreadable there is a bad token, not an absent one. */
export function readBearer(request: IncomingMessage): Presented {
  const values = request.headersDistinct.authorization ?? [];
  if (values.length === 0) return { kind: 'none' };
  const [, token] = /^bearer +([^\s]+)$/i.exec(values.length === 1 ? (values[0] ?? '') : '') ?? [];
  return { kind: 'bearer', token: token ?? '' };
}

/** Names a browser can be tricked into resolving to this machine are not among these. */
const localNames: readonly string[] = ['localhost', '127.0.0.1', '[::1]'];

function refuseForeignPages({ headers }: IncomingMessage, isLocal: boolean): void {
  const { host = '', origin } = headers;
  const isKnownHost = isLocal || localNames.includes(host.replace(/:\d+$/, '').toLowerCase());
  const isSameOrigin = origin === undefined || origin === `http://${host}`;
  const site = headers['sec-fetch-site'] ?? 'none';
  if (!isKnownHost || !isSameOrigin || (site !== 'none' && site !== 'same-origin')) {
    throw new GatewayError('origin_refused');
  }
}

/** The body of a request, as it came. @throws GatewayError `payload_too_large` or `cancelled`. */
export async function readBody(request: IncomingMessage, maxBytes = maxBodyBytes): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > maxBytes) throw new GatewayError('payload_too_large');
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof GatewayError) throw error;
    throw new GatewayError('cancelled', {}, { cause: error });
  }
  return Buffer.concat(chunks);
}

/** The body is the arguments and nothing else: no member of it means anything here. */
const plainBody: Envelope = { members: [], inside: '', inner: [] };

function toArguments(body: Buffer): JsonText {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(body);
    parseStrict(text, { envelope: plainBody });
    return text as JsonText;
  } catch (cause) {
    const issues = cause instanceof StrictJsonError ? [cause.message] : [];
    throw new GatewayError('malformed_json', { issues }, { cause });
  }
}
