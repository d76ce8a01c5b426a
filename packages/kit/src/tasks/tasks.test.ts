// biome-ignore-all lint/suspicious/noExplicitAny: tests look into what they receive without declaring it
import { tasksExtension } from '@sallyport/protocol';
import { pino } from 'pino';
import { expect, test, vi } from 'vitest';
import { z } from 'zod';
import { type InvokeOptions, service, ToolError } from '../index.ts';

const log = pino({ level: 'silent' });
const about = { description: 'For tests.', input: z.object({}) };
const knowing = { capabilities: { extensions: { [tasksExtension]: {} }, elicitation: {} } };

function create(options: { limit?: number; ttlMs?: number } = {}) {
  const end = Promise.withResolvers<void>();
  const seen: string[] = [];
  const jobs = service('jobs', { version: '1.0.0', log, tasks: options })
    .tool('Job.Run', { ...about, task: 'optional' }, async (_, ctx) => {
      ctx.progress({ progress: 1, message: 'half way' });
      ctx.signal.addEventListener('abort', () => seen.push(ctx.signal.reason.name));
      await Promise.race([
        end.promise,
        new Promise((_resolve, reject) => ctx.signal.addEventListener('abort', reject)),
      ]);
      return { done: true };
    })
    .tool('Job.Must', { ...about, task: 'required' }, () => 'done')
    .tool('Job.Refuse', { ...about, task: 'optional' }, () => {
      throw new ToolError('not_found', 'No such thing.');
    })
    .tool('Job.Crash', { ...about, task: 'optional' }, () => {
      throw new Error('secret');
    })
    .tool('Job.Ask', { ...about, task: 'optional' }, async (_, ctx) => {
      const ask = (message: string) => ctx.elicit({ message, schema: z.object({ name: z.string() }) });
      const [a, b] = await Promise.all([ask('First?'), ask('Second?')]);
      return { a: a.content, b: b.content };
    })
    .tool('Job.Plain', about, () => 'plain');
  const run = (name: string, more: InvokeOptions = knowing): Promise<any> =>
    jobs.request('tools/call', { name, arguments: {} }, more);
  const about2 = (
    method: 'tasks/get' | 'tasks/update' | 'tasks/cancel',
    params: object,
    more: InvokeOptions = knowing,
  ) => jobs.request(method, params, more) as Promise<any>;
  const until = (taskId: string, status: string) =>
    vi.waitFor(async () => {
      const task = await about2('tasks/get', { taskId });
      expect(task.status).toBe(status);
      return task;
    }, 15_000);
  return { jobs, run, task: about2, until, end, seen };
}

test('a call of a caller that knows tasks goes on in the background, and its result can be had', async () => {
  const { run, task, until, end } = create();
  const made = await run('Job.Run');
  expect(made).toEqual({
    resultType: 'task',
    taskId: expect.stringMatching(/^[0-9a-f-]{36}~[\w-]{32}$/),
    status: 'working',
    createdAt: expect.stringMatching(/^\d{4}-.*Z$/),
    lastUpdatedAt: made.createdAt,
    ttlMs: 3_600_000,
    pollIntervalMs: 1_000,
  });
  const { taskId } = made;
  await vi.waitFor(async () => expect((await task('tasks/get', { taskId })).statusMessage).toBe('half way'), 15_000);
  end.resolve();
  expect(await until(taskId, 'completed')).toMatchObject({
    resultType: 'complete',
    result: { content: [{ text: '{"done":true}' }], structuredContent: { done: true } },
  });
});

test('callers that know no tasks wait, or are refused where a task is a must; and learn nothing of tasks', async () => {
  const { run, task, end } = create();
  end.resolve();
  expect(await run('Job.Run', {})).toMatchObject({ structuredContent: { done: true } });
  expect(await run('Job.Plain')).toMatchObject({ content: [{ text: '"plain"' }] });
  await expect(run('Job.Must', {})).rejects.toThrow('knows tasks');
  const { taskId } = await run('Job.Must');
  await expect(task('tasks/get', { taskId }, {})).rejects.toThrow('knows tasks');
  await expect(task('tasks/get', { taskId: 'x' })).rejects.toThrow('Unknown task.');
  await expect(task('tasks/get', { taskId }, { ...knowing, principal: { subject: 'mallory' } })).rejects.toThrow(
    'Unknown',
  );
});

test('a tool that reports an error has completed; one that breaks has failed, and nobody learns why', async () => {
  const { run, until } = create();
  const refused = await run('Job.Refuse');
  expect(await until(refused.taskId, 'completed')).toMatchObject({ result: { isError: true } });
  const broken = await until((await run('Job.Crash')).taskId, 'failed');
  expect(broken.error).toEqual({ code: -32603, message: 'The tool failed.', data: { reason: 'internal' } });
});

test('a task asks through its status, and takes answers one by one', async () => {
  const { run, task, until } = create();
  const { taskId } = await run('Job.Ask');
  const asking = await until(taskId, 'input_required');
  expect(asking.inputRequests).toMatchObject({
    q1: { method: 'elicitation/create', params: { message: 'First?' } },
    q2: { method: 'elicitation/create', params: { message: 'Second?' } },
  });
  const answer = { action: 'accept', content: { name: 'Ada' } };
  const ack = await task('tasks/update', { taskId, inputResponses: { q1: answer, q9: answer } });
  expect(ack).toEqual({ resultType: 'complete' });
  const still = await until(taskId, 'input_required');
  expect(Object.keys(still.inputRequests)).toEqual(['q2']);
  await task('tasks/update', { taskId, inputResponses: { q1: answer, q2: answer } });
  expect(await until(taskId, 'completed')).toMatchObject({
    result: { structuredContent: { a: { name: 'Ada' }, b: { name: 'Ada' } } },
  });
  await expect(task('tasks/update', { taskId })).rejects.toThrow('inputResponses');
});

test('a cancelled task stays cancelled, and its handler hears of it', async () => {
  const { run, task, seen, end } = create();
  const { taskId } = await run('Job.Run');
  await vi.waitFor(async () => expect((await task('tasks/get', { taskId })).statusMessage).toBe('half way'), 15_000);
  expect(await task('tasks/cancel', { taskId })).toEqual({ resultType: 'complete' });
  expect(await task('tasks/cancel', { taskId })).toEqual({ resultType: 'complete' });
  expect(seen).toEqual(['AbortError']);
  end.resolve();
  await new Promise(setImmediate);
  expect(await task('tasks/get', { taskId })).toMatchObject({ status: 'cancelled' });
});

test('tasks are kept for a time and in a number; those that have ended give way', async () => {
  const { run, task, until, end, seen } = create({ limit: 2, ttlMs: 60_000 });
  const first = await run('Job.Must');
  await until(first.taskId, 'completed');
  await run('Job.Run');
  await run('Job.Run');
  await expect(task('tasks/get', { taskId: first.taskId })).rejects.toThrow('Unknown task.');
  await expect(run('Job.Run')).rejects.toMatchObject({ message: 'The service is busy.' });
  end.resolve();

  const short = create({ ttlMs: 5 });
  const { taskId } = await short.run('Job.Run');
  await vi.waitFor(() => expect(short.task('tasks/get', { taskId })).rejects.toThrow('Unknown task.'), 15_000);
  await vi.waitFor(() => expect([...seen, ...short.seen]).toEqual(['TimeoutError']), 15_000);
});
