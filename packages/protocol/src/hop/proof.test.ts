import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { expect, test } from 'vitest';
import { createAcceptor, createDialer, type HopCredential, type ProofCrypto, proofText } from './proof.ts';

const crypto: ProofCrypto = {
  nonce: () => randomBytes(32).toString('base64url'),
  mac: (key, text) => createHmac('sha256', Buffer.from(key, 'base64url')).update(text).digest('base64url'),
  equal: (a, b) => a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b)),
};
const posts: HopCredential = { id: 'posts', service: 'posts', key: crypto.nonce() };
const find = (id: string) => (id === posts.id ? posts : undefined);

test('two sides with the same key believe each other', () => {
  const acceptor = createAcceptor(crypto, find);
  const dialer = createDialer(crypto, posts);
  const prove = dialer.answer(acceptor.challenge.trim());
  const { reply, credential } = acceptor.accept(prove ?? '');
  expect(credential).toBe(posts);
  expect(dialer.verify(reply.trim())).toBe(true);
});

test.each([
  ['a wrong key', { id: 'posts', key: crypto.nonce() }],
  ['an unknown credential', { id: 'users', key: posts.key }],
])('%s is refused with the same words', (_, credential) => {
  const acceptor = createAcceptor(crypto, find);
  const answer = acceptor.accept(createDialer(crypto, credential).answer(acceptor.challenge) ?? '');
  expect(answer).toEqual({
    reply: '{"jsonrpc":"2.0","id":0,"error":{"code":401,"message":"The proof is not valid."}}\n',
  });
});

test('a proof of another connection, a second try, and the own proof reflected are refused', () => {
  const first = createAcceptor(crypto, find);
  const dialer = createDialer(crypto, posts);
  const prove = dialer.answer(first.challenge) ?? '';
  expect(createAcceptor(crypto, find).accept(prove).credential).toBeUndefined();
  first.accept('{}');
  expect(first.accept(prove).credential).toBeUndefined();
  const proof = JSON.parse(prove).params.proof;
  expect(dialer.verify(`{"jsonrpc":"2.0","id":0,"result":{"proof":"${proof}"}}`)).toBe(false);
});

test('a dialer believes no acceptor that proves nothing, and answers no other version', () => {
  const acceptor = createAcceptor(crypto, find);
  const dialer = createDialer(crypto, posts);
  expect(dialer.verify('{"jsonrpc":"2.0","id":0,"result":{}}')).toBe(false);
  expect(dialer.answer(acceptor.challenge.replace('"hop":1', '"hop":2'))).toBeUndefined();
  dialer.answer(acceptor.challenge);
  expect(dialer.verify('{"jsonrpc":"2.0","id":0,"result":not json}')).toBe(false);
  expect(dialer.verify('{"jsonrpc":"2.0","id":0,"result":{}}')).toBe(false);
});

test('the signed text is fixed', () => {
  expect(proofText('dialer', 'A', 'B')).toBe('sallyport-hop-1\ndialer\nA\nB');
});
