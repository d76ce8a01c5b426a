import assert from 'node:assert/strict';
import { test } from 'node:test';
import { __variable__ } from '../src/service.ts';

test('greets by name', async () => {
  const answer = await __variable__.invoke('__handler__.Greet', { name: 'Ada' });
  assert.deepEqual(answer, { greeting: 'Hello, Ada!' });
});

test('refuses an empty name', async () => {
  await assert.rejects(__variable__.invoke('__handler__.Greet', { name: '' }), { code: 'invalid_argument' });
});
