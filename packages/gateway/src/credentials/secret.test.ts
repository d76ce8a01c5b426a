import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { readPrivateFile } from '../secrets/private-file.ts';
import { createReadSecret, secretPlaces } from './secret.ts';

it('reads secrets anew each time, without blanks around them, and from no file that others may read', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sp-secret-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'token');
  const env: Record<string, string> = { KEY: ' of-the-environment\n', EMPTY: ' ' };
  const read = createReadSecret({ readFile: readPrivateFile, env });
  writeFileSync(file, 'first\n', { mode: 0o600 });
  expect(read({ file })).toBe('first');
  writeFileSync(file, 'second');
  expect(read({ file })).toBe('second');
  expect(read({ env: 'KEY' })).toBe('of-the-environment');
  expect(() => read({ env: 'EMPTY' })).toThrow('there is no secret in the variable EMPTY');
  expect(() => read({ file: join(folder, 'none') })).toThrow('none');
  chmodSync(file, 0o644);
  expect(() => read({ file })).toThrow('chmod 600');
});

it('finds every secret that settings name', () => {
  const places = secretPlaces({
    ...{ kind: 'cross-app', client: { id: 'a', secret: { file: '/a' } }, allow: { loopback: false, ranges: [] } },
    provider: { issuer: 'https://x', client: { id: 'b', key: { env: 'B' } } },
    subject: { kind: 'token', token: { file: '/c' }, type: 't' },
  });
  expect(places).toEqual([{ file: '/a' }, { env: 'B' }, { file: '/c' }]);
});
