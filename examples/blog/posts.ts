import { randomUUID } from 'node:crypto';
import { CallError, service, type ToolContext, ToolError } from '@sallyport/kit';
import { z } from 'zod';
import { openDatabase } from './database.ts';

const database = openDatabase('posts', {
  tables: `CREATE TABLE posts (
    id TEXT PRIMARY KEY, author TEXT NOT NULL, title TEXT NOT NULL, body TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('draft', 'published')), changed TEXT NOT NULL
  ) STRICT;`,
  seed: `INSERT INTO posts VALUES
    ('p-notes', 'ada', 'Notes on the engine', 'It can do whatever we know how to order it to perform.', 'published',
     '2026-01-06T10:00:00.000Z');`,
});
const insert = database.prepare(
  'INSERT INTO posts (id, author, title, body, status, changed) VALUES (?, ?, ?, ?, ?, ?)',
);
const byId = database.prepare('SELECT id, author, title, body, status, changed FROM posts WHERE id = ?');
const byStatus = database.prepare(
  'SELECT id, author, title, status FROM posts WHERE ? IS NULL OR status = ? ORDER BY changed DESC, id LIMIT ?',
);
const setPublished = database.prepare("UPDATE posts SET status = 'published', changed = ? WHERE id = ?");
const remove = database.prepare('DELETE FROM posts WHERE id = ?');

const postId = z
  .string()
  .regex(/^p-[a-z0-9-]{1,40}$/)
  .describe('Id of a post, as Create returned it.');
const status = z.enum(['draft', 'published']);
const post = z.object({
  id: postId,
  author: z.string(),
  title: z.string(),
  body: z.string(),
  status,
  changed: z.iso.datetime(),
});

const posts = service('posts', { version: '1.0.0', owner: 'team-content' });

posts.tool(
  'PostService.Create',
  {
    description: 'Write a draft. It is not public until it is published.',
    scopes: ['posts:write'],
    sideEffect: 'write',
    classification: 'internal',
    input: z.object({
      author: z.string().describe('Id of an existing user.'),
      title: z.string().min(1).max(120),
      body: z.string().min(1).max(20_000),
    }),
    output: post,
    examples: [{ input: { author: 'ada', title: 'Hello', body: 'A first post.' } }],
  },
  async ({ author, title, body }, ctx) => {
    await requireAuthor(author, ctx);
    const draft = {
      id: `p-${randomUUID().slice(0, 8)}`,
      author,
      title,
      body,
      status: 'draft' as const,
      changed: now(),
    };
    insert.run(draft.id, author, title, body, draft.status, draft.changed);
    ctx.log.info({ post: draft.id }, 'draft written');
    return draft;
  },
);

posts.tool(
  'PostService.Publish',
  {
    description: 'Make a draft public. Publishing what is public already changes nothing.',
    scopes: ['posts:write'],
    sideEffect: 'write',
    idempotent: true,
    classification: 'public',
    input: z.object({ id: postId }),
    output: post,
    examples: [{ input: { id: 'p-notes' } }],
  },
  async ({ id }, ctx) => {
    const draft = readPost(id);
    if (draft.status === 'published') return draft;
    await requireAuthor(draft.author, ctx);
    setPublished.run(now(), id);
    ctx.log.info({ post: id }, 'post published');
    return readPost(id);
  },
);

posts.tool(
  'PostService.Get',
  {
    description: 'Read one post.',
    scopes: ['posts:read'],
    sideEffect: 'read',
    classification: 'internal',
    input: z.object({ id: postId }),
    output: post,
    examples: [{ input: { id: 'p-notes' } }],
  },
  ({ id }) => readPost(id),
);

posts.tool(
  'PostService.List',
  {
    description: 'List posts, newest first, without their text.',
    scopes: ['posts:read'],
    sideEffect: 'read',
    classification: 'internal',
    input: z.object({ status: status.optional(), limit: z.int().min(1).max(100).default(20) }),
    output: z.object({ posts: z.array(post.pick({ id: true, author: true, title: true, status: true })) }),
    examples: [{ input: { status: 'published' } }],
  },
  ({ status: wanted, limit }) => ({
    posts: byStatus
      .all(wanted ?? null, wanted ?? null, limit)
      .map((row) => post.omit({ body: true, changed: true }).parse(row)),
  }),
);

posts.tool(
  'PostService.Delete',
  {
    description: 'Delete a post for good.',
    scopes: ['posts:admin'],
    sideEffect: 'destructive',
    risk: 'high',
    auditRequired: true,
    classification: 'internal',
    input: z.object({ id: postId }),
    output: z.object({ deleted: z.boolean() }),
    examples: [{ input: { id: 'p-notes' } }],
  },
  ({ id }, ctx) => {
    const deleted = remove.run(id).changes === 1;
    ctx.log.info({ post: id, deleted }, 'post deleted');
    return { deleted };
  },
);

/** A post's author must exist. The users service knows; it is asked through the gateway, as anybody else would. */
async function requireAuthor(id: string, ctx: ToolContext): Promise<void> {
  try {
    await ctx.call('users.UserService.Get', { id });
  } catch (error) {
    if (isAnswer(error, 'not_found')) throw new ToolError('failed_precondition', `There is no author "${id}".`);
    throw error;
  }
}

/** Whether the other tool itself answered so, rather than the gateway. */
function isAnswer(error: unknown, code: CallError['code']): boolean {
  return error instanceof CallError && error.reason === 'tool_error' && error.code === code;
}

function readPost(id: string): z.infer<typeof post> {
  const found = byId.get(id);
  if (found === undefined) throw new ToolError('not_found', `There is no post "${id}".`);
  return post.parse(found);
}

function now(): string {
  return new Date().toISOString();
}

await posts.listen();
