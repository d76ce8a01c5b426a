// A service of the kit with every feature of the matrix.
import { service } from '@sallyport/kit';
import { z } from 'zod';
import { form, note, sampling } from './features.ts';

/** A later version has one tool more. */
const { MATRIX_RELEASE: release = '0' } = process.env;
const kit = service('kit', { version: `1.${release}.0` });
const input = z.object({});
let cancelled = 0;

kit.tool('Matrix.Echo', { description: 'Echoes.', input: z.object({ said: z.string() }) }, ({ said }) => said);
kit.tool('Matrix.Steps', { description: 'Tells of progress.', input }, (_args, ctx) => {
  for (const progress of [1, 2, 3]) ctx.progress({ progress, total: 3 });
  return 'done';
});
kit.tool('Matrix.Hang', { description: 'Never answers.', input }, async (_args, { signal }) => {
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
  cancelled += 1;
  return 'too late';
});
kit.tool('Matrix.Cancelled', { description: 'How many were cancelled.', input }, () => String(cancelled));
kit.tool('Matrix.Ask', { description: 'Asks the user.', input }, async (_args, ctx) => {
  const schema = z.object({ ok: z.boolean() });
  const answer = await ctx.elicit({ message: form.message, schema });
  return JSON.stringify(answer.action === 'accept' ? answer.content : answer.action);
});
kit.tool('Matrix.Sample', { description: 'Asks the model.', input }, async (_args, ctx) => {
  const { content } = await ctx.sample(sampling);
  return JSON.stringify(content);
});
kit.tool('Matrix.Roots', { description: 'Asks for folders.', input }, async (_args, ctx) =>
  JSON.stringify(await ctx.roots()),
);
kit.tool('Matrix.Touch', { description: 'Changes the note.', input }, () => {
  kit.resourceUpdated(note);
  return 'touched';
});
kit.tool('Matrix.Task', { description: 'Takes its time.', input, task: 'optional' }, () => 'finished');
for (let i = 0; i < Number(release); i++) {
  kit.tool(`Matrix.Grown${i}`, { description: 'New.', input }, () => '');
}
const startsWith = (value: string) => ['ada', 'alan', 'bob'].filter((name) => name.startsWith(value));
kit.prompt(
  'greet',
  { description: 'Greets.', arguments: { name: { required: true, complete: startsWith } } },
  ({ name }) => `Hello ${name}`,
);
kit.resource(note, { name: 'one', description: 'A note.', subscribe: true }, () => '1');
kit.resourceTemplate(
  'note://{id}',
  { name: 'any', description: 'Any note.', complete: { id: () => ['x', 'y'] } },
  ({ id }) => String(id),
);
await kit.listen();
