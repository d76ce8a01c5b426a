import { compilePattern } from '@sallyport/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compileOverrides } from './patterns.ts';

test.each([
  ['posts.*', 'posts.PostService.Create', true],
  ['posts.*', 'postsX.PostService.Create', false],
  ['posts.*', 'posts', false],
  ['*.Delete', 'posts.PostService.Delete', true],
  ['*.Delete', 'posts.PostService.DeleteAll', false],
  ['posts.PostService.*', 'posts.PostService.Create', true],
  ['posts.PostService.Create', 'posts.PostService.Create', true],
  ['posts.PostService.Create', 'posts.PostService.create', false],
  ['*', 'anything', true],
  ['*', '', true],
  ['a*a', 'a', false],
  ['a*a', 'aa', true],
  ['*ab*ab*', 'ab', false],
  ['*ab*ab*', 'xababx', true],
  ['**', 'x', true],
  ['a.b', 'axb', false],
  ['', '', true],
  ['', 'x', false],
])('%s and %s: %s', (pattern, name, matches) => {
  expect(compilePattern(pattern)(name)).toBe(matches);
});

/** The definition, slow and obvious. */
function matches(pattern: string, name: string): boolean {
  if (pattern === '') return name === '';
  if (pattern[0] === '*')
    return Array.from({ length: name.length + 1 }).some((_, cut) => matches(pattern.slice(1), name.slice(cut)));
  return name[0] === pattern[0] && name !== '' && matches(pattern.slice(1), name.slice(1));
}

test('it is the same as the definition', () => {
  const word = (letters: string[], maxLength: number) =>
    fc.array(fc.constantFrom(...letters), { maxLength }).map((all) => all.join(''));
  fc.assert(
    fc.property(word(['a', 'b', '.', '*'], 7), word(['a', 'b', '.', '*'], 9), (pattern, name) => {
      expect(compilePattern(pattern)(name)).toBe(matches(pattern, name));
    }),
    { numRuns: 3000 },
  );
});

test('of overrides that match, later ones win, key by key', () => {
  const overrideFor = compileOverrides<{ pattern: string; scopes?: string[]; internal?: boolean; timeoutMs?: number }>([
    { pattern: 'posts.*', scopes: ['posts:read'], timeoutMs: 1000 },
    { pattern: '*.Delete', scopes: ['admin'], internal: true },
    { pattern: 'users.*', timeoutMs: 5 },
  ]);
  expect(overrideFor('posts.PostService.Delete')).toEqual({ scopes: ['admin'], internal: true, timeoutMs: 1000 });
  expect(overrideFor('comments.X.Y')).toEqual({});
});
