import { type CredentialRefusal, GatewayError, type OutboundCredential } from '@sallyport/core';
import { CredentialTrouble } from '../credential-trouble.ts';
import { type HttpEndpoint, type HttpReply, type HttpRequest, headerOf } from './http-endpoint.ts';

/** What was shown, and what the server said to it. */
interface Shown {
  readonly credential: OutboundCredential;
  readonly refusal: CredentialRefusal;
}

/**
 * Makes an endpoint show credentials: the header that each request needs, a new proof for each where the token is bound to a key,
 * and another credential where the server refuses the first. A request that was refused (401, or 403 for lack of a scope) was
 * not carried out, which is why it may be repeated; nothing else is.
 *
 * @throws CredentialTrouble from `send`, when somebody has to agree first, or nothing is good enough for the server.
 */
export function withCredentials(inner: HttpEndpoint): HttpEndpoint {
  // Whoever holds on to a credential (a session does) shows what it was replaced with.
  const replaced = new WeakMap<OutboundCredential, OutboundCredential>();
  const newest = (credential: OutboundCredential): OutboundCredential => {
    let now = credential;
    for (let next = replaced.get(now); next !== undefined; next = replaced.get(now)) now = next;
    return now;
  };

  const sendWith = async (credential: OutboundCredential, request: HttpRequest): Promise<HttpReply> => {
    const shown = await headersOf(credential, { method: request.method, url: inner.url.href });
    const reply = await inner.send({ ...request, headers: { ...request.headers, ...shown } });
    const nonce = headerOf(reply, 'dpop-nonce');
    if (credential.kind === 'dpop' && nonce !== undefined) credential.onNonce(nonce);
    return reply;
  };

  /** What to show next; `undefined`: the refusal stands. */
  const following = async (shown: Shown, given: OutboundCredential): Promise<OutboundCredential | undefined> => {
    const { credential, refusal } = shown;
    const next = await orTrouble(given, async () => renewed(credential, refusal));
    if (next?.kind === 'consent') throw new CredentialTrouble({ kind: 'consent', given, consent: next });
    if (next && given.kind !== 'deferred') replaced.set(credential, next);
    return next;
  };

  const sendShowing = async (given: OutboundCredential, request: HttpRequest): Promise<HttpReply> => {
    let credential = await orTrouble(given, () => found(newest(given)));
    /** Once because it is none or no good, once because it permits too little. */
    const renewedFor = new Set<number>();
    let nonces = 0;
    for (;;) {
      request.signal.throwIfAborted();
      const reply = await sendWith(credential, request);
      const refusal = refusalOf(reply);
      if (refusal === undefined) return reply;
      if (credential.kind === 'dpop' && isNonceWanted(refusal) && nonces++ === 0) continue;
      const isFirst = !renewedFor.has(refusal.status);
      renewedFor.add(refusal.status);
      const next = isFirst ? await following({ credential, refusal }, given) : undefined;
      if (next === undefined) return settle(credential, { reply, given });
      credential = next;
      nonces = 0;
    }
  };

  return {
    url: inner.url,
    nextId: inner.nextId,
    send: (request) => (request.credential ? sendShowing(request.credential, request) : inner.send(request)),
  };
}

/** That there is no credential is told with whose it is: conversations are shared, troubles are not. */
async function orTrouble<Value>(given: OutboundCredential, work: () => Promise<Value>): Promise<Value> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof GatewayError) throw new CredentialTrouble({ kind: 'missing', given, error });
    throw error;
  }
}

async function found(credential: OutboundCredential): Promise<OutboundCredential> {
  return credential.kind === 'deferred' ? found(await credential.find()) : credential;
}

async function headersOf(
  credential: OutboundCredential,
  request: { readonly method: string; readonly url: string },
): Promise<Readonly<Record<string, string>>> {
  switch (credential.kind) {
    case 'bearer':
      return { authorization: `Bearer ${credential.token}` };
    case 'header':
      return { [credential.name.toLowerCase()]: credential.value };
    case 'dpop':
      return { authorization: `DPoP ${credential.token}`, dpop: await credential.prove(request) };
    case 'none':
    case 'deferred':
      return {};
    case 'consent':
      throw new CredentialTrouble({ kind: 'consent', given: credential, consent: credential });
    default:
      return credential satisfies never;
  }
}

function renewed(
  credential: OutboundCredential,
  refusal: CredentialRefusal,
): Promise<OutboundCredential | undefined> | undefined {
  return 'renew' in credential ? credential.renew?.(refusal) : undefined;
}

/** Whoever showed something, or could have, is told that it was refused; to everybody else this is an answer like any other. */
function settle(
  credential: OutboundCredential,
  { reply, given }: { readonly reply: HttpReply; readonly given: OutboundCredential },
): HttpReply {
  if (credential.kind === 'none' && credential.renew === undefined) return reply;
  throw new CredentialTrouble({ kind: 'refused', given, status: reply.status });
}

/** A refusal of what was shown. A stream is none, and nor is a 403 for other reasons than scopes. */
function refusalOf(reply: HttpReply): CredentialRefusal | undefined {
  const { status, stream } = reply;
  if (stream !== undefined || (status !== 401 && status !== 403)) return undefined;
  const challenge = [reply.headers['www-authenticate'] ?? []].flat().join(', ');
  if (status === 403 && !/\binsufficient_scope\b/.test(challenge)) return undefined;
  const nonce = headerOf(reply, 'dpop-nonce');
  return { status, ...(challenge !== '' && { challenge }), ...(nonce !== undefined && { nonce }) };
}

function isNonceWanted({ nonce, challenge = '' }: CredentialRefusal): boolean {
  return nonce !== undefined && /\buse_dpop_nonce\b/.test(challenge);
}
