import type { Answer, JsonText } from '@sallyport/core';
import type { JsonObject } from '@sallyport/protocol';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type ContractCall, callUpstream, contractTool, fateOf } from '../testing/contract-call.ts';
import type { McpService } from './service.ts';
import type { McpHttpOptions } from './service-http.ts';
import type { FakeAnswer, FakeHttpServer, Received } from './testing/fake-http-server.ts';
import { cleanup, connect } from './testing/service.ts';

const eventually = <T>(check: () => T | Promise<T>) => vi.waitFor(check, 15_000);
const text = (value: unknown) => JSON.stringify(value) as JsonText;
const tool = contractTool('contract', 'Ask');
const able = { capabilitiesText: text({ elicitation: { form: {} }, sampling: {}, roots: { listChanged: true } }) };

afterEach(cleanup);

interface Asking {
  readonly fake: FakeHttpServer;
  readonly service: McpService;
  /** The calls that are open at the server. */
  readonly open: FakeAnswer[];
  call(more?: Partial<ContractCall>): Promise<Answer>;
  /** What the server was told as the answer to its request of this id. */
  answerTo(id: string): Promise<JsonObject>;
}

/** A legacy server whose calls stay open until the test answers them. */
async function asking(
  onCall: (call: Received, answer: FakeAnswer) => void,
  options: Partial<McpHttpOptions> = {},
): Promise<Asking> {
  const open: FakeAnswer[] = [];
  const { fake, service } = await connect(
    {
      eras: ['legacy'],
      lists: { tools: [{ name: 'Ask', inputSchema: { type: 'object' } }] },
      on(call, answer) {
        if (call.method !== 'tools/call') return false;
        open.push(answer);
        onCall(call, answer);
        return true;
      },
    },
    options,
  );
  return {
    ...{ fake, service, open },
    call: (more) => callUpstream(service.upstream, { tool, client: able, ...more }),
    answerTo: (id) =>
      eventually(() => {
        const told = fake.received.filter(({ body }) => body !== '').map(({ body }) => JSON.parse(body) as JsonObject);
        const found = told.find((message) => message.id === id && !('method' in message));
        expect(found).toBeDefined();
        return found as JsonObject;
      }),
  };
}

const elicit = (id: string) => ({ message: { id, method: 'elicitation/create', params: { message: `${id}?` } } });
const stateOf = ({ text }: Answer) => (JSON.parse(text) as { readonly requestState: string }).requestState;
const retry = (answer: Answer, responses?: object): Partial<ContractCall> => ({
  hop: { retry: { requestState: stateOf(answer), ...(responses && { inputResponsesText: text(responses) }) } },
});

describe('a legacy server that asks in the middle of a call', () => {
  it('is answered by the same caller coming back, while the call stays open', async () => {
    const { fake, open, call, answerTo } = await asking((_call, answer) => answer.event(elicit('a')));
    const sent = vi.fn();
    const asked = await call({ onSent: sent });
    expect(asked).toMatchObject({ resultType: 'input_required', isError: false });
    expect(JSON.parse(asked.text)).toEqual({
      resultType: 'input_required',
      inputRequests: { q1: { method: 'elicitation/create', params: { message: 'a?' } } },
      requestState: expect.stringMatching(/^parked:/),
    });
    const result = call({ ...retry(asked, { q1: { action: 'accept', content: { n: 1 } }, other: 1 }), onSent: sent });
    expect(await answerTo('a')).toEqual({
      jsonrpc: '2.0',
      id: 'a',
      result: { action: 'accept', content: { n: 1 } },
    });
    open[0]?.final({ content: [] });
    expect((await result).text).toBe('{"content":[]}');
    expect(sent).toHaveBeenCalledTimes(2);
    expect(fake.of('tools/call')).toHaveLength(1);
    // What the server heard of the client is what the client can do, without what would have to be told later.
    expect(fake.of('initialize').at(-1)?.params.capabilities).toEqual({
      elicitation: { form: {} },
      sampling: {},
      roots: {},
    });
  });

  it('may ask several things at once, and again', async () => {
    const { open, call, answerTo } = await asking((_call, answer) => {
      answer.event(elicit('a'));
      answer.event({ message: { id: 'b', method: 'roots/list' } });
    });
    const first = await call();
    expect(Object.keys((JSON.parse(first.text) as { inputRequests: object }).inputRequests)).toEqual(['q1', 'q2']);
    // What was not answered is asked again.
    const second = await call(retry(first, { q1: { action: 'decline' } }));
    expect(JSON.parse(second.text)).toMatchObject({ inputRequests: { q2: { method: 'roots/list', params: {} } } });
    expect(stateOf(second)).not.toBe(stateOf(first));
    const third = call(retry(second, { q2: { roots: [] } }));
    await answerTo('b');
    open[0]?.event(elicit('c'));
    const last = call(retry(await third, { q3: { action: 'accept' } }));
    await answerTo('c');
    open[0]?.final({ content: [] });
    expect(await fateOf(last)).toBe('{"content":[]}');
  });

  it('hears a refusal of its client in the words of that client', async () => {
    const { open, call, answerTo } = await asking((_call, answer) => answer.event(elicit('a')));
    const refusal = { 'dev.sallyport/error': { code: -1, message: 'User rejected sampling request' } };
    const result = call(retry(await call(), { q1: refusal }));
    expect(await answerTo('a')).toEqual({
      jsonrpc: '2.0',
      id: 'a',
      error: { code: -1, message: 'User rejected sampling request' },
    });
    open[0]?.final({ content: [] });
    await result;
  });

  it('is declined what its client did not say it can be asked', async () => {
    const { open, call, answerTo } = await asking((_call, answer) => answer.event(elicit('a')));
    const result = call({ client: { capabilitiesText: text({ roots: {} }) } });
    expect(await answerTo('a')).toMatchObject({ error: { code: -32603 } });
    open[0]?.final({ content: [] });
    expect((await result).resultType).toBeUndefined();
  });

  it('may answer while its client still thinks', async () => {
    const { open, call } = await asking((_call, answer) => answer.event(elicit('a')));
    const asked = await call();
    open[0]?.final({ content: ['late'] });
    expect(await fateOf(call(retry(asked)))).toBe('{"content":["late"]}');
  });

  it('is told when the client gives up or does not come back', async () => {
    const { fake, call, answerTo } = await asking((_call, answer) => answer.event(elicit('a')), {
      parking: { parkedMs: 20 },
    });
    const asked = await call();
    expect(await answerTo('a')).toMatchObject({ error: { code: -32603 } });
    await eventually(() => expect(fake.of('notifications/cancelled')).toHaveLength(1));
    expect(await fateOf(call(retry(asked)))).toBe('parked_elsewhere');
  });

  it('is told of every question that nobody answers, however many end together', async () => {
    const calls = 100;
    const { fake, call } = await asking((asked, answer) => answer.event(elicit(`q${asked.id}`)), {
      parking: { parkedMs: 200, maxPerOwner: calls },
    });
    await Promise.all(Array.from({ length: calls }, () => call()));
    const declined = () => fake.received.filter(({ body }) => body.includes('Nobody can be asked.'));
    await eventually(() => expect(declined()).toHaveLength(calls));
  });

  it('is told when the caller goes away after it came back', async () => {
    const { fake, call, answerTo } = await asking((_call, answer) => answer.event(elicit('a')));
    const caller = new AbortController();
    const result = call({ ...retry(await call(), { q1: { action: 'accept' } }), signal: caller.signal });
    await answerTo('a');
    caller.abort();
    expect(await fateOf(result)).toBe('cancelled');
    await eventually(() => expect(fake.of('notifications/cancelled')).toHaveLength(1));
  });

  it('takes each state once', async () => {
    const { open, call, answerTo } = await asking((_call, answer) => answer.event(elicit('a')));
    const asked = await call();
    const result = call(retry(asked, { q1: { action: 'accept' } }));
    await answerTo('a');
    expect(await fateOf(call(retry(asked, { q1: { action: 'accept' } })))).toBe('parked_elsewhere');
    open[0]?.final({ content: [] });
    await result;
  });

  it.each([
    ['of one principal', { maxPerOwner: 2 }],
    ['in all', { maxParked: 2 }],
  ])('can have only so many calls waiting %s', async (_what, parking) => {
    const { fake, call } = await asking((_call, answer) => answer.event(elicit('a')), { parking });
    expect([await call(), await call()].map(({ resultType }) => resultType)).toEqual([
      'input_required',
      'input_required',
    ]);
    expect(await fateOf(call())).toBe('sessions_exhausted');
    await eventually(() => expect(fake.of('notifications/cancelled')).toHaveLength(1));
  });

  it('keeps the conversations of different clients apart', async () => {
    const { fake, call } = await asking((_call, answer) => answer.final({ content: [] }));
    for (const conversation of ['one', 'two', 'one']) await call({ client: { ...able, conversation } });
    expect(fake.of('tools/call').map(({ headers }) => headers['mcp-session-id'])).toEqual([
      'session-2',
      'session-3',
      'session-2',
    ]);
  });

  it('is told once of the log level that its client wants, and heard accordingly', async () => {
    const heard: string[] = [];
    const { fake, service } = await connect({
      eras: ['legacy'],
      capabilities: { tools: {}, logging: {} },
      on({ method }, answer) {
        if (method === 'logging/setLevel') answer.json('{}');
        if (method !== 'tools/call') return method === 'logging/setLevel';
        for (const level of ['debug', 'warning']) {
          answer.event({ message: { method: 'notifications/message', params: { level, data: level } } });
        }
        answer.final({ content: [] });
        return true;
      },
    });
    const onNotification = ({ paramsText }: { readonly paramsText: string }) =>
      void heard.push(JSON.parse(paramsText).level);
    const call = (logLevel?: string) =>
      callUpstream(service.upstream, { tool, client: { ...(logLevel && { logLevel }) }, request: { onNotification } });
    await call('warning');
    await call('warning');
    await call('debug');
    expect(fake.of('logging/setLevel').map(({ params }) => params.level)).toEqual(['warning', 'debug']);
    expect(heard).toEqual(['warning', 'warning', 'debug', 'warning']);
    await call();
    expect(heard).toHaveLength(4);
  });
});

describe('a legacy server that refuses with addresses to visit', () => {
  const data = { elicitations: [{ mode: 'url', url: 'https://a.test/', elicitationId: 'e1', message: 'Visit' }] };

  it('asks a modern caller to visit them', async () => {
    const { call } = await asking((_call, answer) => answer.error(200, { code: -32042, message: 'Visit', data }));
    expect(JSON.parse((await call()).text)).toMatchObject({
      resultType: 'input_required',
      inputRequests: { e1: { method: 'elicitation/create', params: { url: 'https://a.test/' } } },
    });
  });

  it('is passed on to a legacy caller as it is', async () => {
    const { call } = await asking((_call, answer) => answer.error(200, { code: -32042, message: 'Visit', data }));
    const answer = await call({ hop: { era: 'legacy' } });
    expect(answer.shape).toBe('error');
    expect(JSON.parse(answer.text)).toEqual({ code: -32042, message: 'Visit', data });
  });
});
