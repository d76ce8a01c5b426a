import { pino } from 'pino';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { z } from 'zod';
import { service, ToolError } from '../index.ts';

const log = pino({ level: 'silent' });
const create = () => service('library', { version: '1.0.0', log });
const about = { description: 'For tests.' };

describe('prompts', () => {
  const args = {
    title: { required: true, complete: (value: string) => ['Walden', 'Ulysses'].filter((t) => t.startsWith(value)) },
    tone: { description: 'Short or long.' },
  } as const;

  test('get their arguments typed, and give messages', async () => {
    const library = create()
      .prompt('review', { ...about, arguments: args }, ({ title, tone }, ctx) => {
        expectTypeOf(title).toEqualTypeOf<string>();
        expectTypeOf(tone).toEqualTypeOf<string | undefined>();
        expect(ctx.prompt).toBe('review');
        return `Review ${title} (${tone ?? 'as you like'}).`;
      })
      .prompt('chat', about, () => ({
        description: 'A chat.',
        messages: [
          { role: 'user', content: { type: 'image', data: '', mimeType: 'image/png' } },
          { role: 'assistant', content: 'A cat.' },
        ],
      }));
    const get = (name: string, given: object = {}) => library.request('prompts/get', { name, arguments: given });
    expect(await get('review', { title: 'Walden', unknown: 'x' })).toEqual({
      messages: [{ role: 'user', content: { type: 'text', text: 'Review Walden (as you like).' } }],
    });
    expect(await get('chat')).toEqual({
      description: 'A chat.',
      messages: [
        { role: 'user', content: { type: 'image', data: '', mimeType: 'image/png' } },
        { role: 'assistant', content: { type: 'text', text: 'A cat.' } },
      ],
    });
    await expect(get('review')).rejects.toThrow('The argument title is missing.');
    await expect(get('review', { title: 7 })).rejects.toThrow('texts');
    await expect(get('nothing')).rejects.toThrow('Unknown prompt.');
    await expect(library.request('tools/call', { name: 'review', arguments: {} })).rejects.toThrow('Unknown tool.');
  });

  test('complete what they say they can, and nothing else', async () => {
    const library = create()
      .prompt('review', { ...about, arguments: args }, () => '')
      .prompt(
        'many',
        {
          ...about,
          arguments: {
            n: {
              complete: (_, { arguments: before }) => Array.from({ length: Number(before.count) }, (_, i) => `${i}`),
            },
          },
        },
        () => '',
      );
    const complete = (ref: object, name: string, value: string, context?: object) =>
      library.request('completion/complete', { ref, argument: { name, value }, ...(context && { context }) });
    const review = { type: 'ref/prompt', name: 'review' };
    expect(await complete(review, 'title', 'Wal')).toEqual({
      completion: { values: ['Walden'], total: 1, hasMore: false },
    });
    expect(await complete(review, 'tone', '')).toEqual({ completion: { values: [], total: 0, hasMore: false } });
    const many = await complete({ type: 'ref/prompt', name: 'many' }, 'n', '', { arguments: { count: '150' } });
    expect(many).toMatchObject({ completion: { total: 150, hasMore: true } });
    expect((many as any).completion.values).toHaveLength(100);
    await expect(complete({ type: 'ref/prompt', name: 'x' }, 'n', '')).rejects.toThrow('Unknown reference.');
  });
});

describe('resources', () => {
  test('give text, bytes and pieces', async () => {
    const library = create()
      .resource('library://rules', { name: 'Rules', mimeType: 'text/markdown', ...about }, () => '# Quiet')
      .resource('library://logo', { name: 'Logo', mimeType: 'image/png', ...about }, () => Uint8Array.of(1, 2, 3))
      .resource('library://all', { name: 'All', ...about }, ({ uri }) => [
        { content: 'a', uri: `${uri}/a`, mimeType: 'text/plain' },
        { content: Uint8Array.of(255) },
      ]);
    const read = (uri: string) => library.request('resources/read', { uri });
    expect(await read('library://rules')).toEqual({
      contents: [{ uri: 'library://rules', mimeType: 'text/markdown', text: '# Quiet' }],
    });
    expect(await read('library://logo')).toEqual({
      contents: [{ uri: 'library://logo', mimeType: 'image/png', blob: 'AQID' }],
    });
    expect(await read('library://all')).toEqual({
      contents: [
        { uri: 'library://all/a', mimeType: 'text/plain', text: 'a' },
        { uri: 'library://all', blob: '/w==' },
      ],
    });
    await expect(read('library://nothing')).rejects.toMatchObject({ message: 'Unknown resource.' });
  });

  test('of a family get their variables, typed by the template; a single one comes first', async () => {
    const library = create()
      .resourceTemplate(
        'library://books/{id}/pages/{page}',
        { name: 'Page', ...about, complete: { id: async () => ['b1'] } },
        ({ id, page }, { uri }) => {
          expectTypeOf(id).toEqualTypeOf<string>();
          if (id === 'secret') throw new ToolError('not_found', 'No such book.');
          if (id === 'broken') throw new Error('password');
          return `${uri}: ${page} of ${id}`;
        },
      )
      .resource('library://books/b1/pages/1', { name: 'First', ...about }, () => 'the first');
    const read = (uri: string) => library.request('resources/read', { uri });
    expect(await read('library://books/b%2F1/pages/2')).toMatchObject({
      contents: [{ text: 'library://books/b%2F1/pages/2: 2 of b/1' }],
    });
    expect(await read('library://books/b1/pages/1')).toMatchObject({ contents: [{ text: 'the first' }] });
    await expect(read('library://books/secret/pages/1')).rejects.toThrow('No such book.');
    await expect(read('library://books/broken/pages/1')).rejects.toThrow('The tool failed.');
    const ref = { type: 'ref/resource', uri: 'library://books/{id}/pages/{page}' };
    expect(await library.request('completion/complete', { ref, argument: { name: 'id', value: '' } })).toMatchObject({
      completion: { values: ['b1'] },
    });
  });
});

test('a resource is read by the template that the gateway decides by, or not at all', async () => {
  const library = create()
    .resourceTemplate('library://books/{id}', { name: 'Book', ...about }, ({ id }) => `book ${id}`)
    .resourceTemplate('library://{a}/{b}/s', { name: 'Secret', ...about, scopes: ['admin'] }, () => 'secret');
  expect(await library.request('resources/read', { uri: 'library://books/1' })).toMatchObject({
    contents: [{ text: 'book 1' }],
  });
  expect(await library.request('resources/read', { uri: 'library://x/1/s' })).toMatchObject({
    contents: [{ text: 'secret' }],
  });
  // For the gateway this is a book: it asks for no scope.
  await expect(library.request('resources/read', { uri: 'library://books/1/s' })).rejects.toThrow('Unknown resource.');
});

describe('definitions', () => {
  test('are announced with what callers must know, sorted, and without functions', async () => {
    const library = create()
      .resource('library://z', { name: 'Z', ...about, subscribe: true, scopes: ['a:b'] }, () => '')
      .resource('library://a', { name: 'A', ...about }, () => '')
      .resourceTemplate('library://t/{id}', { name: 'T', ...about, complete: { id: () => [] } }, () => '')
      .prompt('p', { ...about, arguments: { x: { required: true, complete: () => [] } } }, () => '');
    expect(await library.manifest()).toEqual({
      service: 'library',
      version: '1.0.0',
      tools: [],
      prompts: [{ name: 'p', ...about, arguments: [{ name: 'x', required: true }] }],
      resources: [
        { uri: 'library://a', name: 'A', ...about },
        { uri: 'library://z', name: 'Z', ...about, scopes: ['a:b'] },
      ],
      templates: [{ uriTemplate: 'library://t/{id}', name: 'T', ...about }],
      mcp: { capabilities: { prompts: {}, resources: { subscribe: true }, completions: {}, logging: {} } },
    });
    const plain = create().tool('A.B', { ...about, input: z.object({}) }, () => 1);
    expect(Object.keys(await plain.manifest())).toEqual(['service', 'version', 'tools']);
  });

  test('that cannot work are refused, with their names', async () => {
    expect(() => create().prompt('a b', about, () => '')).toThrow('"a b"');
    expect(() =>
      create()
        .prompt('a', about, () => '')
        .prompt('a', about, () => ''),
    ).toThrow('already');
    const broken = [
      create().resource('rules', { name: 'x', ...about }, () => ''),
      create().resource('library://a b', { name: 'x', ...about }, () => ''),
      create().resourceTemplate('library://x', { name: 'x', ...about }, () => ''),
      create().resourceTemplate('library://{+x}', { name: 'x', ...about }, () => ''),
      create().resourceTemplate('library://{x}{y}', { name: 'x', ...about }, () => ''),
      create().resourceTemplate('library://{x}', { name: 'x', ...about, complete: { y: () => [] } as never }, () => ''),
      create().prompt('p', { description: '' }, () => ''),
    ];
    for (const each of broken) await expect(each.manifest()).rejects.toThrow(/library|rules|"p"|p has/);
    const running = create().prompt('p', about, () => '');
    await running.manifest();
    expect(() => running.prompt('q', about, () => '')).toThrow('before it listens');
  });
});
