import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { __variable__ } from '../src/service.ts';

const withId = z.object({ id: z.string() });

test('an item can be created, read, changed, listed and deleted', async () => {
  const { id } = withId.parse(await __variable__.invoke('__handler__.Create', { title: 'Buy milk' }));
  await __variable__.invoke('__handler__.Update', { id, done: true });
  assert.deepEqual(await __variable__.invoke('__handler__.Get', { id }), { id, title: 'Buy milk', done: true });
  assert.deepEqual(await __variable__.invoke('__handler__.List', {}), {
    items: [{ id, title: 'Buy milk', done: true }],
  });
  assert.deepEqual(await __variable__.invoke('__handler__.Delete', { id }), { deleted: true });
});

test('an item that does not exist is not found', async () => {
  await assert.rejects(__variable__.invoke('__handler__.Get', { id: 'nowhere' }), { code: 'not_found' });
});

test('a title may not be empty', async () => {
  await assert.rejects(__variable__.invoke('__handler__.Create', { title: '' }), { code: 'invalid_argument' });
});

test('deleting takes a scope of its own', async () => {
  const { tools } = await __variable__.manifest();
  assert.deepEqual(tools.find((tool) => tool.name === '__handler__.Delete')?.scopes, ['__name__:admin']);
});
