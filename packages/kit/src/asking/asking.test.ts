// biome-ignore-all lint/suspicious/noExplicitAny: tests look into what they receive without declaring it
import type { JsonObject } from '@sallyport/protocol';
import { pino } from 'pino';
import { describe, expect, expectTypeOf, test, vi } from 'vitest';
import { z } from 'zod';
import type { Answer } from '../answer.ts';
import type { IncomingCall } from '../call-context.ts';
import { service, ToolError } from '../index.ts';
import { createDraftTable } from '../offers/drafts.ts';
import { prepare } from '../prepare.ts';
import { createToolTable } from '../tool-table.ts';

const log = pino({ level: 'silent' });
const create = () => service('shop', { version: '1.0.0', log });
const input = z.object({});
const about = { description: 'For tests.', input };

describe('a handler that asks', () => {
  const shop = create()
    .tool('Order.Pay', about, async (_, ctx) => {
      const form = z.object({ amount: z.number().min(1), card: z.enum(['a', 'b']).optional() });
      const answer = await ctx.elicit({ message: 'How much?', schema: form });
      if (answer.action === 'accept') {
        expectTypeOf(answer.content).toEqualTypeOf<{ amount: number; card?: 'a' | 'b' | undefined }>();
        return { paid: answer.content.amount };
      }
      return { paid: 0, why: answer.action };
    })
    .tool('Order.Visit', about, (_, ctx) => ctx.elicit({ message: 'Sign in.', url: 'https://shop.example/login' }))
    .tool('Order.Think', about, async (_, ctx) => {
      const { content } = await ctx.sample({
        messages: [{ role: 'user', content: { type: 'text', text: 'Why?' } }],
        maxTokens: 10,
      });
      return { content };
    })
    .tool('Order.Where', about, async (_, ctx) => ({ roots: await ctx.roots() }))
    .tool('Order.Both', about, async (_, ctx) => {
      const [first, second] = await Promise.all([
        ctx.elicit({ message: 'First?', schema: z.object({ a: z.string() }) }),
        ctx.elicit({ message: 'Second?', schema: z.object({ b: z.string() }) }),
      ]);
      const third = await ctx.elicit({ message: 'Third?', schema: z.object({ c: z.string() }) });
      return { first: first.content, second: second.content, third: third.content };
    })
    .tool('Order.Deep', about, (_, ctx) => ctx.elicit({ message: 'What?', schema: z.object({ deep: z.object({}) }) }))
    .prompt('ask', { description: 'Asks.' }, async (_, ctx) => {
      const { content } = await ctx.elicit({ message: 'Name?', schema: z.object({ name: z.string() }) });
      return `Hello ${content?.name}`;
    })
    .resource('shop://ask', { name: 'Ask', description: 'Asks.' }, async (ctx) => {
      const { content } = await ctx.elicit({ message: 'Name?', schema: z.object({ name: z.string() }) });
      return `Hello ${content?.name}`;
    });

  test('gets the answer, checked and typed', async () => {
    const asked: unknown[] = [];
    const answer = (method: string, params: JsonObject) => {
      asked.push([method, params]);
      return { action: 'accept', content: { amount: 7, card: 'a' } };
    };
    expect(await shop.invoke('Order.Pay', {}, { answer })).toEqual({ paid: 7 });
    expect(asked).toEqual([
      [
        'elicitation/create',
        {
          mode: 'form',
          message: 'How much?',
          requestedSchema: {
            type: 'object',
            properties: { amount: { type: 'number', minimum: 1 }, card: { type: 'string', enum: ['a', 'b'] } },
            required: ['amount'],
          },
        },
      ],
    ]);
    for (const action of ['decline', 'cancel']) {
      expect(await shop.invoke('Order.Pay', {}, { answer: () => ({ action }) })).toEqual({ paid: 0, why: action });
    }
    const wrong = shop.invoke('Order.Pay', {}, { answer: () => ({ action: 'accept', content: { amount: 0 } }) });
    await expect(wrong).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringContaining('/amount'),
    });
  });

  test('can ask for a visit, for a model and for folders', async () => {
    const answer = (method: string, params: any) => {
      if (method === 'roots/list') return { roots: [{ uri: 'file:///work', name: 'Work' }] };
      if (method === 'sampling/createMessage') {
        return { role: 'assistant', model: 'm', content: { type: 'text', text: `${params.maxTokens}` } };
      }
      expect(params).toEqual({ mode: 'url', message: 'Sign in.', url: 'https://shop.example/login' });
      return { action: 'accept' };
    };
    expect(await shop.invoke('Order.Visit', {}, { answer })).toEqual({ action: 'accept' });
    expect(await shop.invoke('Order.Think', {}, { answer })).toEqual({ content: { type: 'text', text: '10' } });
    expect(await shop.invoke('Order.Where', {}, { answer })).toEqual({
      roots: [{ uri: 'file:///work', name: 'Work' }],
    });
  });

  test('asks together what it asks at once', async () => {
    let rounds = 0;
    const answer = (_: string, { message }: any) => {
      rounds += 1;
      return { action: 'accept', content: { a: '1', b: '2', c: String(message) } };
    };
    expect(await shop.invoke('Order.Both', {}, { answer })).toEqual({
      first: { a: '1' },
      second: { b: '2' },
      third: { c: 'Third?' },
    });
    expect(rounds).toBe(3);
  });

  test('can be a prompt or a resource', async () => {
    const answer = () => ({ action: 'accept', content: { name: 'Ada' } });
    expect(await shop.request('prompts/get', { name: 'ask' }, { answer })).toMatchObject({
      messages: [{ content: { text: 'Hello Ada' } }],
    });
    expect(await shop.request('resources/read', { uri: 'shop://ask' }, { answer })).toMatchObject({
      contents: [{ text: 'Hello Ada' }],
    });
  });

  test('is told when the caller cannot be asked, or when its question is none', async () => {
    const seen: unknown[] = [];
    const careful = create().tool('A.B', about, async (_, ctx) => {
      const questions = [
        () => ctx.elicit({ message: 'x', schema: input }),
        () => ctx.elicit({ message: 'x', url: 'https://x.example' }),
        () => ctx.sample({ messages: [], maxTokens: 1, tools: [] }),
        () => ctx.roots(),
      ];
      for (const ask of questions) await ask().catch((error: any) => seen.push([error.code, error.reason]));
    });
    await careful.invoke('A.B', {}, { capabilities: { sampling: {} } });
    expect(seen).toEqual(Array(4).fill(['failed_precondition', 'caller_cannot_be_asked']));
    await careful.invoke('A.B', {}, { capabilities: { elicitation: { url: {} } } }).catch(() => undefined);
    expect(seen.slice(4)).toHaveLength(1);
    await expect(shop.invoke('Order.Deep', {}, { answer: () => ({}) })).rejects.toMatchObject({ reason: 'internal' });
    for (const answer of [() => ({}), () => ({ action: 'maybe' })]) {
      await expect(shop.invoke('Order.Visit', {}, { answer })).rejects.toMatchObject({ reason: 'internal' });
    }
    await expect(shop.invoke('Order.Where', {}, { answer: () => ({ roots: [7] }) })).rejects.toThrow();
  });

  test('writes to the log of a caller that asked for it', async () => {
    const logged: unknown[] = [];
    const noisy = create().tool('A.B', about, (_, ctx) => {
      ctx.logToCaller('debug', { step: 1 });
      ctx.logToCaller('error', 'broken', 'db');
    });
    await noisy.invoke('A.B', {}, { onLog: (level, data) => logged.push([level, data]) });
    await noisy.invoke('A.B', {});
    expect(logged).toEqual([
      ['debug', { step: 1 }],
      ['error', 'broken'],
    ]);
  });
});

describe('a call that waits for its caller', () => {
  const can = { capabilities: { elicitation: {} } };

  async function start(handler: (ctx: any) => unknown, concurrency = 1) {
    const rules = { nowMs: () => performance.now(), environment: undefined };
    const tools = createToolTable({ service: 'shop', version: '1.0.0' }, rules);
    tools.add('A.B', { ...about, handler: (_: never, ctx) => handler(ctx) });
    tools.add('A.Other', { ...about, handler: () => 'other' });
    const shared = { service: 'shop', log, nowMs: () => performance.now() };
    const drafts = createDraftTable('shop');
    const { runner, instance } = await prepare({ ...shared, tools, drafts, rules, concurrency, tasks: {} });
    const call = (more: Partial<IncomingCall> = {}): Promise<any> =>
      new Promise<Answer>((resolve) => {
        runner.start(
          {
            ...{ tool: 'A.B', id: 'c', traceparent: '', timeoutMs: 5_000, arguments: {}, client: can },
            principal: { subject: 'ada', client: 'x', kind: 'agent', scopes: [], attributes: {} },
            callTool: () => async () => null as never,
            ...more,
          },
          resolve,
        );
      }).then((answer) => (answer.kind === 'result' ? JSON.parse(answer.text) : answer.error.data?.reason));
    return { runner, call, instance };
  }
  const askName = (ctx: any) => ctx.elicit({ message: 'Name?', schema: z.object({ name: z.string() }) });
  const accept = (key: string) => ({ [key]: { action: 'accept', content: { name: 'Ada' } } });

  test('goes on once, for the same caller and the same tool, and names its instance', async () => {
    const { call, instance } = await start(async (ctx) => (await askName(ctx)).content);
    const asked = await call();
    expect(asked).toMatchObject({
      resultType: 'input_required',
      inputRequests: { q1: { method: 'elicitation/create' } },
    });
    const { requestState } = asked;
    expect(requestState.startsWith(`${instance}~`)).toBe(true);
    const retry = { requestState, inputResponses: accept('q1') };
    const mallory = { subject: 'mallory', client: 'x', kind: 'agent', scopes: [], attributes: {} } as const;
    expect(await call({ retry, principal: mallory })).toBe('state_invalid');
    expect(await call({ retry, tool: 'A.Other' })).toBe('state_invalid');
    expect(await call({ retry: { ...retry, requestState: `${requestState}x` } })).toBe('state_invalid');
    expect(await call({ retry })).toMatchObject({ structuredContent: { name: 'Ada' } });
    expect(await call({ retry })).toBe('state_invalid');
  });

  test('asks again, under a new state, for what was not answered', async () => {
    const { call } = await start(async (ctx) => (await askName(ctx)).content);
    const first = await call();
    const answers = [{}, accept('q2'), { q1: 'no object' }];
    let { requestState } = first;
    for (const inputResponses of answers) {
      const again = await call({ retry: { requestState, inputResponses: inputResponses as never } });
      expect(again.inputRequests).toEqual(first.inputRequests);
      expect(again.requestState).not.toBe(requestState);
      requestState = again.requestState;
    }
    expect(await call({ retry: { requestState, inputResponses: accept('q1') } })).toMatchObject({
      structuredContent: { name: 'Ada' },
    });
  });

  test('takes no place, and its log and progress go to whoever came back', async () => {
    const { runner, call } = await start(async (ctx) => {
      ctx.progress({ progress: 1 });
      await askName(ctx);
      ctx.progress({ progress: 2 });
      return { id: ctx.traceId };
    });
    const heard: unknown[] = [];
    const asked = await call({ onProgress: ({ progress }) => heard.push(['first', progress]) });
    expect(runner.inFlight).toBe(0);
    expect(await call({ tool: 'A.Other' })).toMatchObject({ content: [{ text: '"other"' }] });
    const { requestState } = asked;
    const retry = { requestState, inputResponses: accept('q1') };
    const more = { retry, id: 'd', onProgress: ({ progress }: any) => heard.push(['second', progress]) };
    expect(await call(more)).toMatchObject({ structuredContent: { id: 'd' } });
    expect(heard).toEqual([
      ['first', 1],
      ['second', 2],
    ]);
    expect(runner.inFlight).toBe(0);
  });

  test('that ends meanwhile has its answer for whoever comes back', async () => {
    const end = Promise.withResolvers<void>();
    const { call } = await start(async (ctx) => {
      await Promise.race([askName(ctx), end.promise]);
      return 'without you';
    });
    const { requestState } = await call();
    end.resolve();
    await new Promise(setImmediate);
    expect(await call({ retry: { requestState } })).toMatchObject({ content: [{ text: '"without you"' }] });
  });

  test('is given up when nobody comes back, and when the service shuts down', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const fates: string[] = [];
    const { runner, call } = await start(
      async (ctx) => askName(ctx).catch((error: Error) => fates.push(error.name)),
      9,
    );
    const { requestState } = await call();
    await vi.advanceTimersByTimeAsync(11 * 60_000);
    expect(fates).toEqual(['TimeoutError']);
    expect(await call({ retry: { requestState } })).toBe('state_invalid');
    await call();
    await runner.drain();
    await new Promise(setImmediate);
    expect(fates).toEqual(['TimeoutError', 'AbortError']);
    vi.useRealTimers();
  });

  test('is one of a bounded number, with a bounded number of questions', async () => {
    const tooMany = await start(async (ctx) => {
      const schema = z.object({});
      const asked = Array.from({ length: 40 }, () =>
        ctx.elicit({ message: 'x', schema }).catch((e: Error) => e.message),
      );
      return Promise.race(asked);
    });
    expect(await tooMany.call()).toMatchObject({ content: [{ text: '"This call has asked its caller too much."' }] });
    const { call } = await start(async (ctx) => askName(ctx).catch(() => 'nobody can be asked now'), 9_999);
    const asked = await Promise.all(Array.from({ length: 1_001 }, () => call()));
    expect(asked.filter((answer) => answer.resultType === 'input_required')).toHaveLength(1_000);
  });
});

test('a ToolError is for the caller, also after a question', async () => {
  const shop = create().tool('A.B', about, async (_, ctx) => {
    await ctx.roots();
    throw new ToolError('not_found', 'Nothing there.');
  });
  await expect(shop.invoke('A.B', {}, { answer: () => ({ roots: [] }) })).rejects.toThrow('Nothing there.');
});
