import type { Seen } from '@sallyport/example-stage';

/** What the agent knows by now. */
export interface Known {
  /** Id of the post it wrote. */
  readonly post: string;
}

/** One thing the agent does, and what has to come of it. */
export interface Step {
  /** What the agent does, to be read after "the agent". */
  readonly says: string;
  readonly tool: string;
  readonly input: (known: Known) => object;
  readonly outcome: Seen['outcome'];
  /** The reason in the audit, for refusals. */
  readonly reason?: string;
  /** What the agent must be told. */
  readonly mentions?: string;
  /** What the service asks of others on the way, through the gateway. */
  readonly asks?: readonly string[];
  /** Calls again, at most so often, until the outcome is another than `answered`. */
  readonly atMost?: number;
  /** Done by the owner before: the token is revoked. */
  readonly afterRevocation?: boolean;
}

/** Everything an agent that writes a blog needs; not `posts:admin`. */
export const scopes = ['users:read', 'users:write', 'posts:read', 'posts:write', 'comments:read', 'comments:write'];

/** What an agent with these scopes is shown. Deleting needs `posts:admin`; Reindex is internal. */
export const visibleTools = [
  'comments.CommentService.Add',
  'comments.CommentService.List',
  'posts.PostService.Create',
  'posts.PostService.Get',
  'posts.PostService.List',
  'posts.PostService.Publish',
  'users.UserService.Create',
  'users.UserService.Get',
  'users.UserService.List',
];

const draft = { author: 'mary', title: 'A guarded door', body: 'Two gates, and a check between them.' };

/** The story. */
export const steps: readonly Step[] = [
  {
    says: 'registers an author',
    tool: 'users.UserService.Create',
    input: () => ({ id: 'mary', name: 'Mary Shelley', email: 'mary@example.com' }),
    outcome: 'answered',
  },
  {
    says: 'writes a draft',
    tool: 'posts.PostService.Create',
    input: () => draft,
    outcome: 'answered',
    asks: ['users.UserService.Get'],
  },
  {
    says: 'writes one for an author who does not exist',
    tool: 'posts.PostService.Create',
    input: () => ({ ...draft, author: 'nobody' }),
    outcome: 'tool error',
    mentions: 'no author "nobody"',
    asks: ['users.UserService.Get'],
  },
  {
    says: 'publishes the draft',
    tool: 'posts.PostService.Publish',
    input: ({ post }) => ({ id: post }),
    outcome: 'answered',
    asks: ['users.UserService.Get'],
  },
  {
    says: 'comments on it',
    tool: 'comments.CommentService.Add',
    input: ({ post }) => ({ post, author: 'ada', text: 'And the second opens last.' }),
    outcome: 'answered',
    asks: ['posts.PostService.Get'],
  },
  {
    says: 'tries to delete it',
    tool: 'posts.PostService.Delete',
    input: ({ post }) => ({ id: post }),
    outcome: 'refused',
    reason: 'insufficient_scope',
    mentions: 'posts:admin',
  },
  {
    says: 'sends a draft without a title',
    tool: 'posts.PostService.Create',
    input: () => ({ ...draft, title: '' }),
    outcome: 'refused',
    reason: 'invalid_input',
    mentions: '/title',
  },
  {
    says: 'calls a tool that does not exist',
    tool: 'posts.PostService.Archive',
    input: () => ({}),
    outcome: 'refused',
    reason: 'unknown_tool',
    mentions: 'Unknown tool.',
  },
  {
    says: 'calls a tool that is not for agents: the words are the same',
    tool: 'users.UserService.Reindex',
    input: () => ({}),
    outcome: 'refused',
    reason: 'unknown_tool',
    mentions: 'Unknown tool.',
  },
  {
    says: 'reads the comments again and again, too fast',
    tool: 'comments.CommentService.List',
    input: ({ post }) => ({ post }),
    outcome: 'refused',
    reason: 'rate_limited',
    mentions: 'Too many calls.',
    atMost: 100,
  },
  {
    says: 'reads its post: it is still there',
    tool: 'posts.PostService.Get',
    input: ({ post }) => ({ id: post }),
    outcome: 'answered',
    mentions: 'published',
  },
  {
    says: 'goes on after its token was revoked',
    tool: 'posts.PostService.List',
    input: () => ({}),
    outcome: 'refused',
    reason: 'credential_revoked',
    afterRevocation: true,
  },
];
