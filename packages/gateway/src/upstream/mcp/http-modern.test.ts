import { GatewayError, type JsonText } from '@sallyport/core';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { ConversationRequest } from './conversation.ts';
import { begin, cleanup, conversation, request } from './testing/conversation.ts';
import { startFakeHttpServer } from './testing/fake-http-server.ts';

afterEach(cleanup);

const text = (value: unknown) => JSON.stringify(value) as JsonText;

describe('a conversation of the modern era', () => {
  it('begins with what the server says of itself', async () => {
    const { made } = await conversation('modern', { eras: ['modern'], capabilities: { tools: { listChanged: true } } });
    expect(made).toMatchObject({
      era: 'modern',
      version: '2026-07-28',
      server: { info: { name: 'fake', version: '1.0.0' }, capabilities: { tools: { listChanged: true } } },
    });
  });

  it('begins with a server that first refuses the version, and names it as supported', async () => {
    let refusals = 0;
    const data = { supported: ['2026-07-28'] };
    const { made } = await conversation('modern', {
      eras: ['modern'],
      on(_call, answer) {
        if (refusals > 0) return false;
        refusals += 1;
        answer.error(400, { code: -32022, message: 'Unsupported protocol version', data });
        return true;
      },
    });
    expect(made.era).toBe('modern');
  });

  it('does not begin with a server of the other era', async () => {
    const fake = await startFakeHttpServer({ eras: ['legacy'] });
    expect(await begin(fake, 'modern')).toBeUndefined();
    await fake.kill();
  });

  it.each([401, 403, 429, 500, 503])('does not take HTTP %i for an answer about eras', async (status) => {
    const on = (_call: unknown, { response }: { response: { writeHead(s: number): { end(): void } } }) => {
      response.writeHead(status).end();
      return true;
    };
    const fake = await startFakeHttpServer({ eras: ['modern'], on });
    await expect(begin(fake, 'modern')).rejects.toMatchObject({ reason: 'upstream_unavailable' });
    await expect(begin(fake, 'legacy')).rejects.toMatchObject({ reason: 'upstream_unavailable' });
    await fake.kill();
  });

  it('describes each request, in headers and body alike, and keeps what was in _meta', async () => {
    const { fake, made } = await conversation('modern', { eras: ['modern'] });
    await made.request(
      request('tools/call', {
        name: 'Écho',
        paramsText: '{"_meta":{"mine":1.0},"name":"Écho","arguments":{"n":1.0}}' as JsonText,
        capabilitiesText: '{"elicitation":{}}' as JsonText,
        meta: { traceparent: '"00-1"' },
        onProgress: () => undefined,
      }),
    );
    const [call] = fake.of('tools/call');
    expect(call).toMatchObject({
      headers: {
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': 'tools/call',
        'mcp-name': `=?base64?${Buffer.from('Écho').toString('base64')}?=`,
      },
      params: {
        arguments: { n: 1 },
        _meta: {
          mine: 1,
          traceparent: '00-1',
          progressToken: call?.id,
          'io.modelcontextprotocol/protocolVersion': '2026-07-28',
          'io.modelcontextprotocol/clientCapabilities': { elicitation: {} },
          'io.modelcontextprotocol/clientInfo': { name: 'sallyport' },
        },
      },
    });
    expect(call?.body).toContain('"arguments":{"n":1.0}');
  });

  it('hands on what belongs to the request, in order, with its own progress only and only forwards', async () => {
    const { made } = await conversation('modern', {
      eras: ['modern'],
      on({ method, id }, answer) {
        if (method !== 'tools/call') return false;
        const progress = (value: number, progressToken: unknown = id) =>
          answer.event({ message: { method: 'notifications/progress', params: { progressToken, progress: value } } });
        progress(1);
        answer.event({ message: { method: 'notifications/message', params: { level: 'info', data: 'a' } } });
        progress(9, 'another');
        progress(2);
        progress(2);
        answer.event({ message: { method: 'vendor/told' } });
        answer.final({ content: [] });
        return true;
      },
    });
    const heard: unknown[] = [];
    const answer = await made.request(
      request('tools/call', {
        onProgress: ({ progress }) => heard.push(progress),
        onNotification: (method, params) => heard.push([method, params]),
      }),
    );
    expect(heard).toEqual([1, ['notifications/message', '{"level":"info","data":"a"}'], 2, ['vendor/told', '{}']]);
    expect(answer).toMatchObject({ kind: 'result', text: '{"content":[]}' });
  });

  it('passes results and errors on as they stand', async () => {
    const result = '{ "future" : 1.0, "big":12345678901234567890 }';
    const error = { code: -32021, message: 'Needs more.', data: { requiredCapabilities: { sampling: {} } } };
    const { fake, made } = await conversation('modern', {
      eras: ['modern'],
      on({ method }, answer) {
        if (method !== 'tools/call') return false;
        answer.json(result);
        return true;
      },
    });
    expect(await made.request(request('tools/call'))).toMatchObject({ kind: 'result', text: result });
    fake.become({
      on(_call, answer) {
        answer.error(400, error);
        return true;
      },
    });
    expect(await made.request(request('tools/call'))).toEqual({
      kind: 'error',
      ...error,
      text: text(error),
      status: 400,
    });
  });

  it('ends a long subscription by closing it, and hears of every event before', async () => {
    const { fake, made } = await conversation('modern', {
      eras: ['modern'],
      on({ method }, answer) {
        if (method !== 'subscriptions/listen') return false;
        answer.event({ message: { method: 'notifications/subscriptions/acknowledged', params: {} } });
        answer.event({ message: { method: 'notifications/tools/list_changed' } });
        return true;
      },
    });
    const heard: string[] = [];
    const ending = new AbortController();
    const open = made.request(
      request('subscriptions/listen', { signal: ending.signal, onNotification: (method) => heard.push(method) }),
    );
    await vi.waitFor(() => expect(heard).toHaveLength(2), 15_000);
    ending.abort(new GatewayError('cancelled'));
    await expect(open).rejects.toMatchObject({ reason: 'cancelled' });
    await vi.waitFor(() => expect(fake.cancelled()).toBe(1), 15_000);
  });

  it('notices that the server speaks the other era now', async () => {
    const { fake, made } = await conversation('modern', { eras: ['modern'] });
    const lost = vi.fn();
    made.onLost(lost);
    fake.become({ eras: ['legacy'] });
    await expect(made.request(request('tools/call'))).rejects.toMatchObject({ reason: 'upstream_unavailable' });
    expect(lost).toHaveBeenCalledOnce();
  });

  it.each([
    ['a message', { maxMessageBytes: 20_000 }],
    ['an answer in all', { maxMessageBytes: 200_000, maxAnswerBytes: 50_000 }],
  ] as const)('does not take more than %s may have', async (_what, limits) => {
    const { made } = await conversation(
      'modern',
      {
        eras: ['modern'],
        on({ method }, answer) {
          if (method !== 'tools/call') return false;
          for (let i = 0; i < 10; i++) answer.event({ message: { method: 'x', params: { text: 'x'.repeat(10_000) } } });
          answer.final({ text: 'x'.repeat(30_000) });
          return true;
        },
      },
      limits,
    );
    await expect(made.request(request('tools/call'))).rejects.toMatchObject({ reason: 'upstream_failed' });
  });

  it('sends nothing when what runs before the first byte refuses', async () => {
    const { fake, made } = await conversation('modern', { eras: ['modern'] });
    const refused = new Error('spent');
    const onStart: ConversationRequest['onStart'] = () => {
      throw refused;
    };
    await expect(made.request(request('tools/call', { onStart }))).rejects.toBe(refused);
    expect(fake.of('tools/call')).toEqual([]);
  });

  it('tells what was not sent from what was lost', async () => {
    const { fake, made } = await conversation('modern', {
      eras: ['modern'],
      on({ method }, { response }) {
        if (method !== 'tools/call') return false;
        response.destroy();
        return true;
      },
    });
    await expect(made.request(request('tools/call'))).rejects.toMatchObject({ reason: 'upstream_failed' });
    await fake.kill();
    await expect(made.request(request('tools/call'))).rejects.toMatchObject({ reason: 'upstream_unavailable' });
  });
});
