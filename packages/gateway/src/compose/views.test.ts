import type { Target } from '@sallyport/core';
import { fakeTool } from '@sallyport/testkit';
import { describe, expect, it } from 'vitest';
import type { GatewayConfig } from '../config/index.ts';
import { compileViews, nameStyleOf } from './views.ts';

const views: GatewayConfig['views'] = {
  support: { tools: ['posts.*'], prompts: [], resources: ['docs.resources/file:*'], names: 'safe' },
  empty: { tools: [], prompts: [], resources: [], names: 'dotted' },
};
const config = { views } as GatewayConfig;

const resource = (name: string): Target => ({ ...fakeTool({ name }), capability: 'resource' }) as unknown as Target;

describe('a named view', () => {
  const takes = compileViews(config)('support');

  it('takes in what its patterns for that kind of thing match, and nothing else', () => {
    expect(takes?.(fakeTool({ name: 'posts.PostService.Create' }))).toBe(true);
    expect(takes?.(fakeTool({ name: 'users.UserService.Get' }))).toBe(false);
    expect(takes?.(resource('docs.resources/file:///a'))).toBe(true);
    expect(takes?.(resource('posts.resources/file:///a'))).toBe(false);
    expect(compileViews(config)('empty')?.(fakeTool())).toBe(false);
  });

  it('takes in a service that was never seen if one of its patterns may be of it', () => {
    const takesAny = (service: string, patterns: readonly string[]) =>
      compileViews({ views: { one: { tools: patterns, prompts: [], resources: [], names: 'dotted' } } } as never)(
        'one',
      )?.(fakeTool({ name: `${service}.`, service, remoteName: '' }));
    expect(takesAny('posts', ['posts.Create'])).toBe(true);
    expect(takesAny('posts', ['*.Delete'])).toBe(true);
    expect(takesAny('posts', ['po*'])).toBe(true);
    expect(takesAny('posts', ['users.*', 'posts-old.Create', 'posts'])).toBe(false);
  });

  it('that nobody configured is none', () => {
    expect(compileViews(config)('nothing')).toBeUndefined();
    expect(compileViews(config)('toString')).toBeUndefined();
  });

  it('names things as it is told, a mount as its service does, and everything in full', () => {
    const style = nameStyleOf(config);
    expect(style({ kind: 'view', name: 'support' })).toBe('safe');
    expect(style({ kind: 'view', name: 'empty' })).toBe('full');
    expect(style({ kind: 'mount', service: 'posts' })).toBe('own');
    expect(style({ kind: 'all' })).toBe('full');
  });
});
