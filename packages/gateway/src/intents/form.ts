import { hash } from 'node:crypto';
import { type Endpoint, everything, type JsonText } from '@sallyport/core';
import {
  type Envelope,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  parseStrict,
  StrictJsonError,
} from '@sallyport/protocol';
import { longestMessage } from './manifest.ts';
import type { TokenRefusal } from './refusal.ts';

/** The grant (RFC 8693 §2.1). */
export const exchangeGrant = 'urn:ietf:params:oauth:grant-type:token-exchange';
/** What is exchanged, and what comes of it (RFC 8693 §3). */
export const accessTokenType = 'urn:ietf:params:oauth:token-type:access_token';

const tokenTypes: ReadonlySet<string> = new Set([accessTokenType, 'urn:ietf:params:oauth:token-type:jwt']);
const longestToken = 16_384;

/** A request for exchange that can be read. */
export interface ExchangeForm {
  readonly subjectToken: string;
  readonly actorToken?: string;
  /** Where the new token is to be good. */
  readonly endpoint: Endpoint;
  /** The user's message, if it is to be kept. */
  readonly message?: string;
  /** What goes down the path and on record: no token, and no message. */
  readonly argumentsText: JsonText;
}

/** Resolves resource identifiers (RFC 8707): which path of this gateway, and what is there. */
export type ResourceReader = (resource: string) => { readonly path?: string; readonly endpoint: Endpoint } | undefined;

/** Reads the parameters. Those that nobody knows are ignored (RFC 6749 §3.2). */
export function readForm(form: URLSearchParams, resourceAt: ResourceReader): ExchangeForm | TokenRefusal {
  const twice = [...new Set(form.keys())].find((name) => form.getAll(name).length > 1);
  if (twice === 'resource' || twice === 'audience') return refusal('invalid_target', 'there can be one resource');
  if (twice !== undefined) return refusal('invalid_request', `${twice}: is there more than once`);
  const get = (name: string): string | undefined => form.get(name) ?? undefined;
  if (get('grant_type') === undefined) return refusal('invalid_request', 'grant_type: is missing');
  if (get('grant_type') !== exchangeGrant)
    return refusal('unsupported_grant_type', `grant_type: only ${exchangeGrant}`);
  const tokens = readTokens(get);
  if ('error' in tokens) return tokens;
  const resource = get('resource') ?? get('audience');
  const place = resource === undefined ? { endpoint: everything } : resourceAt(resource);
  const isElsewhere = get('resource') !== undefined && (get('audience') ?? resource) !== resource;
  if (place === undefined || isElsewhere)
    return refusal('invalid_target', 'resource: is not an address of this gateway');
  const details = readDetails(get('authorization_details'));
  if ('error' in details) return details;
  const scope = get('scope');
  const args: JsonObject = {
    authorization_details: details.value,
    ...(scope !== undefined && { scope }),
    ...('path' in place && place.path !== undefined && { resource: place.path }),
  };
  return {
    ...tokens,
    endpoint: place.endpoint,
    ...(details.message !== undefined && { message: details.message }),
    argumentsText: JSON.stringify(args) as JsonText,
  };
}

type Tokens = Pick<ExchangeForm, 'subjectToken' | 'actorToken'>;

function readTokens(get: (name: string) => string | undefined): Tokens | TokenRefusal {
  const subjectToken = get('subject_token');
  const actorToken = get('actor_token');
  if (subjectToken === undefined || subjectToken === '') return refusal('invalid_request', 'subject_token: is missing');
  if (!tokenTypes.has(get('subject_token_type') ?? ''))
    return refusal('invalid_request', wrongType('subject_token_type'));
  if ((actorToken === undefined) !== (get('actor_token_type') === undefined)) {
    return refusal('invalid_request', 'actor_token: goes with actor_token_type');
  }
  if (actorToken !== undefined && !tokenTypes.has(get('actor_token_type') ?? '')) {
    return refusal('invalid_request', wrongType('actor_token_type'));
  }
  if (![undefined, accessTokenType].includes(get('requested_token_type'))) {
    return refusal('invalid_request', `requested_token_type: only ${accessTokenType}`);
  }
  if (subjectToken.length > longestToken || (actorToken?.length ?? 0) > longestToken) {
    return refusal('invalid_request', 'subject_token: is too long');
  }
  return { subjectToken, ...(actorToken !== undefined && { actorToken }) };
}

function wrongType(parameter: string): string {
  return `${parameter}: only ${[...tokenTypes].join(' or ')}`;
}

interface Details {
  readonly value: JsonValue;
  readonly message?: string;
}

/** The details, with the digest of the message in the place of the message. */
function readDetails(text: string | undefined): Details | TokenRefusal {
  if (text === undefined) return badDetails('are missing: what is the token for?');
  const value = parse(text);
  if (!Array.isArray(value) || value.length !== 1 || !isJsonObject(value[0])) {
    return badDetails('one object in a list is needed');
  }
  const { message, ...rest } = value[0];
  if (rest.type !== 'intent') return badDetails('the only type is "intent"');
  if (message === undefined) {
    return rest.seal_message === true ? badDetails('seal_message: there is no message') : { value: [rest] };
  }
  if (typeof message !== 'string' || message === '' || message.length > longestMessage || !message.isWellFormed()) {
    return badDetails(`message: a text of at most ${longestMessage} characters`);
  }
  const digest = hash('sha256', message, 'base64url');
  if (rest.message_digest !== undefined && rest.message_digest !== digest) {
    return badDetails('message_digest: is not that of the message');
  }
  const digested = { ...rest, message_digest: digest };
  return { value: [digested], ...(rest.seal_message === true && { message }) };
}

/** It is no envelope: all names in it are the caller's own. */
const plain: Envelope = { members: [], inside: '', inner: [] };

function parse(text: string): JsonValue | undefined {
  try {
    return parseStrict(text, { envelope: plain }).value;
  } catch (error) {
    if (error instanceof StrictJsonError) return undefined;
    throw error;
  }
}

function badDetails(why: string): TokenRefusal {
  return refusal('invalid_authorization_details', `authorization_details: ${why}`);
}

function refusal(error: TokenRefusal['error'], description: string): TokenRefusal {
  return { error, description };
}
