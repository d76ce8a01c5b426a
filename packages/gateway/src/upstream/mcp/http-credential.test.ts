import type { CredentialRefusal, OutboundCredential } from '@sallyport/core';
import { GatewayError } from '@sallyport/core';
import { describe, expect, it } from 'vitest';
import { CredentialTrouble } from '../credential-trouble.ts';
import { withCredentials } from './http-credential.ts';
import type { HttpEndpoint, HttpReply, HttpRequest } from './http-endpoint.ts';

type Answer = (request: HttpRequest, count: number) => Partial<HttpReply>;

/** An endpoint that answers as it is told, and all that was sent to it. */
function endpoint(answer: Answer): { readonly showing: HttpEndpoint; readonly sent: HttpRequest[] } {
  const sent: HttpRequest[] = [];
  const inner: HttpEndpoint = {
    url: new URL('https://tickets.example/mcp?x=1'),
    nextId: () => 1,
    async send(request) {
      sent.push(request);
      return { status: 200, headers: {}, body: '', ...answer(request, sent.length) };
    },
  };
  return { showing: withCredentials(inner), sent };
}

const { signal } = new AbortController();
const post = (credential: OutboundCredential): HttpRequest => ({
  method: 'POST',
  headers: { a: 'b' },
  credential,
  signal,
});
const refusing = (status: number, challenge?: string): Partial<HttpReply> => ({
  status,
  headers: challenge === undefined ? {} : { 'www-authenticate': challenge },
});

/** A credential whose renewals count up, and what they were told. */
function renewable(most = 9): { readonly first: OutboundCredential; readonly refusals: CredentialRefusal[] } {
  const refusals: CredentialRefusal[] = [];
  const make = (count: number): OutboundCredential => ({
    kind: 'bearer',
    token: `t${count}`,
    renew: async (refusal) => {
      refusals.push(refusal);
      return count >= most ? undefined : make(count + 1);
    },
  });
  return { first: make(0), refusals };
}

const trouble = (work: Promise<unknown>): Promise<CredentialTrouble['trouble'] | undefined> =>
  work.then(
    () => undefined,
    (error: unknown) => (error instanceof CredentialTrouble ? error.trouble : Promise.reject(error)),
  );

describe('a request with a credential', () => {
  it.each<[credential: OutboundCredential, headers: object]>([
    [{ kind: 'none' }, { a: 'b' }],
    [
      { kind: 'bearer', token: 't' },
      { a: 'b', authorization: 'Bearer t' },
    ],
    [
      { kind: 'header', name: 'X-Key', value: 'v' },
      { a: 'b', 'x-key': 'v' },
    ],
    [
      { kind: 'deferred', find: async () => ({ kind: 'bearer', token: 'd' }) },
      { a: 'b', authorization: 'Bearer d' },
    ],
  ])('%o shows it', async (credential, headers) => {
    const { showing, sent } = endpoint(() => ({}));
    await showing.send(post(credential));
    expect(sent.map((request) => request.headers)).toEqual([headers]);
  });

  it('is made again with another one when it was refused, and later ones begin with that', async () => {
    const { showing, sent } = endpoint(({ headers }) => (headers.authorization === 'Bearer t0' ? refusing(401) : {}));
    const { first } = renewable();
    for (let round = 0; round < 2; round++) expect((await showing.send(post(first))).status).toBe(200);
    expect(sent.map(({ headers }) => headers.authorization)).toEqual(['Bearer t0', 'Bearer t1', 'Bearer t1']);
  });

  it('is not made for ever', async () => {
    const { showing, sent } = endpoint(() => refusing(401));
    const { first, refusals } = renewable();
    expect(await trouble(showing.send(post(first)))).toMatchObject({ kind: 'refused', status: 401, given: first });
    expect([sent.length, refusals.length]).toEqual([2, 1]);
  });

  it.each<[what: string, reply: Partial<HttpReply>]>([
    ['a 403 for other reasons', refusing(403, 'Bearer error="invalid_request"')],
    ['a failure', refusing(500)],
    ['a redirect', { status: 307, headers: { location: 'https://elsewhere.example/' } }],
    ['a stream, whatever its status', { ...refusing(401), stream: 'closed' }],
  ])('is not made again for %s', async (_, reply) => {
    const { showing, sent } = endpoint(() => reply);
    expect((await showing.send(post(renewable().first))).status).toBe(reply.status);
    expect(sent).toHaveLength(1);
  });

  it('tells the one who renews what the server said', async () => {
    const { showing } = endpoint((_, count) =>
      count === 1
        ? { status: 403, headers: { 'www-authenticate': ['Basic', 'Bearer error="insufficient_scope"'] } }
        : {},
    );
    const { first, refusals } = renewable();
    await showing.send(post(first));
    expect(refusals).toEqual([{ status: 403, challenge: 'Basic, Bearer error="insufficient_scope"' }]);
  });

  it('says whose consent is missing', async () => {
    const consent: OutboundCredential = { kind: 'consent', url: 'https://gate.example/c', message: 'agree' };
    const { showing } = endpoint(() => refusing(401));
    const given: OutboundCredential = { kind: 'none', renew: async () => consent };
    expect(await trouble(showing.send(post(given)))).toEqual({ kind: 'consent', given, consent });
  });

  it('says whose credential cannot be had', async () => {
    const error = new GatewayError('credential_unavailable');
    const given: OutboundCredential = { kind: 'deferred', find: () => Promise.reject(error) };
    const { showing, sent } = endpoint(() => ({}));
    expect(await trouble(showing.send(post(given)))).toEqual({ kind: 'missing', given, error });
    expect(sent).toEqual([]);
  });

  it('is an answer like any other where nothing could have been shown', async () => {
    const { showing } = endpoint(() => refusing(401));
    expect((await showing.send(post({ kind: 'none' }))).status).toBe(401);
  });

  it('is not made again once its caller has gone', async () => {
    const gone = new AbortController();
    const { showing, sent } = endpoint(() => {
      gone.abort(new Error('gone'));
      return refusing(401);
    });
    const request = { ...post(renewable().first), signal: gone.signal };
    await expect(showing.send(request)).rejects.toThrow('gone');
    expect(sent).toHaveLength(1);
  });

  it('has a proof of its own each time, with the nonce that the server wants', async () => {
    const proven: object[] = [];
    let nonce = 'none';
    const credential: OutboundCredential = {
      kind: 'dpop',
      token: 't',
      prove: async (request) => {
        proven.push(request);
        return `proof-${proven.length}-${nonce}`;
      },
      onNonce: (next) => {
        nonce = next;
      },
    };
    const { showing, sent } = endpoint((_, count) =>
      count === 1
        ? { status: 401, headers: { 'www-authenticate': 'DPoP error="use_dpop_nonce"', 'dpop-nonce': 'n1' } }
        : { headers: { 'dpop-nonce': 'n2' } },
    );
    await showing.send(post(credential));
    await showing.send(post(credential));
    expect(sent.map(({ headers }) => [headers.authorization, headers.dpop])).toEqual([
      ['DPoP t', 'proof-1-none'],
      ['DPoP t', 'proof-2-n1'],
      ['DPoP t', 'proof-3-n2'],
    ]);
    expect(proven[0]).toEqual({ method: 'POST', url: 'https://tickets.example/mcp?x=1' });
  });
});
