import { service } from '@sallyport/kit';
import { z } from 'zod';

/** The __name__ service. Every tool below is one that agents can call, under the scopes it names. */
export const __variable__ = service('__name__', { version: '0.1.0', owner: 'team-__name__' });

__variable__.tool(
  '__handler__.Greet',
  {
    description: 'Greet somebody by name.',
    scopes: ['__name__:read'],
    sideEffect: 'read',
    classification: 'public',
    input: z.object({ name: z.string().min(1).max(80) }),
    output: z.object({ greeting: z.string() }),
    examples: [{ input: { name: 'Ada' } }],
  },
  ({ name }, ctx) => {
    ctx.log.info({ by: ctx.principal.subject }, 'greeting');
    return { greeting: `Hello, ${name}!` };
  },
);
