import { type ErrorDetails, GatewayError, type Reason } from '@sallyport/core';
import { expect, it } from 'vitest';
import { refusalAnswer, toTokenRefusal } from './refusal.ts';

it.each<[Reason, ErrorDetails, number, string]>([
  ['invalid_input', { issues: ['/authorization_details/0/calls: x'] }, 400, 'invalid_authorization_details'],
  ['invalid_input', { issues: ['/scope: x'] }, 400, 'invalid_scope'],
  ['invalid_input', { issues: ['/scopes: x'] }, 400, 'invalid_request'],
  ['invalid_input', { issues: ['/resource: x'] }, 400, 'invalid_target'],
  ['invalid_input', { issues: ['/actor_token: x'] }, 400, 'invalid_request'],
  ['malformed_request', {}, 400, 'invalid_request'],
  ['payload_too_large', {}, 413, 'invalid_request'],
  ['credential_missing', {}, 400, 'invalid_request'],
  ['credential_revoked', {}, 400, 'invalid_request'],
  ['proof_invalid', {}, 400, 'invalid_dpop_proof'],
  ['proof_nonce', {}, 400, 'use_dpop_nonce'],
  ['origin_refused', {}, 403, 'invalid_request'],
  ['rate_limited', { retryAfterMs: 1_500 }, 429, 'temporarily_unavailable'],
  ['peer_limited', { retryAfterMs: 10 }, 429, 'temporarily_unavailable'],
  ['issuer_unavailable', {}, 503, 'temporarily_unavailable'],
  ['audit_unavailable', {}, 503, 'temporarily_unavailable'],
  ['internal', {}, 500, 'server_error'],
])('%s %j is %d %s', (reason, details, status, error) => {
  const answer = refusalAnswer(toTokenRefusal(new GatewayError(reason, details, { cause: 'secret' })));
  expect([answer.status, answer.body.error]).toEqual([status, error]);
  expect(answer.headers).toMatchObject({ 'Cache-Control': 'no-store', Pragma: 'no-cache' });
  expect(answer.headers['Retry-After']).toBe(
    details.retryAfterMs === undefined ? undefined : String(Math.ceil(details.retryAfterMs / 1000)),
  );
  expect(JSON.stringify(answer)).not.toContain('secret');
});

it('says nothing that OAuth has no room for', () => {
  const { body } = refusalAnswer({ error: 'invalid_scope', description: 'scope: "pösts" \\ \n' });
  expect(body.error_description).toMatch(/^[\x20\x21\x23-\x5b\x5d-\x7e]+$/);
});
