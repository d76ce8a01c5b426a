import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { __variable__ } from '../src/service.ts';

const found = z.object({ entries: z.array(z.object({ id: z.string() })) });

test('an entry can be read', async () => {
  const { id } = z.object({ id: z.string() }).parse(await __variable__.invoke('__handler__.Get', { id: 'welcome' }));
  assert.equal(id, 'welcome');
});

test('entries are found by their words', async () => {
  const { entries } = found.parse(await __variable__.invoke('__handler__.Search', { words: 'SCOPES caller' }));
  assert.deepEqual(
    entries.map((entry) => entry.id),
    ['scopes'],
  );
});

test('an entry that does not exist is not found', async () => {
  await assert.rejects(__variable__.invoke('__handler__.Get', { id: 'nowhere' }), { code: 'not_found' });
});

test('every tool says that it only reads', async () => {
  const { tools } = await __variable__.manifest();
  for (const tool of tools) assert.equal(tool.sideEffect, 'read');
});
