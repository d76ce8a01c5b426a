import { readFileSync } from 'node:fs';
import { service, ToolError } from '@sallyport/kit';
import { z } from 'zod';

const entry = z.object({ id: z.string(), title: z.string(), text: z.string() });
const entries = z
  .array(entry)
  .parse(JSON.parse(readFileSync(new URL('../data/entries.json', import.meta.url), 'utf8')));

/** The __name__ service. It only reads: no tool here changes anything, and all of them say so. */
export const __variable__ = service('__name__', { version: '0.1.0', owner: 'team-__name__' });

const reading = {
  scopes: ['__name__:read'],
  sideEffect: 'read',
  idempotent: true,
  classification: 'internal',
} as const;

__variable__.tool(
  '__handler__.Get',
  {
    ...reading,
    description: 'Read one entry.',
    input: z.object({ id: z.string().min(1).max(64) }),
    output: entry,
    examples: [{ input: { id: 'welcome' } }],
  },
  ({ id }) => {
    const found = entries.find((each) => each.id === id);
    if (found === undefined) throw new ToolError('not_found', 'There is no such entry.');
    return found;
  },
);

__variable__.tool(
  '__handler__.Search',
  {
    ...reading,
    description: 'Find entries that contain all the words.',
    input: z.object({ words: z.string().min(1).max(200), limit: z.int().min(1).max(50).default(10) }),
    output: z.object({ entries: z.array(entry) }),
    examples: [{ input: { words: 'scope' } }],
  },
  ({ words, limit }) => {
    const wanted = words.toLowerCase().split(/\s+/);
    const fits = ({ title, text }: z.infer<typeof entry>) =>
      wanted.every((word) => `${title} ${text}`.toLowerCase().includes(word));
    return { entries: entries.filter(fits).slice(0, limit) };
  },
);
