import { createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { documentOf, headersOf, type Page } from './html.ts';
import type { Parts } from './parts.ts';

/** One request at a page, and its answer. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

const largestForm = 64 * 1024;

/** Reads a form that one of our own pages sent; `undefined` for what is none, or too long. */
export async function readForm(request: IncomingMessage): Promise<URLSearchParams | undefined> {
  const [type = ''] = (request.headers['content-type'] ?? '').split(';', 1);
  if (type.trim().toLowerCase() !== 'application/x-www-form-urlencoded') return undefined;
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    length += (chunk as Buffer).length;
    if (length > largestForm) return undefined;
    chunks.push(chunk as Buffer);
  }
  return new URLSearchParams(Buffer.concat(chunks).toString('utf8'));
}

/** What shows that a form belongs to the page of one sign-in. */
export function proofFor({ records }: Pick<Parts, 'records'>, interaction: string): string {
  return createHmac('sha256', records.idKey).update(`form\0${interaction}`).digest('base64url');
}

/** Whether a form was sent by the page it belongs to, in the browser that showed it: other sites can do neither. */
export function isOwnForm(
  parts: Pick<Parts, 'records' | 'origin'>,
  {
    request,
    form,
    interaction,
  }: { readonly request: IncomingMessage; readonly form: URLSearchParams; readonly interaction: string },
): boolean {
  const { origin, 'sec-fetch-site': site } = request.headers;
  if (origin !== undefined && origin !== parts.origin) return false;
  if (site !== undefined && site !== 'same-origin') return false;
  const given = Buffer.from(form.get('proof') ?? '');
  const right = Buffer.from(proofFor(parts, interaction));
  return given.length === right.length && timingSafeEqual(given, right);
}

/** Sends a page. */
export function sendPage({ response }: Pick<Exchange, 'response'>, page: Page, isSecure: boolean): void {
  const body = documentOf(page);
  for (const [name, value] of Object.entries(headersOf(page))) response.setHeader(name, value);
  if (isSecure) response.setHeader('Strict-Transport-Security', 'max-age=31536000');
  response.statusCode = page.status;
  response.setHeader('Content-Length', Buffer.byteLength(body));
  response.end(response.req.method === 'HEAD' ? undefined : body);
}

/** Sends a browser on. */
export function sendTo({ response }: Pick<Exchange, 'response'>, location: string): void {
  response.statusCode = 303;
  response.setHeader('Location', location);
  response.setHeader('Cache-Control', 'no-store');
  response.setHeader('Referrer-Policy', 'no-referrer');
  response.setHeader('Content-Length', 0);
  response.end();
}
