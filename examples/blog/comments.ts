import { randomUUID } from 'node:crypto';
import { service, ToolError } from '@sallyport/kit';
import { z } from 'zod';
import { openDatabase } from './database.ts';

const database = openDatabase('comments', {
  tables: `CREATE TABLE comments (
    id TEXT PRIMARY KEY, post TEXT NOT NULL, author TEXT NOT NULL, text TEXT NOT NULL, written TEXT NOT NULL
  ) STRICT;
  CREATE INDEX comments_of_post ON comments (post, written);`,
  seed: `INSERT INTO comments VALUES
    ('c-first', 'p-notes', 'grace', 'Nanoseconds are longer than you think.', '2026-02-12T08:00:00.000Z');`,
});
const insert = database.prepare('INSERT INTO comments (id, post, author, text, written) VALUES (?, ?, ?, ?, ?)');
const ofPost = database.prepare(
  'SELECT id, post, author, text, written FROM comments WHERE post = ? ORDER BY written, id LIMIT ?',
);

const comment = z.object({
  id: z.string(),
  post: z.string(),
  author: z.string(),
  text: z.string(),
  written: z.iso.datetime(),
});
/** What this service needs to know of a post. */
const postState = z.object({ status: z.string() });

const comments = service('comments', { version: '1.0.0', owner: 'team-community' });

comments.tool(
  'CommentService.Add',
  {
    description: 'Comment on a published post.',
    scopes: ['comments:write'],
    sideEffect: 'write',
    classification: 'public',
    input: z.object({
      post: z.string().describe('Id of a published post.'),
      author: z.string().min(1).max(80).describe('Id of the user who comments.'),
      text: z.string().min(1).max(2_000),
    }),
    output: comment,
    examples: [{ input: { post: 'p-notes', author: 'grace', text: 'Well said.' } }],
  },
  async ({ post, author, text }, ctx) => {
    const { status } = await ctx.call('posts.PostService.Get', { id: post }, { output: postState });
    if (status !== 'published') throw new ToolError('failed_precondition', 'Only published posts take comments.');
    const written = { id: `c-${randomUUID().slice(0, 8)}`, post, author, text, written: new Date().toISOString() };
    insert.run(written.id, post, author, text, written.written);
    ctx.log.info({ comment: written.id, post }, 'comment added');
    return written;
  },
);

comments.tool(
  'CommentService.List',
  {
    description: 'List the comments of a post, oldest first.',
    scopes: ['comments:read'],
    sideEffect: 'read',
    classification: 'public',
    input: z.object({ post: z.string(), limit: z.int().min(1).max(100).default(50) }),
    output: z.object({ comments: z.array(comment) }),
    examples: [{ input: { post: 'p-notes' } }],
  },
  ({ post, limit }) => ({ comments: ofPost.all(post, limit).map((row) => comment.parse(row)) }),
);

await comments.listen();
