import { type } from 'arktype';
import { pino } from 'pino';
import { afterEach, describe, expect, expectTypeOf, test, vi } from 'vitest';
import { z } from 'zod';
import { CallError, service, ToolError } from './index.ts';

const lines: any[] = [];
const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line)) });
const create = (options = {}) => service('tasks', { version: '1.0.0', log, ...options });
const input = z.object({ title: z.string() });

afterEach(() => void lines.splice(0));

describe('definitions', () => {
  test('a later description adds and replaces, and never takes scopes away', async () => {
    const tasks = create();
    tasks.describe('TaskService.Delete', { scopes: ['tasks:admin'], sideEffect: 'destructive' });
    tasks.tool('TaskService.Delete', { description: 'Deletes.', input }, () => undefined);
    tasks.tool('TaskService.Delete', { description: 'Deletes a task.', owner: 'team-tasks' });
    tasks.describe('TaskService.Delete', { scopes: undefined as never, risk: 'high' });
    expect((await tasks.manifest()).tools[0]).toMatchObject({
      description: 'Deletes a task.',
      scopes: ['tasks:admin'],
      sideEffect: 'destructive',
      owner: 'team-tasks',
      risk: 'high',
    });
    expect(() =>
      create()
        .describe('A.B', { scopes: ['a'] })
        .describe('A.B', { scopes: [] }),
    ).toThrow('cannot remove');
  });

  test('names are checked, and a second handler is refused', () => {
    for (const name of ['', 'Tasks', '-a', 'a_b', 'a'.repeat(64)]) {
      expect(() => service(name, { version: '1.0.0', log }), name).toThrow(TypeError);
    }
    for (const version of ['', '1', '1.0', 'v1.0.0', '1.0.0 ']) {
      expect(() => service('tasks', { version, log }), version).toThrow('semantic version');
    }
    for (const name of ['', 'Create', 'A.B.C', 'A_B.C', 'A.', '.B', 'A.B ', '__proto__', `A.${'b'.repeat(63)}`]) {
      expect(() => create().describe(name, {}), name).toThrow('Handler.Method');
    }
    const tool = { description: 'x', input };
    const tasks = create().tool('A.B', tool, () => undefined);
    expect(() => tasks.tool('A.B', tool, () => undefined)).toThrow('already');
  });

  test('the manifest is in a stable order, whatever the order of definition', async () => {
    const tool = { description: 'x', input };
    const names = ['B.A', 'A.B', 'A.A'];
    const manifests = [names, [...names].reverse()].map((order) => {
      const tasks = create();
      for (const name of order) tasks.tool(name, tool, () => undefined);
      return tasks.manifest();
    });
    const [one, other] = await Promise.all(manifests);
    expect(one).toEqual(other);
    expect(one?.tools.map(({ name }) => name)).toEqual(['A.A', 'A.B', 'B.A']);
  });

  test('what cannot work is found at start, with the name of the tool', async () => {
    const error = (define: (tasks: ReturnType<typeof create>) => unknown) => {
      const tasks = create();
      define(tasks);
      return expect(tasks.manifest()).rejects;
    };
    await error((tasks) => tasks.describe('A.B', { description: 'x' })).toThrow('A.B is described but has no handler');
    await error((tasks) => tasks.tool('A.B', { input }, () => 1)).toThrow('A.B has no description');
    await error((tasks) => tasks.tool('A.B', { description: 'x', input: z.array(z.string()) }, () => 1)).toThrow(
      'A.B: input: it must describe an object',
    );
    await error((tasks) => tasks.tool('A.B', { description: 'x', input: z.object({ d: z.date() }) }, () => 1)).toThrow(
      'A.B: input',
    );
    const examples = [{ input: { title: 7 } }];
    await error((tasks) => tasks.tool('A.B', { description: 'x', input, examples }, () => 1)).toThrow(
      'A.B: example 1 does not match the schema: /title',
    );
  });

  test('nothing can be added once the service is in use', async () => {
    const tasks = create();
    await tasks.manifest();
    expect(() => tasks.describe('A.B', {})).toThrow('before it listens');
  });

  test('a schema is generated once', async () => {
    const generate = vi.spyOn(input['~standard'].jsonSchema, 'input');
    const tasks = create().tool('A.B', { description: 'x', input }, () => 1);
    await Promise.all([tasks.manifest(), tasks.manifest(), tasks.invoke('A.B', { title: 'a' })]);
    expect(generate).toHaveBeenCalledTimes(1);
  });
});

describe('calls', () => {
  test('zod, arktype and plain JSON Schema all check and all type', async () => {
    const tasks = create()
      .tool(
        'Z.Od',
        { description: 'x', input: z.object({ n: z.coerce.number() }), output: z.object({ n: z.number() }) },
        (value) => {
          expectTypeOf(value).toEqualTypeOf<{ n: number }>();
          return { n: value.n + 1 };
        },
      )
      .tool('Ark.Type', { description: 'x', input: type({ n: 'number' }) }, (value) => {
        expectTypeOf(value).toEqualTypeOf<{ n: number }>();
        return { n: value.n + 1 };
      })
      .tool('Ra.W', { description: 'x', input: { jsonSchema: { type: 'object', required: ['n'] } } }, (value) => {
        expectTypeOf(value).toEqualTypeOf<unknown>();
        return value;
      });
    expect(await tasks.invoke('Z.Od', { n: '1' })).toEqual({ n: 2 });
    expect(await tasks.invoke('Ark.Type', { n: 1 })).toEqual({ n: 2 });
    expect(await tasks.invoke('Ra.W', { n: 1 })).toEqual({ n: 1 });
    for (const name of ['Ark.Type', 'Ra.W']) {
      await expect(tasks.invoke(name, {})).rejects.toMatchObject({ code: 'invalid_argument' });
    }
    await expect(tasks.invoke('Ark.Type', { n: 'x' })).rejects.toThrow('/n: ');
  });

  test('the output is typed by its schema', () => {
    const output = z.object({ id: z.string() });
    // @ts-expect-error a number is no string
    create().tool('A.B', { description: 'x', input, output }, () => ({ id: 7 }));
    // @ts-expect-error the member is missing
    create().tool('A.C', { description: 'x', input, output }, async () => ({}));
    expect(create()).toBeDefined();
  });

  test('a broken output is logged and told to nobody', async () => {
    const tasks = create().tool('A.B', { description: 'x', input, output: input }, () => ({ title: 1 }) as never);
    await expect(tasks.invoke('A.B', { title: 'a' })).rejects.toMatchObject({
      message: 'The tool failed.',
      reason: 'internal',
    });
    expect(lines).toMatchObject([{ level: 50, tool: 'A.B', err: { message: expect.stringContaining('/title') } }]);
  });

  test('whatever a handler throws, the caller gets constant words and the log the cause', async () => {
    const thrown = [new Error('secret'), 'secret', undefined, null, { toString: () => 'secret' }];
    for (const value of thrown) {
      const tasks = create().tool('A.B', { description: 'x', input }, () => {
        throw value;
      });
      await expect(tasks.invoke('A.B', { title: 'a' })).rejects.toMatchObject({ message: 'The tool failed.' });
    }
    expect(lines).toHaveLength(thrown.length);
  });

  test('a ToolError is told, its cause is not', async () => {
    const tasks = create().tool('A.B', { description: 'x', input }, () => {
      throw new ToolError('not_found', 'No such task.', { cause: new Error('secret') });
    });
    const error = await tasks.invoke('A.B', { title: 'a' }).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(CallError);
    expect(error).toMatchObject({ code: 'not_found', message: 'No such task.', reason: 'tool_error' });
  });

  test('a message and its fields are logged in either order, and a child adds to both', async () => {
    const tasks = create().tool('A.B', { description: 'x', input }, (_, ctx) => {
      ctx.log.info('creating', { trace: ctx.traceId, by: ctx.principal.subject });
      ctx.log.warn({ by: 'bob' }, 'fields first');
      ctx.log.child({ step: 1 }).error(new Error('broken'));
    });
    await tasks.invoke('A.B', { title: 'a' });
    expect(lines).toMatchObject([
      { level: 30, msg: 'creating', by: 'test' },
      { level: 40, msg: 'fields first', by: 'bob' },
      { level: 50, step: 1, err: { message: 'broken' } },
    ]);
  });

  test('an answer that fits into no line is refused, not sent', async () => {
    const tasks = create().tool('A.B', { description: 'x', input }, () => ({ text: 'x'.repeat(9_000_000) }));
    await expect(tasks.invoke('A.B', { title: 'a' })).rejects.toMatchObject({ reason: 'internal' });
  });

  test('a handler logs with the names of its call', async () => {
    const tasks = create().tool('A.B', { description: 'x', input }, (_, { log: own, traceId }) => {
      own.info('working');
      return { traceId };
    });
    const { traceId } = (await tasks.invoke('A.B', { title: 'a' })) as { traceId: string };
    expect(lines).toMatchObject([{ msg: 'working', trace: traceId, tool: 'A.B' }]);
  });

  test('services that are called can be stood in for', async () => {
    const tasks = create().tool('A.B', { description: 'x', input }, async (_, ctx) => {
      const user = await ctx.call('users.User.Get', { id: 1 }, { output: z.object({ name: z.string() }) });
      expectTypeOf(user).toEqualTypeOf<{ name: string }>();
      return user;
    });
    const principal = { subject: 'bob' };
    const call = (tool: string, args: object) => ({ name: `${tool} ${JSON.stringify(args)}` });
    expect(await tasks.invoke('A.B', { title: 'a' }, { call, principal })).toEqual({ name: 'users.User.Get {"id":1}' });
    await expect(tasks.invoke('A.B', { title: 'a' })).rejects.toThrow('The tool failed.');
  });

  test('the signal fires at the deadline, and a late handler keeps its place until it ends', async () => {
    const end = Promise.withResolvers<void>();
    const reasons: unknown[] = [];
    const tasks = create({ concurrency: 1 }).tool(
      'A.B',
      { description: 'x', input },
      async (_, { signal, deadline }) => {
        expect(deadline).toBeInstanceOf(Date);
        signal.addEventListener('abort', () => reasons.push(signal.reason.name));
        await end.promise;
      },
    );
    await expect(tasks.invoke('A.B', { title: 'a' }, { timeoutMs: 10 })).rejects.toMatchObject({ reason: 'expired' });
    expect(reasons).toEqual(['TimeoutError']);
    await expect(tasks.invoke('A.B', { title: 'a' })).rejects.toMatchObject({ reason: 'overloaded' });
    end.resolve();
    await vi.waitFor(async () => expect(await tasks.invoke('A.B', { title: 'a' })).toBeNull(), 15_000);
  });
});
