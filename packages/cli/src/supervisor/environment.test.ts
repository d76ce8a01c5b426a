import fc from 'fast-check';
import { expect, test } from 'vitest';
import { childEnvironment } from './environment.ts';

test('a secret in our own environment does not reach a service', () => {
  const env = childEnvironment({
    own: { PATH: '/bin', AWS_SECRET_ACCESS_KEY: 'hush', SALLYPORT_TOKEN: 'hush', NODE_OPTIONS: '--require evil' },
    given: { SALLYPORT_HOP: 'unix:/hop' },
  });
  expect(env).toEqual({ PATH: '/bin', SALLYPORT_HOP: 'unix:/hop' });
});

test('what the configuration declares passes, and what we give wins over it', () => {
  const env = childEnvironment({
    own: {},
    declared: { MODE: 'test', SALLYPORT_HOP: 'forged' },
    given: { SALLYPORT_HOP: 'real' },
  });
  expect(env).toEqual({ MODE: 'test', SALLYPORT_HOP: 'real' });
});

test('whatever our environment holds, only harmless names pass', () => {
  const harmless = new Set(['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR', 'SystemRoot']);
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.string()), (own) => {
      for (const name of Object.keys(childEnvironment({ own, given: {} }))) expect(harmless.has(name)).toBe(true);
    }),
  );
});
