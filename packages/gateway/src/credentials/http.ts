import * as oauth from 'oauth4webapi';
import { CredentialFailure } from './failure.ts';

/**
 * Asks for what OAuth needs. The one that is passed in decides which addresses may be reached, and bounds time and size: the
 * gateway's guarded fetch.
 */
export type OauthFetch = (
  url: string,
  request?: {
    readonly method?: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: string | URLSearchParams;
    readonly redirect?: 'error' | 'manual';
    readonly signal?: AbortSignal;
  },
) => Promise<Response>;

/** The members of a JSON object that nobody has vouched for. */
export type Document = Readonly<Record<string, unknown>>;

/** How long an authorization server may take for one answer, in milliseconds. */
const answerMs = 10_000;

/** What makes the OAuth library use our way out, which alone decides about addresses and schemes. */
export function viaFetch(fetch: OauthFetch) {
  return {
    [oauth.customFetch]: (
      url: string,
      { method, headers, body }: { method: string; headers: Record<string, string>; body?: unknown },
    ) =>
      fetch(url, {
        ...{ method, headers, redirect: 'manual', signal: AbortSignal.timeout(answerMs) },
        ...(typeof body === 'string' || body instanceof URLSearchParams ? { body } : {}),
      }),
    [oauth.allowInsecureRequests]: true,
  } as const;
}

/** Gets an answer with a document in it; `undefined` where there is none. Redirects are not followed. */
export async function getAnswer(fetch: OauthFetch, url: string): Promise<Response | undefined> {
  const response = await fetch(url, {
    headers: { accept: 'application/json' },
    redirect: 'manual',
    signal: AbortSignal.timeout(answerMs),
  });
  if (response.status === 200) return response;
  if (response.status >= 400 && response.status < 500) return undefined;
  throw new CredentialFailure('unreachable', `${plainUrl(url)} answers with HTTP ${response.status}`);
}

/** The JSON object in an answer. @throws CredentialFailure when there is none; never with what the answer says. */
export async function readDocument(response: Response, url: string): Promise<Document> {
  let value: unknown;
  try {
    value = JSON.parse(await response.text());
  } catch {
    throw new CredentialFailure('unreadable', `${plainUrl(url)} answers with something that is not JSON`);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Document;
  throw new CredentialFailure('unreadable', `${plainUrl(url)} answers with something that is no object`);
}

/** An address as it may be told: without query, and not endless. */
export function plainUrl(text: string): string {
  const url = URL.parse(text);
  return url === null ? 'an address that is none' : `${url.origin}${url.pathname}`.slice(0, 200);
}

/** A member that is a list of texts, if it is there. */
export function textsOf(document: Document, name: string): readonly string[] | undefined {
  const value = document[name];
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : undefined;
}
