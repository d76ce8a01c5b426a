import { GatewayError, type JsonText } from '@sallyport/core';
import type { JsonObject } from '@sallyport/protocol';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import type { ConversationRequest, Question } from './conversation.ts';
import { createStdioPeer, type StdioEnvelope } from './stdio-peer.ts';
import { request } from './testing/conversation.ts';

/** A peer whose other end is the test. */
function peer({ isShared = true }: { readonly isShared?: boolean } = {}) {
  const written: JsonObject[] = [];
  let now = 0;
  const made = createStdioPeer({
    service: 'test',
    isShared,
    log: pino({ level: 'silent' }),
    nowMs: () => now,
    send({ text, onStart }) {
      onStart?.();
      expect(text).not.toMatch(/[\r\n]/);
      written.push(JSON.parse(text) as JsonObject);
      return () => false;
    },
  });
  const receive = (message: object): void => made.receive(JSON.stringify({ jsonrpc: '2.0', ...message }));
  const told: string[] = [];
  made.onNotification((method, paramsText) => void told.push(`${method} ${paramsText}`));
  const pass = (ms: number): void => {
    now += ms;
  };
  return { made, written, receive, told, pass };
}

/** A call that writes down what it is asked and told. */
function asking(overrides: Partial<ConversationRequest> = {}) {
  const questions: Question[] = [];
  const notes: string[] = [];
  const ended = new AbortController();
  const made = request('tools/call', {
    signal: ended.signal,
    onQuestion: (question) => void questions.push(question),
    onNotification: (method) => void notes.push(method),
    ...overrides,
  });
  return { made, questions, notes, ended };
}

const question = { id: 'q-1', method: 'elicitation/create', params: { message: 'Sure?' } };
const logLine = { method: 'notifications/message', params: { level: 'info', data: 'x' } };
const result = { content: [] };

describe('requests over stdio', () => {
  it('have ids of their own, and get the text of their answers as it was written', async () => {
    const { made, written } = peer();
    const [first, second] = [made.request(request('tools/call')), made.request(request('tools/call'))];
    expect(written.map(({ id }) => id)).toEqual([1, 2]);
    made.receive('{"jsonrpc":"2.0","id":2,"result":{ "big": 1.0e2,\t"x":[] }}');
    made.receive('{"result":{"a":1},"jsonrpc":"2.0","id":1}');
    expect(await second).toMatchObject({ kind: 'result', text: '{ "big": 1.0e2,\t"x":[] }' });
    expect(await first).toMatchObject({ kind: 'result', text: '{"a":1}' });
  });

  it('fit on one line, however they were written', async () => {
    const { made, written } = peer();
    void made.request(request('tools/call', { paramsText: '{\n"name":"x",\r\n"arguments":{"a":"\\n"}}' as JsonText }));
    expect(written[0]).toMatchObject({ params: { name: 'x', arguments: { a: '\n' } } });
  });

  it('describe themselves in the modern era, whatever their caller wrote', () => {
    const { made, written } = peer();
    const envelope: StdioEnvelope = {
      version: '2026-07-28',
      clientInfo: { name: 'g', version: '1' },
      capabilitiesText: '{}',
    };
    const forged = { 'io.modelcontextprotocol/protocolVersion': '"1999-01-01"', acme: '1' };
    const paramsText = '{"name":"x","_meta":{"kept":true}}' as JsonText;
    void made.request(
      request('tools/call', { paramsText, meta: forged, capabilitiesText: '{"roots":{}}' as JsonText }),
      envelope,
    );
    expect(written[0]).toHaveProperty('params._meta', {
      kept: true,
      acme: 1,
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientInfo': { name: 'g', version: '1' },
      'io.modelcontextprotocol/clientCapabilities': { roots: {} },
    });
  });

  it('are cancelled by a notification, once, and late answers are left alone', async () => {
    const { made, written, receive } = peer();
    const { made: call, ended } = asking();
    const answer = made.request(call);
    ended.abort(new GatewayError('cancelled'));
    await expect(answer).rejects.toMatchObject({ reason: 'cancelled' });
    expect(written[1]).toEqual({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } });
    receive({ id: 1, result });
    expect(written).toHaveLength(2);
  });

  it('fail when the process ends, and nobody knows what became of them', async () => {
    const { made } = peer();
    const answer = made.request(request('tools/call'));
    made.lose('SIGKILL');
    await expect(answer).rejects.toMatchObject({ reason: 'upstream_failed' });
  });

  it('end when their answer is too long, by whichever end of it names them', async () => {
    const { made } = peer();
    const all = [1, 2, 3, 4].map(() => made.request(request('tools/call')));
    const fates = all.map((each) => each.catch((error: GatewayError) => error.reason));
    const cut = (head: string, tail: string) =>
      made.receiveCut({ head: Buffer.from(head), tail: Buffer.from(tail), bytes: 1 });
    cut('{"jsonrpc":"2.0","id":1,"result":{"x":"', '"}}');
    cut('{"result":{"x":"', '"},"jsonrpc":"2.0","id":2}');
    cut('{"jsonrpc":"2.0","error":{"x":"', '"},"id":3}');
    // A question of the server's has ids of its own, and an id inside something else is none.
    cut('{"jsonrpc":"2.0","id":4,"method":"sampling/createMessage","params":{', '}}');
    cut('{"jsonrpc":"2.0","result":{"x":"', ',"id":4}}');
    made.receive('{"jsonrpc":"2.0","id":4,"result":{}}');
    expect(await Promise.all(fates)).toEqual([
      'upstream_failed',
      'upstream_failed',
      'upstream_failed',
      expect.objectContaining({ kind: 'result' }),
    ]);
  });

  it('survive everything that is no message', () => {
    const { made, written } = peer();
    for (const line of [
      'x',
      '[',
      '[]',
      '[1]',
      'null',
      '1',
      '"x"',
      '{}',
      '{"id":1}',
      '{"method":7}',
      '{"id":{},"result":1}',
    ]) {
      made.receive(line);
    }
    expect(written).toEqual([]);
  });
});

describe('questions over stdio', () => {
  it('go to the only call in flight, and are answered once', () => {
    const { made, written, receive } = peer();
    const { made: call, questions } = asking();
    void made.request(call);
    receive(question);
    expect(questions).toMatchObject([{ method: 'elicitation/create', paramsText: '{"message":"Sure?"}' }]);
    questions[0]?.answer('{"action":\n"accept"}' as JsonText);
    questions[0]?.decline({ code: -1, message: 'no' });
    expect(written.slice(1)).toEqual([{ jsonrpc: '2.0', id: 'q-1', result: { action: 'accept' } }]);
  });

  it('are declined on a shared process when several calls may be meant, whether those take questions or not', () => {
    for (const second of [asking().made, asking({ onQuestion: undefined as never }).made]) {
      const { made, written, receive } = peer();
      const { made: first, questions } = asking();
      void made.request(first);
      void made.request(second);
      receive(question);
      expect(questions).toEqual([]);
      expect(written.at(-1)).toMatchObject({ id: 'q-1', error: { code: -1 } });
    }
  });

  it('are not hindered by lists', () => {
    const { made, receive } = peer();
    const { made: call, questions } = asking();
    for (const method of ['tools/list', 'resources/list', 'ping']) void made.request(request(method));
    void made.request(call);
    receive(question);
    expect(questions).toHaveLength(1);
  });

  it('of a call that was given up are not shown to the next one, for a while', async () => {
    const { made, written, receive, pass } = peer();
    const gone = asking();
    const answer = made.request(gone.made).catch(() => undefined);
    gone.ended.abort(new GatewayError('cancelled'));
    await answer;
    const next = asking();
    void made.request(next.made);
    receive(question);
    expect(next.questions).toEqual([]);
    expect(written.at(-1)).toMatchObject({ id: 'q-1', error: { code: -1 } });
    pass(300_001);
    receive({ ...question, id: 'q-2' });
    expect(next.questions).toHaveLength(1);
  });

  it('of a call that was given up go to the next one if both are of one owner', async () => {
    for (const [owner, expected] of [
      ['ada', 1],
      ['bob', 0],
      [undefined, 0],
    ] as const) {
      const { made, receive } = peer();
      const gone = asking({ owner: 'ada' });
      const answer = made.request(gone.made).catch(() => undefined);
      gone.ended.abort(new GatewayError('cancelled'));
      await answer;
      const next = asking(owner === undefined ? {} : { owner });
      void made.request(next.made);
      receive(logLine);
      receive(question);
      expect([next.questions.length, next.notes.length]).toEqual([expected, expected]);
    }
  });

  it('of a call of no known owner that was given up go to nobody', async () => {
    const { made, receive } = peer();
    const gone = asking();
    const answer = made.request(gone.made).catch(() => undefined);
    gone.ended.abort(new GatewayError('cancelled'));
    await answer;
    const next = asking({ owner: 'ada' });
    void made.request(next.made);
    receive(question);
    expect(next.questions).toHaveLength(0);
  });

  it('of a call that was given up are not shown to others, however many of theirs they give up', async () => {
    const { made, receive } = peer();
    for (const owner of ['ada', ...Array.from({ length: 1_200 }, () => 'bob')]) {
      const gone = asking({ owner });
      const answer = made.request(gone.made).catch(() => undefined);
      gone.ended.abort(new GatewayError('cancelled'));
      await answer;
    }
    const next = asking({ owner: 'bob' });
    void made.request(next.made);
    receive(question);
    expect(next.questions).toHaveLength(0);
  });

  it('of a call that was given up and then answered hinder nobody', async () => {
    const { made, receive } = peer();
    const gone = asking();
    const answer = made.request(gone.made).catch(() => undefined);
    gone.ended.abort(new GatewayError('cancelled'));
    await answer;
    receive({ id: 1, result });
    const next = asking();
    void made.request(next.made);
    receive(question);
    expect(next.questions).toHaveLength(1);
  });

  it('go to the latest call on a process of one caller', () => {
    const { made, receive } = peer({ isShared: false });
    const [first, second, third] = [asking(), asking(), asking({ onQuestion: undefined as never })];
    for (const { made: call } of [first, second, third]) void made.request(call);
    receive(question);
    expect([first.questions.length, second.questions.length]).toEqual([0, 1]);
  });

  it('for roots go to the caller whose process it is, and to nobody on a shared one, where they would hold for all', () => {
    for (const isShared of [true, false]) {
      const { made, written, receive } = peer({ isShared });
      const { made: call, questions } = asking();
      void made.request(call);
      receive({ id: 'q-1', method: 'roots/list' });
      expect(questions).toHaveLength(isShared ? 0 : 1);
      expect(written.at(-1)).toMatchObject(isShared ? { error: { code: -32601 } } : { method: 'tools/call' });
    }
  });

  it('end with their call, and can be taken back', async () => {
    const { made, written, receive } = peer();
    const { made: call, questions } = asking();
    const answer = made.request(call);
    receive(question);
    receive({ ...question, id: 7 });
    receive({ method: 'notifications/cancelled', params: { requestId: 7 } });
    receive({ id: 1, result });
    await answer;
    expect(written.slice(1)).toMatchObject([{ id: 'q-1', error: { code: -1 } }]);
    for (const each of questions) each.answer('{}' as JsonText);
    expect(written).toHaveLength(2);
  });

  it('outside of any call, or of an unknown kind, or from a modern server, are declined, and a ping is answered', () => {
    const { made, written, receive } = peer();
    receive(question);
    receive({ id: 1, method: 'acme/what', params: {} });
    receive({ id: 2, method: 'ping' });
    const { made: call, questions } = asking();
    void made.request(call, { version: '2026-07-28', clientInfo: { name: 'g', version: '1' }, capabilitiesText: '{}' });
    receive({ ...question, id: 3 });
    expect(questions).toEqual([]);
    expect(written).toMatchObject([
      { id: 'q-1', error: { code: -1 } },
      { id: 1, error: { code: -32601 } },
      { id: 2, result: {} },
      { method: 'tools/call' },
      { id: 3, error: { code: -32601 } },
    ]);
  });
});

describe('notifications over stdio', () => {
  it('of progress go to whose token they have, and must grow', () => {
    const { made, written, receive } = peer();
    const seen: number[] = [];
    void made.request(request('tools/call'));
    void made.request(request('tools/call', { onProgress: ({ progress }) => void seen.push(progress) }));
    expect(written[0]?.params).not.toHaveProperty('_meta');
    expect(written[1]).toHaveProperty('params._meta', { progressToken: 2 });
    for (const [progressToken, progress] of [
      [2, 1],
      [1, 5],
      [2, 1],
      [2, 0],
      ['2', 9],
      [2, 3],
      [9, 9],
    ]) {
      receive({ method: 'notifications/progress', params: { progressToken, progress } });
    }
    expect(seen).toEqual([1, 3]);
  });

  it('of the log go to the only call in flight, to nobody when there are several, and to all when there is none', () => {
    const { made, receive, told } = peer();
    const [first, second] = [asking(), asking()];
    receive(logLine);
    expect(told).toHaveLength(1);
    void made.request(first.made);
    receive(logLine);
    expect(first.notes).toEqual(['notifications/message']);
    void made.request(second.made);
    receive(logLine);
    expect([first.notes.length, second.notes.length, told.length]).toEqual([1, 0, 1]);
  });

  it('of the log go to the call that asked for them, where calls ask', () => {
    const { made, receive } = peer();
    const quiet = asking();
    const curious = asking({ meta: { 'io.modelcontextprotocol/logLevel': '"debug"' } });
    const envelope = { version: '2026-07-28', clientInfo: { name: 'g', version: '1' }, capabilitiesText: '{}' };
    void made.request(curious.made, envelope);
    void made.request(quiet.made, envelope);
    receive(logLine);
    expect([quiet.notes.length, curious.notes.length]).toEqual([0, 1]);
  });

  it('of the log on a process of one caller are for that caller in any case', () => {
    const { made, receive, told } = peer({ isShared: false });
    for (const { made: call } of [asking(), asking()]) void made.request(call);
    receive(logLine);
    expect(told).toHaveLength(1);
  });

  it('of a subscription go to the request that made it, and end with it', async () => {
    const { made, receive, told } = peer();
    const [one, other] = [asking({ method: 'subscriptions/listen' }), asking({ method: 'subscriptions/listen' })];
    const ended = made.request(one.made);
    void made.request(other.made);
    const params = { _meta: { 'io.modelcontextprotocol/subscriptionId': 1 } };
    receive({ method: 'notifications/subscriptions/acknowledged', params });
    receive({ method: 'notifications/tools/list_changed', params });
    expect(one.notes).toEqual(['notifications/subscriptions/acknowledged', 'notifications/tools/list_changed']);
    receive({ method: 'notifications/cancelled', params: { requestId: 1 } });
    expect(await ended).toMatchObject({ kind: 'result', value: { resultType: 'complete' } });
    receive({ method: 'notifications/tools/list_changed', params });
    expect([other.notes, told]).toEqual([[], []]);
  });

  it('that a person has followed a URL go to the call that asked for it, and to all once that is over', async () => {
    const { made, receive, told } = peer();
    const { made: call, notes } = asking();
    const answer = made.request(call);
    receive({ ...question, params: { mode: 'url', elicitationId: 'e-1' } });
    const complete = { method: 'notifications/elicitation/complete', params: { elicitationId: 'e-1' } };
    receive(complete);
    expect(notes).toEqual([complete.method]);
    receive({ id: 1, result });
    await answer;
    receive(complete);
    expect(told).toHaveLength(1);
  });

  it('come in batches from servers that still have them', async () => {
    const { made, told } = peer();
    const answer = made.request(request('tools/call'));
    made.receive(
      '[{"jsonrpc":"2.0","method":"notifications/tools/list_changed"},{"jsonrpc":"2.0","id":1,"result":{}}]',
    );
    expect(await answer).toMatchObject({ kind: 'result' });
    expect(told).toEqual(['notifications/tools/list_changed {}']);
  });
});
