import { GatewayError, type JsonText } from '@sallyport/core';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Question } from './conversation.ts';
import { begin, cleanup, conversation, request } from './testing/conversation.ts';
import {
  type FakeAnswer,
  type FakeHttpOptions,
  type Received,
  startFakeHttpServer,
} from './testing/fake-http-server.ts';

const eventually = <T>(check: () => T | Promise<T>) => vi.waitFor(check, 15_000);

afterEach(cleanup);

/** A server that answers calls with what the test says, and has the session's own stream if the test gives one. */
function legacy(
  onCall: (call: Received, answer: FakeAnswer) => void,
  onGet?: (call: Received, answer: FakeAnswer) => void,
): FakeHttpOptions {
  return {
    eras: ['legacy'],
    on(call, answer) {
      if (call.method === 'tools/call') onCall(call, answer);
      else if (call.verb === 'GET' && onGet) onGet(call, answer);
      else return false;
      return true;
    },
  };
}

/** Opens the session's own stream and keeps the way to write to it. */
function ownStream() {
  const open: FakeAnswer[] = [];
  const onGet = (_call: Received, answer: FakeAnswer): void => {
    open.push(answer);
    answer.event({ id: 'own-1' });
  };
  return { open, onGet };
}

describe('a conversation of the legacy era', () => {
  it('begins with the handshake and keeps its session until it is closed', async () => {
    const capabilitiesText = '{"elicitation":{"form":{}}}' as JsonText;
    const { fake, made } = await conversation('legacy', { eras: ['legacy'] }, { capabilitiesText });
    expect(made).toMatchObject({ era: 'legacy', version: '2025-11-25', server: { info: { name: 'fake' } } });
    await made.request(request('tools/call'));
    await made.close();
    expect(fake.received.map(({ verb, method, headers }) => [verb, method, headers['mcp-session-id']])).toEqual([
      ['POST', 'initialize', undefined],
      ['POST', 'notifications/initialized', 'session-1'],
      ['POST', 'tools/call', 'session-1'],
      ['DELETE', '', 'session-1'],
    ]);
    expect(fake.of('initialize')[0]?.params).toMatchObject({ capabilities: { elicitation: { form: {} } } });
    expect(fake.of('tools/call')[0]?.headers['mcp-protocol-version']).toBe('2025-11-25');
    expect(fake.of('tools/call')[0]?.params).toEqual({ name: 'x', arguments: {} });
  });

  it('does without sessions', async () => {
    const { made } = await conversation('legacy', { eras: ['legacy'], sessions: false });
    expect(await made.request(request('tools/call'))).toMatchObject({ kind: 'result' });
  });

  it('does not begin with a server of the other era', async () => {
    const fake = await startFakeHttpServer({ eras: ['modern'] });
    expect(await begin(fake, 'legacy')).toBeUndefined();
    await fake.kill();
  });

  it.each([
    ['2025-03-26', '2025-03-26'],
    ['2024-10-07', '2024-10-07'],
    ['2026-07-28', undefined],
    ['2025-12-31', undefined],
  ])('takes version %s for %s', async (protocolVersion, expected) => {
    const result = JSON.stringify({ protocolVersion, capabilities: {}, serverInfo: { name: 'old', version: '1' } });
    const fake = await startFakeHttpServer({
      eras: ['legacy'],
      sessions: false,
      on({ method }, answer) {
        if (method !== 'initialize') return false;
        answer.json(result);
        return true;
      },
    });
    expect((await begin(fake, 'legacy'))?.version).toBe(expected);
    await fake.kill();
  });

  it('hands on what comes before the answer, in order', async () => {
    const { made } = await conversation(
      'legacy',
      legacy(({ params, id }, answer) => {
        const { progressToken } = params._meta as { progressToken: unknown };
        answer.event({ message: { method: 'notifications/progress', params: { progressToken, progress: 1 } } });
        answer.event({ message: { method: 'notifications/message', params: { level: 'info', data: 'a' } } });
        answer.event({ message: { id: 'other', result: {} } });
        answer.event({ message: { method: 'notifications/progress', params: { progressToken, progress: 2 } } });
        answer.event({ message: { id, error: { code: -32602, message: 'No.' } } });
      }),
    );
    const heard: unknown[] = [];
    const answer = await made.request(
      request('tools/call', {
        onProgress: ({ progress }) => heard.push(progress),
        onNotification: (method) => heard.push(method),
      }),
    );
    expect(heard).toEqual([1, 'notifications/message', 2]);
    expect(answer).toMatchObject({ kind: 'error', code: -32602, message: 'No.' });
  });

  it.each(['in one body', 'on a stream'])('takes several messages in an array, %s', async (how) => {
    const { made } = await conversation(
      'legacy',
      legacy(({ id, params }, { response }) => {
        const { progressToken } = params._meta as { progressToken: unknown };
        const text = JSON.stringify([
          { jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken, progress: 1 } },
          { jsonrpc: '2.0', id, result: { content: [] } },
        ]);
        if (how === 'in one body') response.writeHead(200, { 'content-type': 'application/json' }).end(text);
        else response.writeHead(200, { 'content-type': 'text/event-stream' }).end(`data: ${text}\n\n`);
      }),
    );
    const onProgress = vi.fn();
    expect(await made.request(request('tools/call', { onProgress }))).toMatchObject({ text: '{"content":[]}' });
    expect(onProgress).toHaveBeenCalledExactlyOnceWith({ progress: 1 });
  });

  it('does not wait for a stream of the session whose server says nothing yet', async () => {
    const { made } = await conversation(
      'legacy',
      legacy(
        (_call, answer) => answer.final({ content: [] }),
        () => undefined,
      ),
    );
    expect(await made.request(request('tools/call', { onProgress: () => undefined }))).toMatchObject({
      kind: 'result',
    });
  });

  it('brings a question to who takes it, and the answer back', async () => {
    const { fake, made } = await conversation(
      'legacy',
      legacy((call, answer) => {
        answer.event({ message: { id: 'q-1', method: 'elicitation/create', params: { message: 'Sure?' } } });
        answer.event({ message: { id: 7, method: 'ping' } });
        answer.event({ message: { id: 8, method: 'vendor/ask' } });
        const waiting = setInterval(() => {
          const told = fake.received.filter(
            ({ body }) => /"id":("q-1"|7|8)/.test(body) && !body.includes('tools/call'),
          );
          if (told.length < 3) return;
          clearInterval(waiting);
          answer.final({ content: told.map(({ body }) => JSON.parse(body)) });
        }, 5);
        expect(call.method).toBe('tools/call');
      }),
    );
    const onQuestion = ({ method, paramsText, answer }: Question): void => {
      expect([method, paramsText]).toEqual(['elicitation/create', '{"message":"Sure?"}']);
      answer('{"action":"accept"}' as JsonText);
      answer('{"action":"decline"}' as JsonText);
    };
    const result = await made.request(request('tools/call', { onQuestion }));
    expect(result).toMatchObject({
      value: {
        content: expect.arrayContaining([
          { jsonrpc: '2.0', id: 'q-1', result: { action: 'accept' } },
          { jsonrpc: '2.0', id: 7, result: {} },
          { jsonrpc: '2.0', id: 8, error: { code: -32601, message: 'Method not found' } },
        ]),
      },
    });
  });

  it('hears questions, progress and log messages that come on the stream of the session', async () => {
    const { open, onGet } = ownStream();
    const calls: FakeAnswer[] = [];
    const { fake, made } = await conversation(
      'legacy',
      legacy(({ id }, answer) => {
        calls.push(answer);
        open[0]?.event({ message: { method: 'notifications/progress', params: { progressToken: id, progress: 1 } } });
        open[0]?.event({ message: { method: 'notifications/message', params: { level: 'info', data: 'a' } } });
        open[0]?.event({ message: { id: 'q', method: 'roots/list' } });
      }, onGet),
    );
    const heard: unknown[] = [];
    const answer = made.request(
      request('tools/call', {
        onProgress: ({ progress }) => heard.push(progress),
        onNotification: (method) => heard.push(method),
        onQuestion(question) {
          heard.push(question.method);
          question.answer('{"roots":[]}' as JsonText);
        },
      }),
    );
    await eventually(() => expect(fake.received.at(-1)?.body).toContain('"roots":[]'));
    calls[0]?.final({ content: [] });
    expect(await answer).toMatchObject({ kind: 'result' });
    expect(heard).toEqual([1, 'notifications/message', 'roots/list']);
  });

  it('declines a question that could be about more than one request', async () => {
    const { open, onGet } = ownStream();
    const calls: FakeAnswer[] = [];
    const { fake, made } = await conversation(
      'legacy',
      legacy((_call, answer) => calls.push(answer), onGet),
    );
    const onQuestion = vi.fn();
    const answers = [1, 2].map(() => made.request(request('tools/call', { onQuestion })));
    await eventually(() => expect(calls).toHaveLength(2));
    open[0]?.event({ message: { id: 'q', method: 'roots/list' } });
    await eventually(() => expect(fake.received.at(-1)?.body).toContain('-32601'));
    for (const each of calls) each.final({ content: [] });
    await Promise.all(answers);
    expect(onQuestion).not.toHaveBeenCalled();
  });

  it('tells of what belongs to no request, over a stream that is opened again where it ended', async () => {
    const { open, onGet } = ownStream();
    const { fake, made } = await conversation(
      'legacy',
      legacy(() => undefined, onGet),
    );
    const heard: string[] = [];
    made.onNotification((method) => heard.push(method));
    await eventually(() => expect(open).toHaveLength(1));
    open[0]?.event({ message: { method: 'notifications/tools/list_changed' }, id: 'own-2', retry: 1 });
    open[0]?.response.end();
    await eventually(() => expect(open).toHaveLength(2));
    open[1]?.event({ message: { method: 'notifications/resources/updated', params: { uri: 'x://y' } } });
    await eventually(() =>
      expect(heard).toEqual(['notifications/tools/list_changed', 'notifications/resources/updated']),
    );
    expect(fake.received.filter(({ verb }) => verb === 'GET').map(({ headers }) => headers['last-event-id'])).toEqual([
      undefined,
      'own-2',
    ]);
  });

  it('takes a stream up again that ended before the answer, when the server said so', async () => {
    const { fake, made } = await conversation(
      'legacy',
      legacy(
        (_call, answer) => {
          answer.event({ id: 'e-1', retry: 10 });
          answer.response.end();
        },
        (_call, answer) => {
          const call = fake.of('tools/call')[0];
          answer.event({ message: { id: call?.id, result: { content: [] } }, id: 'e-2' });
        },
      ),
    );
    const onPause = vi.fn();
    expect(await made.request(request('tools/call', { onPause }))).toMatchObject({ kind: 'result' });
    expect(onPause).toHaveBeenCalledExactlyOnceWith(10);
    expect(fake.received.at(-1)?.headers['last-event-id']).toBe('e-1');
  });

  it('does not take it up for ever', async () => {
    const { fake, made } = await conversation(
      'legacy',
      legacy(
        (_call, answer) => {
          answer.event({ id: 'e-1', retry: 1 });
          answer.response.end();
        },
        (_call, answer) => {
          answer.event({});
          answer.response.end();
        },
      ),
    );
    await expect(made.request(request('tools/call'))).rejects.toMatchObject({ reason: 'upstream_failed' });
    expect(fake.received.filter(({ verb }) => verb === 'GET').length).toBeLessThan(10);
  });

  it('fails when the stream ends and nobody knows where', async () => {
    const { made } = await conversation(
      'legacy',
      legacy((_call, answer) => {
        answer.event({});
        answer.response.end();
      }),
    );
    await expect(made.request(request('tools/call'))).rejects.toMatchObject({ reason: 'upstream_failed' });
  });

  it('tells the server of a request that nobody waits for any more', async () => {
    const { fake, made } = await conversation(
      'legacy',
      legacy(() => undefined),
    );
    const ending = new AbortController();
    const running = made.request(request('tools/call', { signal: ending.signal }));
    await eventually(() => expect(fake.of('tools/call')).toHaveLength(1));
    ending.abort(new GatewayError('upstream_timeout'));
    await expect(running).rejects.toMatchObject({ reason: 'upstream_timeout' });
    await eventually(() =>
      expect(fake.of('notifications/cancelled')[0]?.params).toEqual({ requestId: fake.of('tools/call')[0]?.id }),
    );
  });

  it.each([
    ['with the status of the specification', 404, { code: -32001, message: 'Session not found' }],
    ['as the first examples do', 400, { code: -32000, message: 'Bad Request: No valid session ID provided' }],
  ])('notices that the server has forgotten it, %s', async (_how, status, error) => {
    const { fake, made } = await conversation('legacy', { eras: ['legacy'] });
    const lost = vi.fn();
    made.onLost(lost);
    fake.become({
      on(_call, answer) {
        answer.error(status, error);
        return true;
      },
    });
    await expect(made.request(request('tools/call'))).rejects.toMatchObject({ reason: 'upstream_unavailable' });
    expect(lost).toHaveBeenCalledOnce();
  });

  it('notices on its own stream that the server was restarted', async () => {
    const { open, onGet } = ownStream();
    const { fake, made } = await conversation(
      'legacy',
      legacy(() => undefined, onGet),
    );
    const lost = vi.fn();
    made.onLost(lost);
    made.onNotification(() => undefined);
    await eventually(() => expect(open).toHaveLength(1));
    fake.become({ on: () => undefined });
    await fake.restart();
    await eventually(() => expect(lost).toHaveBeenCalledOnce());
  });
});
