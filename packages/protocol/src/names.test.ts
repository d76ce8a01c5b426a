import fc from 'fast-check';
import { expect, it } from 'vitest';
import { aliasOf, isToolName } from './names.ts';

it('replaces what strict clients do not allow', () => {
  expect(aliasOf('posts.PostService.Create')).toBe('posts_PostService_Create');
});

it('gives every name an alias that strict clients take', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[A-Za-z0-9_.-]{1,128}$/), (name) => {
      expect(isToolName(name)).toBe(true);
      expect(aliasOf(name)).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
    }),
  );
});

it('keeps long names apart that differ only at the end', () => {
  const long = 'service.'.padEnd(120, 'x');
  expect(aliasOf(`${long}1`)).not.toBe(aliasOf(`${long}2`));
});

it.each(['', 'a b', 'a/b', 'é', 'x'.repeat(129)])('does not take %j as the name of a tool', (name) => {
  expect(isToolName(name)).toBe(false);
});
