import { randomUUID } from 'node:crypto';
import { service, ToolError } from '@sallyport/kit';
import { z } from 'zod';
import { type Item, openStore, storePath } from './store.ts';

const store = openStore(storePath(process.env.SALLYPORT_DATA));

const id = z.string().min(1).max(64).describe('As Create returned it.');
const title = z.string().min(1).max(200);
const item = z.object({ id, title, done: z.boolean() });

/** The __name__ service: create, get, list, update and delete, each under a scope of its own kind. */
export const __variable__ = service('__name__', { version: '0.1.0', owner: 'team-__name__' });

__variable__.tool(
  '__handler__.Create',
  {
    description: 'Create an item.',
    scopes: ['__name__:write'],
    sideEffect: 'write',
    classification: 'internal',
    input: z.object({ title }),
    output: item,
    examples: [{ input: { title: 'Buy milk' } }],
  },
  (input, ctx) => {
    const created = { id: randomUUID(), title: input.title, done: false };
    store.add(created);
    ctx.log.info({ item: created.id }, 'created');
    return created;
  },
);

__variable__.tool(
  '__handler__.Get',
  {
    description: 'Read one item.',
    scopes: ['__name__:read'],
    sideEffect: 'read',
    classification: 'internal',
    input: z.object({ id }),
    output: item,
  },
  (input) => existing(input.id),
);

__variable__.tool(
  '__handler__.List',
  {
    description: 'List items in the order of their ids, a page at a time.',
    scopes: ['__name__:read'],
    sideEffect: 'read',
    classification: 'internal',
    input: z.object({
      after: z.string().default('').describe('The last id of the page before.'),
      limit: z.int().min(1).max(100).default(20),
    }),
    output: z.object({ items: z.array(item) }),
    examples: [{ input: { limit: 10 } }],
  },
  ({ after, limit }) => ({ items: store.list(after, limit) }),
);

__variable__.tool(
  '__handler__.Update',
  {
    description: 'Change the title of an item, or whether it is done.',
    scopes: ['__name__:write'],
    sideEffect: 'write',
    idempotent: true,
    classification: 'internal',
    input: z.object({ id, title: title.optional(), done: z.boolean().optional() }),
    output: item,
  },
  (input) => {
    const before = existing(input.id);
    const changed = { ...before, title: input.title ?? before.title, done: input.done ?? before.done };
    store.change(changed);
    return changed;
  },
);

__variable__.tool(
  '__handler__.Delete',
  {
    description: 'Delete an item for good.',
    scopes: ['__name__:admin'],
    sideEffect: 'destructive',
    auditRequired: true,
    classification: 'internal',
    input: z.object({ id }),
    output: z.object({ deleted: z.boolean() }),
  },
  (input) => ({ deleted: store.remove(input.id) }),
);

function existing(wanted: string): Item {
  const found = store.find(wanted);
  if (found === undefined) throw new ToolError('not_found', 'There is no such item.');
  return found;
}
