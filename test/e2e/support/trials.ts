import { service, ToolError } from '@sallyport/kit';
import { z } from 'zod';

/** A service with one tool for each way a call can end. Its name is the first word on its command line, its version the second. */
const [name = 'trials', version = '1.0.0'] = process.argv.slice(2);
const scopes = [`${name}:use`];
const trials = service(name, { version });
const nothing = z.object({});

trials.tool(
  'Trial.Echo',
  {
    ...{ description: 'Gives back its input.', scopes, sideEffect: 'read' },
    input: z.object({ text: z.string().max(1_000_000), tags: z.array(z.string()).optional() }),
    output: z.object({ text: z.string(), tags: z.array(z.string()).optional() }),
  },
  (input) => input,
);
trials.tool(
  'Trial.Who',
  { description: 'Tells who calls, and who answers.', scopes, sideEffect: 'read', input: nothing },
  (_, { principal, metadata }) => ({ principal, metadata, pid: process.pid, version }),
);
trials.tool(
  'Trial.Wait',
  { description: 'Takes its time.', scopes, sideEffect: 'read', input: z.object({ ms: z.number() }) },
  async ({ ms }) => {
    await new Promise((resolve) => setTimeout(resolve, ms));
    return { pid: process.pid };
  },
);
trials.tool(
  'Trial.Slow',
  { description: 'Is never done.', scopes, sideEffect: 'read', timeoutMs: 150, input: nothing },
  (_, { signal }) => new Promise((resolve) => signal.addEventListener('abort', () => resolve({ late: true }))),
);
trials.tool('Trial.Throw', { description: 'Breaks.', scopes, sideEffect: 'read', input: nothing }, () => {
  throw new Error('password=hunter2 at /srv/secret/place.ts');
});
trials.tool('Trial.Fail', { description: 'Says no.', scopes, sideEffect: 'read', input: nothing }, () => {
  throw new ToolError('not_found', 'There is no such thing.');
});
trials.tool('Trial.Crash', { description: 'Ends its process.', scopes, sideEffect: 'read', input: nothing }, () => {
  process.kill(process.pid, 'SIGKILL');
  return new Promise(() => undefined);
});
trials.tool(
  'Trial.Admin',
  { description: 'Not for everybody.', scopes: [`${name}:admin`], sideEffect: 'destructive', input: nothing },
  () => ({ done: true }),
);
trials.tool(
  'Trial.Internal',
  { description: 'For other services only.', internal: true, scopes, sideEffect: 'read', input: nothing },
  () => ({ done: true }),
);
trials.tool('Trial.Limited', { description: 'Seldom allowed.', scopes, sideEffect: 'read', input: nothing }, () => ({
  done: true,
}));
trials.tool(
  'Trial.Audited',
  { description: 'Written down before it happens.', scopes, auditRequired: true, sideEffect: 'write', input: nothing },
  () => ({ done: true }),
);
await trials.listen();
