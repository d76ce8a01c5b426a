import { service, ToolError } from '@sallyport/kit';
import { z } from 'zod';
import { openDatabase } from './database.ts';

const database = openDatabase('users', {
  tables: `CREATE TABLE users (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL UNIQUE, joined TEXT NOT NULL
  ) STRICT;`,
  seed: `INSERT INTO users VALUES
    ('ada', 'Ada Lovelace', 'ada@example.com', '2026-01-05T09:00:00.000Z'),
    ('grace', 'Grace Hopper', 'grace@example.com', '2026-02-11T14:30:00.000Z');`,
});
const insert = database.prepare('INSERT OR IGNORE INTO users (id, name, email, joined) VALUES (?, ?, ?, ?)');
const byId = database.prepare('SELECT id, name, email, joined FROM users WHERE id = ?');
const all = database.prepare('SELECT id, name FROM users WHERE id > ? ORDER BY id LIMIT ?');

const userId = z
  .string()
  .regex(/^[a-z][a-z0-9-]{1,30}$/)
  .describe('Short name of the user, such as "ada".');
const user = z.object({ id: userId, name: z.string(), email: z.email(), joined: z.iso.datetime() });

const users = service('users', { version: '1.0.0', owner: 'team-identity' });

users.tool(
  'UserService.Create',
  {
    description: 'Register a new author. Fails if the id or the e-mail address is taken.',
    scopes: ['users:write'],
    sideEffect: 'write',
    classification: 'confidential',
    input: z.object({ id: userId, name: z.string().min(1).max(80), email: z.email() }),
    output: user,
    examples: [{ input: { id: 'linus', name: 'Linus', email: 'linus@example.com' } }],
  },
  (input, ctx) => {
    const joined = new Date().toISOString();
    const { changes } = insert.run(input.id, input.name, input.email, joined);
    if (changes === 0) throw new ToolError('already_exists', 'This id or e-mail address is taken.');
    ctx.log.info({ user: input.id }, 'user created');
    return { ...input, joined };
  },
);

users.tool(
  'UserService.Get',
  {
    description: 'Look up one user by id, with the e-mail address.',
    scopes: ['users:read'],
    sideEffect: 'read',
    classification: 'confidential',
    input: z.object({ id: userId }),
    output: user,
    examples: [{ input: { id: 'ada' } }],
  },
  ({ id }) => {
    const found = byId.get(id);
    if (found === undefined) throw new ToolError('not_found', `There is no user "${id}".`);
    return user.parse(found);
  },
);

users.tool(
  'UserService.List',
  {
    description: 'List users in the order of their ids, without e-mail addresses.',
    scopes: ['users:read'],
    sideEffect: 'read',
    classification: 'internal',
    input: z.object({
      after: z.string().default('').describe('The last id of the page before.'),
      limit: z.int().min(1).max(100).default(20),
    }),
    output: z.object({ users: z.array(z.object({ id: z.string(), name: z.string() })) }),
    examples: [{ input: { limit: 10 } }],
  },
  ({ after, limit }) => ({
    users: all.all(after, limit).map((row) => ({ id: String(row.id), name: String(row.name) })),
  }),
);

users.tool(
  'UserService.Reindex',
  {
    description: 'Rebuild the indexes of the user table. For operators and other services only.',
    sideEffect: 'write',
    internal: true,
    idempotent: true,
    classification: 'internal',
    input: z.object({}),
    output: z.object({ users: z.int() }),
  },
  () => {
    database.exec('REINDEX users');
    return { users: Number(database.prepare('SELECT count(*) AS n FROM users').get()?.n ?? 0) };
  },
);

await users.listen();
