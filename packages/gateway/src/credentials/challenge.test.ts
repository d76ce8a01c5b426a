import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readChallenge } from './challenge.ts';

describe('a challenge', () => {
  it.each<[header: string | undefined, read: object]>([
    [undefined, { schemes: [] }],
    ['', { schemes: [] }],
    ['Bearer', { schemes: ['bearer'] }],
    ['Basic realm="x"', { schemes: ['basic'] }],
    [
      'Bearer error="insufficient_scope", scope="a b  b", resource_metadata="https://h/x?y=1"',
      {
        schemes: ['bearer'],
        error: 'insufficient_scope',
        scopes: ['a', 'b'],
        resourceMetadata: 'https://h/x?y=1',
      },
    ],
    ['DPoP algs="ES256", error="use_dpop_nonce"', { schemes: ['dpop'], error: 'use_dpop_nonce' }],
    ['Basic realm="scope=x", Bearer scope="a"', { schemes: ['basic', 'bearer'], scopes: ['a'] }],
    ['bearer SCOPE=a, Error=invalid_token', { schemes: ['bearer'], scopes: ['a'], error: 'invalid_token' }],
    ['Bearer error="a\\"b"', { schemes: ['bearer'], error: 'a"b' }],
    ['Basic scope="not-oauth"', { schemes: ['basic'] }],
    [`Bearer scope="${'x'.repeat(9_000)}"`, { schemes: [] }],
  ])('%s is read', (header, read) => {
    expect(readChallenge(header)).toEqual(read);
  });

  it('of any text is read in time, and without an error', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 8_192, unit: 'binary-ascii' }), (text) => {
        expect(Array.isArray(readChallenge(text).schemes)).toBe(true);
      }),
    );
  });
});
