import { createSecretKey, randomBytes } from 'node:crypto';
import { GatewayError, type HttpRequestFacts } from '@sallyport/core';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT } from 'jose';
import { beforeEach, describe, expect, it } from 'vitest';
import { createProofCheck, type ProofCheck } from './dpop.ts';
import { createNonces } from './dpop-nonce.ts';
import { createReplayMemory } from './dpop-replay.ts';
import { defaultDpop } from './settings.ts';

let nowMs: number;
let maxRemembered: number;
let checks: ProofCheck;
const { publicKey, privateKey } = await generateKeyPair('ES256');
const jwk = await exportJWK(publicKey);
const jkt = await calculateJwkThumbprint(jwk);
const nonces = createNonces({ key: createSecretKey(randomBytes(32)), nowMs: () => nowMs });

beforeEach(() => {
  nowMs = 1_800_000_000_000;
  maxRemembered = 1000;
  const replay = createReplayMemory({ nowMs: () => nowMs, maxRemembered: () => maxRemembered });
  checks = createProofCheck({ nowMs: () => nowMs, replay, nonces });
});

async function prove(claims: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const usual = { jti: crypto.randomUUID(), htm: 'POST', htu: 'https://gate.example/mcp', iat: nowMs / 1000, ath: 'h' };
  return new SignJWT({ ...usual, ...claims })
    .setProtectedHeader({ typ: 'dpop+jwt', alg: 'ES256', jwk })
    .sign(privateKey);
}

const request = (proof: string, path = '/mcp'): HttpRequestFacts => ({ method: 'POST', path, proofs: [proof] });

function check(http: HttpRequestFacts, changes: { tokenHash?: string; publicUrl?: string } = {}): Promise<string> {
  const possession = {
    http,
    tokenHash: 'h',
    jkt,
    publicUrl: 'https://gate.example',
    settings: defaultDpop,
    ...changes,
  };
  return checks.check(possession).then(
    () => 'ok',
    (error: unknown) => (error instanceof GatewayError ? error.reason : String(error)),
  );
}

describe('a proof', () => {
  it('is good once', async () => {
    const proof = await prove();
    expect(await check(request(proof))).toBe('ok');
    expect(await check(request(proof))).toBe('proof_invalid');
  });

  it('is good for all messages of one request, at the same time and hours later', async () => {
    const http = request(await prove());
    expect(await Promise.all([check(http), check(http), check(http)])).toEqual(['ok', 'ok', 'ok']);
    nowMs += 7_200_000;
    expect(await check(http)).toBe('ok');
  });

  it('is not good for another token in the same request', async () => {
    const http = request(await prove());
    expect(await check(http)).toBe('ok');
    expect(await check(http, { tokenHash: 'other' })).toBe('proof_invalid');
    expect(await check(http)).toBe('ok');
  });

  it('that was refused once is refused for the whole request', async () => {
    const http = request(await prove({ htm: 'GET' }));
    expect(await Promise.all([check(http), check(http)])).toEqual(['proof_invalid', 'proof_invalid']);
  });

  it('is known again as long as it could be good, and a clock that is set does not change that', async () => {
    const proof = await prove();
    expect(await check(request(proof))).toBe('ok');
    for (const ms of [60_000, 120_000, 100_000]) {
      nowMs += ms;
      expect(await check(request(proof))).toBe('proof_invalid');
      expect(await check(request(await prove()))).toBe('ok');
    }
  });

  it.each([
    [-300, 'ok'],
    [-301, 'proof_invalid'],
    [300, 'ok'],
    [301, 'proof_invalid'],
  ])('that is dated %i seconds from now is %s', async (seconds, expected) => {
    expect(await check(request(await prove({ iat: nowMs / 1000 + seconds })))).toBe(expected);
  });

  it('that is dated ahead is known again for as long as it is good', async () => {
    const proof = await prove({ iat: nowMs / 1000 + 300 });
    expect(await check(request(proof))).toBe('ok');
    for (const ms of [120_000, 240_000, 240_000, 1_000]) {
      nowMs += ms;
      expect(await check(request(proof))).toBe('proof_invalid');
      expect(await check(request(await prove()))).toBe('ok');
    }
  });

  it.each([
    ['https://gate.example/mcp?x=1', 'ok'],
    ['https://gate.example/mcp#x', 'ok'],
    ['HTTPS://GATE.example:443/mcp', 'ok'],
    ['https://gate.example/%6dcp', 'ok'],
    ['https://gate.example/x/../mcp', 'ok'],
    ['https://gate.example/MCP', 'proof_invalid'],
    ['https://gate.example/mcp/', 'proof_invalid'],
    ['https://gate.example:8443/mcp', 'proof_invalid'],
    ['wss://gate.example/mcp', 'proof_invalid'],
    ['not a URL', 'proof_invalid'],
  ])('for %s: %s', async (htu, outcome) => {
    expect(await check(request(await prove({ htu })))).toBe(outcome);
  });

  it('is judged by the public address, below its path, and by nothing where there is none', async () => {
    const proof = await prove({ htu: 'https://gate.example/ai/mcp' });
    expect(await check(request(proof), { publicUrl: 'https://gate.example/ai/' })).toBe('ok');
    const other = await prove();
    expect(await check(request(other), { publicUrl: undefined as never })).toBe('proof_invalid');
  });
});

describe('the memory of proofs', () => {
  it('refuses when it is full, rather than forget', async () => {
    maxRemembered = 3;
    const proofs = await Promise.all([prove(), prove(), prove(), prove()]);
    const outcomes: string[] = [];
    for (const proof of proofs) outcomes.push(await check(request(proof)));
    expect(outcomes).toEqual(['ok', 'ok', 'ok', 'rate_limited']);
    nowMs += 3_600_000;
    expect(await check(request(await prove()))).toBe('ok');
  });
});

describe('a nonce', () => {
  it('is good for this period and the next, and only from this key', () => {
    const nonce = nonces.current();
    expect(nonces.isGood(nonce)).toBe(true);
    nowMs += 120_000;
    expect(nonces.isGood(nonce)).toBe(true);
    expect(nonces.current()).not.toBe(nonce);
    nowMs += 120_000;
    expect(nonces.isGood(nonce)).toBe(false);
    const other = createNonces({ key: createSecretKey(randomBytes(32)), nowMs: () => nowMs });
    expect(nonces.isGood(other.current())).toBe(false);
    expect(['', 'x', 'x'.repeat(1000), 'ü'.repeat(32)].map(nonces.isGood)).toEqual([false, false, false, false]);
  });
});
