import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import { readText, Unreadable } from './body.ts';
import type { Distrust, StatementCheck, Vouched } from './statement.ts';

/** What may pass: whoever holds the token, or what a gateway states. */
export type DoorKey = { readonly token: string } | { readonly check: StatementCheck };

/** A request that may pass. */
export interface Admitted {
  /** What was read of it already. */
  readonly text?: string;
  /** What a gateway vouches for; absent where it carries no call. */
  readonly vouched?: Vouched;
}

/** Lets requests in, or answers them. `undefined`: it was answered. */
export type Door = (request: IncomingMessage, response: ServerResponse) => Promise<Admitted | undefined>;

/** What a door is made for. */
export interface DoorOptions {
  readonly key: DoorKey;
  readonly path: string;
  /** Only names of this machine are answered to. */
  readonly loopbackOnly: boolean;
  readonly log: Logger;
}

const loopback = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?$/;

/** Makes the door of an endpoint. Who may pass is asked first, so that strangers learn nothing else. */
export function createDoor({ key, path, loopbackOnly, log }: DoorOptions): Door {
  const misplaced = ({ headers: { host = '', origin }, url }: IncomingMessage): 403 | 404 | undefined => {
    // A page cannot know the token; should it ever, it still may not call from a browser, under whatever name it found us.
    if (origin !== undefined || (loopbackOnly && !loopback.test(host))) return 403;
    return url?.split('?')[0] === path ? undefined : 404;
  };
  if ('token' in key) {
    const expected = digest(`Bearer ${key.token}`);
    return async (request, response) => {
      const isKnown = timingSafeEqual(digest(request.headers.authorization ?? ''), expected);
      const status = isKnown ? misplaced(request) : 401;
      if (status === undefined) return {};
      refuse(response, status, 'Bearer');
      return undefined;
    };
  }
  return async (request, response) => {
    const admitted = await checkStatement(request, key.check);
    const status = typeof admitted === 'string' ? (admitted === 'no_keys' ? 503 : 401) : misplaced(request);
    if (typeof admitted === 'string')
      log.warn({ reason: admitted }, 'a request was refused: no gateway vouches for it');
    if (typeof admitted !== 'string' && status === undefined && !(admitted instanceof Unreadable)) return admitted;
    refuse(response, admitted instanceof Unreadable ? admitted.status : (status ?? 401), 'Sallyport-Assertion');
    return undefined;
  };
}

async function checkStatement(
  request: IncomingMessage,
  check: StatementCheck,
): Promise<Admitted | Unreadable | Distrust> {
  const claims = await check.read(request.headers['sallyport-assertion']);
  if (typeof claims === 'string') return claims;
  const { method = '' } = request;
  const raw = await readText(request);
  if (raw instanceof Unreadable) return raw;
  const vouched = check.confirm(claims, { method, raw });
  if (typeof vouched === 'string') return vouched;
  return { ...(method === 'POST' && { text: raw }), ...(vouched && { vouched }) };
}

const codes = {
  400: 'invalid_argument',
  401: 'unauthenticated',
  403: 'permission_denied',
  404: 'not_found',
  413: 'invalid_argument',
  503: 'unavailable',
} as const;

function refuse(response: ServerResponse, status: keyof typeof codes, scheme: string): void {
  if (status === 401) response.setHeader('WWW-Authenticate', scheme);
  response.writeHead(status, { 'Content-Type': 'application/json', Connection: 'close' });
  response.end(JSON.stringify({ error: { code: codes[status] } }));
}

/** Texts of the same length, whatever was sent: comparing them tells nothing of the token's length either. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
