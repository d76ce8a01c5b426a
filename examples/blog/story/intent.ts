import { connectAgent, type Running, type Seen } from '@sallyport/example-stage';
import { z } from 'zod';

/** What a person asked an agent for, and what became of it. */
export interface Asked {
  readonly message: string;
  readonly intent: string;
  /** What the agent is shown with the token of the intent. */
  readonly tools: readonly string[];
  readonly tries: readonly Tried[];
  readonly trace: Trace;
  readonly problems: readonly string[];
}

/** One thing the agent tried. */
export interface Tried {
  readonly says: string;
  readonly expected: string;
  readonly seen: Seen;
}

const event = z.looseObject({
  at: z.string(),
  what: z.string(),
  subject: z.string().optional(),
  actors: z.array(z.string()).optional(),
  text: z.string().optional(),
  digest: z.string().optional(),
  tool: z.string().optional(),
  outcome: z.string().optional(),
  reason: z.string().optional(),
  serving: z.string().optional(),
});
const trace = z.looseObject({ intent: z.looseObject({ id: z.string(), state: z.string() }), timeline: z.array(event) });

/** What `sallyport trace --json` prints. */
export type Trace = z.infer<typeof trace>;

const minted = z.object({ token: z.string() });
const granted = z.object({
  access_token: z.string(),
  authorization_details: z.tuple([z.looseObject({ identifier: z.string() })]),
});
const accessToken = 'urn:ietf:params:oauth:token-type:access_token';
const publish = 'posts.PostService.Publish';
const everything = 'posts:read,posts:write,posts:admin';

/**
 * A person who may do anything with posts asks an agent to publish one. The agent gets a token that is good for that, and
 * tries other things too.
 */
export async function playIntent(blog: Running): Promise<Asked> {
  const mint = async (name: string, ...words: readonly string[]): Promise<string> =>
    minted.parse(JSON.parse(await blog.sallyport('token', 'create', '--json', '--name', name, ...words))).token;
  const dana = await mint('dana', '--kind', 'person', '--scope', everything);
  const assistant = await mint('assistant');

  const herself = await connectAgent(blog.mcpUrl(), dana);
  const draft = await herself.call('posts.PostService.Create', {
    author: 'ada',
    title: 'On doors',
    body: 'Two of them.',
  });
  const post = String(draft.value?.id);
  const message = `Please publish my post ${post}.`;
  const { token, intent } = await exchange(blog, { dana, assistant, message, post });

  const agent = await connectAgent(blog.mcpUrl(), token);
  const tools = await agent.toolNames();
  const attempt = async (says: string, expected: string, [tool, id]: readonly [string, string]): Promise<Tried> => ({
    ...{ says, expected },
    seen: await agent.call(tool, { id }),
  });
  const tries = [
    await attempt('publishes another post', '/id: is not what was agreed', [publish, 'p-notes']),
    await attempt('publishes the post', '"published"', [publish, post]),
    await attempt('publishes it once more', 'All calls that the token was given for were made.', [publish, post]),
    await attempt('deletes it', 'This is not what the token was given for.', ['posts.PostService.Delete', post]),
  ];
  await agent.close();
  const now = await herself.call('posts.PostService.Get', { id: post });
  await herself.close();
  const told = trace.parse(JSON.parse(await blog.sallyport('trace', intent, '--json')));
  const asked = { message, intent, tools, tries, trace: told };
  return { ...asked, problems: problemsOf(asked, now) };
}

interface Wish {
  readonly dana: string;
  readonly assistant: string;
  readonly message: string;
  readonly post: string;
}

/** What the program does in which Dana writes her message (RFC 8693, with the details of RFC 9396). */
async function exchange(blog: Running, { dana, assistant, message, post }: Wish) {
  const details = { tools: [publish], bounds: [{ pointer: '/id', const: post }], calls: 1, expires_in: 300 };
  const body = new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: dana,
    subject_token_type: accessToken,
    actor_token: assistant,
    actor_token_type: accessToken,
    authorization_details: JSON.stringify([{ type: 'intent', message, seal_message: true, ...details }]),
  });
  const response = await fetch(new URL('/oauth/token', blog.mcpUrl()), { method: 'POST', body });
  const { access_token: token, authorization_details: given } = granted.parse(await response.json());
  return { token, intent: given[0].identifier };
}

const expectedTimeline = [
  'message',
  'given',
  `${publish} refused intent_exceeded`,
  `${publish} answered`,
  '└─ users.UserService.Get answered',
  `${publish} refused intent_spent`,
  'posts.PostService.Delete refused intent_exceeded',
];

function problemsOf({ message, tools, tries, trace: told }: Omit<Asked, 'problems'>, now: Seen): readonly string[] {
  const differ = (what: string, found: unknown, expected: unknown) =>
    found === expected ? [] : [`${what}: ${String(found)} instead of ${String(expected)}`];
  const [first] = told.timeline;
  const lines = told.timeline.filter(({ what }) => what !== 'list' && what !== 'unreadable').map(lineOf);
  return [
    ...differ('what the agent is shown', tools.join(), publish),
    ...tries.flatMap(({ says, expected, seen }) =>
      seen.text.includes(expected) ? [] : [`the agent ${says}: "${seen.text}" does not mention "${expected}"`],
    ),
    ...differ('the row in the database', now.value?.status, 'published'),
    ...differ('the timeline begins with', first?.text, message),
    ...differ('the timeline', lines.join('; '), expectedTimeline.join('; ')),
    ...told.timeline.flatMap(({ subject, actors = [] }) =>
      subject === 'dana' && (actors.length === 0 || actors.at(-1) === 'assistant') ? [] : ['somebody else did it'],
    ),
  ];
}

/** One event of the timeline in a few words. */
export function lineOf({ what, tool, outcome, reason, serving }: Trace['timeline'][number]): string {
  if (tool === undefined) return what;
  return `${serving === undefined ? '' : '└─ '}${[tool, outcome, reason].filter((word) => word !== undefined).join(' ')}`;
}
