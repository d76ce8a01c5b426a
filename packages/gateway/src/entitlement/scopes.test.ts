import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { scopeCovers, scopesSatisfy } from './scopes.ts';

describe('scopes', () => {
  it.each([
    ['posts:read', 'posts:read', true],
    ['posts:read', 'posts:write', false],
    ['posts:*', 'posts:write', true],
    ['posts:*', 'posts', false],
    ['posts:*', 'postscript:write', false],
    ['*', 'posts:write', true],
    ['*', 'admin:tokens', false],
    ['admin:*', 'admin:tokens', true],
    ['admin:*', 'posts:write', false],
    ['Posts:read', 'posts:read', false],
    ['', 'posts:read', false],
    [':*', 'posts:read', false],
  ])('%s covers %s: %s', (held, needed, covers) => {
    expect(scopeCovers(held, needed)).toBe(covers);
  });

  it('any one of several is enough, and a tool that needs none lets everyone in', () => {
    expect(scopesSatisfy(['b'], ['a', 'b'])).toBe(true);
    expect(scopesSatisfy(['c'], ['a', 'b'])).toBe(false);
    expect(scopesSatisfy([], [])).toBe(true);
    expect(scopesSatisfy([], ['a'])).toBe(false);
  });

  it('holding more scopes never opens less', () => {
    const scope = fc.constantFrom('a:x', 'a:y', 'b:x', 'a:*', '*', 'admin:x', 'admin:*');
    fc.assert(
      fc.property(fc.array(scope), fc.array(scope), scope, (held, needed, more) => {
        fc.pre(scopesSatisfy(held, needed));
        expect(scopesSatisfy([...held, more], needed)).toBe(true);
      }),
    );
  });
});
