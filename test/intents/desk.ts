// A service that writes down what it did, in the file DESK_NOTES, so that it can be counted.
import { appendFileSync } from 'node:fs';
import { CallError, service } from '@sallyport/kit';
import { z } from 'zod';

const notes = process.env.DESK_NOTES ?? '/dev/null';
const desk = service('desk', { version: '1.0.0' });
const scopes = ['desk:use'];
const sideEffect = 'write';
const done = (what: string) => {
  appendFileSync(notes, `${what}\n`);
  return { done: what };
};

desk.tool(
  'Desk.Write',
  {
    ...{ description: 'Writes something down.', scopes, sideEffect },
    input: z.object({ text: z.string().default('x'), amount: z.number().default(0) }),
  },
  ({ text }) => done(text),
);
desk.tool(
  'Desk.Erase',
  { description: 'Erases.', scopes: ['desk:admin'], sideEffect: 'destructive', input: z.object({}) },
  () => done('erased'),
);
desk.tool(
  'Desk.Wait',
  { description: 'Is never done.', scopes, sideEffect: 'read', timeoutMs: 60_000, input: z.object({}) },
  (_, { signal }) => new Promise((resolve) => signal.addEventListener('abort', () => resolve(done('cut off')))),
);
desk.tool(
  'Desk.Ask',
  { description: 'Asks before it writes.', scopes, sideEffect, input: z.object({}) },
  async (_, ctx) => {
    const answer = await ctx.elicit({ message: 'Really?', schema: z.object({ ok: z.boolean() }) });
    return done(answer.action);
  },
);
desk.tool(
  'Desk.Relay',
  { description: 'Lets another tool do it.', scopes, sideEffect, input: z.object({ tool: z.string() }) },
  async ({ tool }, ctx) => {
    try {
      await ctx.call(tool, {});
      return { relayed: true };
    } catch (error) {
      return { relayed: false, reason: error instanceof CallError ? error.reason : 'unknown' };
    }
  },
);
desk.tool(
  'Desk.Background',
  { description: 'Takes its time.', scopes, sideEffect, task: 'optional', input: z.object({}) },
  () => done('background'),
);
desk.tool(
  'Desk.Endless',
  { description: 'Is never done.', scopes, sideEffect, task: 'optional', input: z.object({}) },
  (_, { signal }) => new Promise((resolve) => signal.addEventListener('abort', () => resolve(done('ended')))),
);
desk.prompt('memo', { description: 'A memo.', arguments: { to: { required: true } } }, ({ to }) => `Dear ${to}`);
desk.resource('desk://drawer', { name: 'drawer', description: 'What is in it.' }, () => 'pens');
await desk.listen();
