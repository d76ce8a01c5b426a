import {
  type Answer,
  GatewayError,
  type Hop,
  type JsonText,
  type OutboundCredential,
  type Retry,
} from '@sallyport/core';
import { isJsonObject, type JsonObject, type JsonValue } from '@sallyport/protocol';
import { troubleIn } from './credential-trouble.ts';
import { undeclared } from './questions.ts';

type Consent = Extract<OutboundCredential, { kind: 'consent' }>;

/** A permitted call, before it is known whether its caller has to agree to anything first. */
export interface Departing {
  readonly service: string;
  readonly hop: Hop;
  /** What the caller brought back, unsealed. */
  readonly retry: Retry | undefined;
}

/** What the state of the gateway's own question begins with. No service may give out one like it. */
export const consentPrefix = 'consent:';
const prefix = consentPrefix;
const questionKey = 'consent';
/** A question that waits leaves this much of the call's time for the call itself, in milliseconds. */
const reserveMs = 5_000;

/**
 * Sends a call, and asks its caller to agree at a page of the gateway's where the upstream wants a credential that only he can
 * give (MCP 2026-07-28, elicitation, URL mode). Whoever comes back is waited for until he has.
 *
 * @throws GatewayError `credential_unavailable` when he does not agree, or the upstream takes nothing that it was shown.
 */
export async function withConsent(
  { service, hop, retry: brought }: Departing,
  send: (hop: Hop, retry: Retry | undefined) => Promise<Answer>,
): Promise<Answer> {
  const asked = readAsked(brought);
  if (asked?.isDeclined) throw declined(service);
  const retry = asked ? asked.retry : brought;
  let ready = hop;
  if (hop.credential.kind === 'consent') {
    const credential = asked && (await waited(hop.credential, hop));
    if (credential === undefined || credential.kind === 'consent') return question(hop.credential, hop, retry);
    ready = { ...hop, credential };
  }
  try {
    return await send(ready, retry);
  } catch (error) {
    const trouble = troubleIn(error);
    if (trouble === undefined || trouble.given !== ready.credential) throw error;
    if (trouble.kind === 'consent') return question(trouble.consent, hop, retry);
    throw toRefusal(service, error);
  }
}

/** Where nobody can be asked in the course of it (of a task, say): the want of a credential as an error that says what to do. */
export function toRefusal(service: string, error: unknown): unknown {
  const trouble = troubleIn(error);
  if (trouble === undefined) return error;
  if (trouble.kind === 'missing') return trouble.error;
  const issue =
    trouble.kind === 'consent'
      ? `${trouble.consent.message} ${trouble.consent.url}`
      : `${service} does not take the credential that the gateway has for it (HTTP ${trouble.status}).`;
  return new GatewayError('credential_unavailable', { issues: [issue] }, { cause: error });
}

/** The credential, once there is one; `undefined` when that takes too long. */
async function waited({ settled }: Consent, { signal, timeoutMs }: Hop): Promise<OutboundCredential | undefined> {
  const enough = new AbortController();
  const clock = setTimeout(() => enough.abort(), Math.max(0, timeoutMs - reserveMs));
  const onAbort = (): void => enough.abort();
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    const credential = await settled?.(enough.signal);
    if (signal.aborted) throw new GatewayError('cancelled');
    return credential;
  } finally {
    clearTimeout(clock);
    signal.removeEventListener('abort', onAbort);
  }
}

function question({ url, message }: Consent, { client, era }: Hop, retry: Retry | undefined): Answer {
  const params = { mode: 'url', message, url };
  const text = JSON.stringify({
    resultType: 'input_required',
    inputRequests: { [questionKey]: { method: 'elicitation/create', params } },
    requestState: `${prefix}${JSON.stringify(retry ?? null)}`,
  }) as JsonText;
  const instance = 'gateway';
  if (era === 'modern' || undeclared(text, client.capabilitiesText) === undefined) {
    return { text, isError: false, resultType: 'input_required', instance };
  }
  // MCP 2025-11-25, elicitation, `URLElicitationRequiredError`: for whoever cannot be asked in the course of a call.
  const elicitations = [{ ...params, elicitationId: URL.parse(url)?.pathname.split('/').at(-1) ?? questionKey }];
  const error = JSON.stringify({ code: -32_042, message: `${message} ${url}`, data: { elicitations } }) as JsonText;
  return { text: error, isError: true, shape: 'error', instance };
}

interface Asked {
  readonly retry: Retry | undefined;
  readonly isDeclined: boolean;
}

/** Whether the caller comes back with an answer to our own question, and what he had brought back before that. */
function readAsked(retry: Retry | undefined): Asked | undefined {
  const { requestState, inputResponsesText } = retry ?? {};
  if (!requestState?.startsWith(prefix)) return undefined;
  const before = JSON.parse(requestState.slice(prefix.length)) as Retry | null;
  const answer = objectOf(objectOf(parse(inputResponsesText))[questionKey]);
  const isDeclined = answer.action === 'decline' || answer.action === 'cancel';
  return { retry: before ?? undefined, isDeclined };
}

function declined(service: string): GatewayError {
  const issues = [`${service} needs the consent of its user, who did not give it. Call again to be asked again.`];
  return new GatewayError('credential_unavailable', { issues });
}

function parse(text: string | undefined): JsonValue {
  return text === undefined ? {} : (JSON.parse(text) as JsonValue);
}

function objectOf(value: JsonValue | undefined): JsonObject {
  return isJsonObject(value) ? value : {};
}
