import { PassThrough } from 'node:stream';
import { type JsonText, spendPermit } from '@sallyport/core';
import { afterEach, describe, expect, it } from 'vitest';
import { type StdioOptions, serveStdio } from './stdio.ts';
import { call, envelope } from './testing/client.ts';
import { createRig, type Rig } from './testing/rig.ts';

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((close) => close()));
});

function serve(rig: Rig = createRig(), options: Partial<StdioOptions> = {}) {
  const [stdin, stdout] = [new PassThrough(), new PassThrough()];
  const received: any[] = [];
  let pending = '';
  stdout.on('data', (chunk) => {
    const lines = (pending + String(chunk)).split('\n');
    pending = lines.pop() ?? '';
    received.push(...lines.map((line) => JSON.parse(line)));
  });
  const ended = serveStdio(rig.deps, { stdin, stdout, presented: { kind: 'bearer', token: 'good' }, ...options });
  open.push(() => {
    stdin.end();
    return ended;
  });
  const say = (message: object | string) =>
    stdin.write(`${typeof message === 'string' ? message : JSON.stringify(message)}\n`);
  const answer = async (id: number | string) => {
    await expect.poll(() => received.some((message) => message.id === id)).toBe(true);
    return received.find((message) => message.id === id);
  };
  return { rig, stdin, stdout, say, answer, received, ended };
}

const introduce = {
  ...{ jsonrpc: '2.0', id: 'init', method: 'initialize' },
  params: {
    ...{ protocolVersion: '2025-11-25', clientInfo: { name: 'host', version: '1' } },
    capabilities: { elicitation: {} },
  },
};
const initialized = { jsonrpc: '2.0', method: 'notifications/initialized' };

describe('stdio', () => {
  it('serves both eras, and one message per line', async () => {
    const { say, answer, rig } = serve();
    say(call('blog.Posts.Read', { text: 'one\ntwo' }, 1));
    expect((await answer(1)).result.structuredContent).toEqual({ text: 'one\ntwo' });
    say({ jsonrpc: '2.0', id: 'm', method: 'tools/call', params: { name: 'blog.Posts.Read', _meta: envelope } });
    expect((await answer('m')).result.resultType).toBe('complete');
    expect(rig.records.map(({ origin }) => [origin.transport, origin.era])).toEqual([
      ['stdio', 'legacy'],
      ['stdio', 'modern'],
    ]);
  });

  it('is one session of an old client: it is asked on it and told of changes', async () => {
    const rig = createRig(
      {},
      {
        dispatch: async (permit, hop) => {
          spendPermit(permit);
          hop.sent();
          if (permit.retry !== undefined) {
            return {
              text: `{"content":[],"structuredContent":${permit.retry.inputResponsesText}}` as JsonText,
              isError: false,
              instance: 'i1',
            };
          }
          const inputRequests = {
            q: { method: 'elicitation/create', params: { message: 'Sure?', requestedSchema: {} } },
          };
          const text = JSON.stringify({ resultType: 'input_required', inputRequests, requestState: 's' }) as JsonText;
          return { text, resultType: 'input_required', isError: false, instance: 'i1' };
        },
      },
    );
    const { say, answer, received } = serve(rig);
    say(introduce);
    await answer('init');
    say(initialized);
    say(call('blog.Posts.Read', {}, 2));
    await expect.poll(() => received.find(({ method }) => method === 'elicitation/create')).toBeDefined();
    const { id } = received.find(({ method }) => method === 'elicitation/create');
    say({ jsonrpc: '2.0', id, result: { action: 'accept' } });
    expect((await answer(2)).result.structuredContent).toEqual({ q: { action: 'accept' } });
    rig.changeCatalog();
    await expect.poll(() => received.map(({ method }) => method)).toContain('notifications/tools/list_changed');
  });

  it('cancels by notification, and answers nothing to it', async () => {
    const { say, answer, received, rig } = serve();
    say(call('blog.Posts.Slow', {}, 's'));
    await expect.poll(() => rig.dispatched.length).toBe(1);
    say({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 's' } });
    await expect.poll(() => rig.records.some(({ reason }) => reason === 'cancelled')).toBe(true);
    say({ jsonrpc: '2.0', id: 'after', method: 'ping' });
    await answer('after');
    expect(received.map(({ id }) => id)).toEqual(['after']);
  });

  it('serves one service under its own names where that is what is offered', async () => {
    const { say, answer } = serve(createRig(), { endpoint: { kind: 'mount', service: 'blog' } });
    say(call('Posts.Read', { id: 7 }, 1));
    expect((await answer(1)).result.structuredContent).toEqual({ id: 7 });
  });

  it.each([
    ['too long a line', `${'x'.repeat(70 * 1024)}`, 'payload_too_large'],
    ['what is no UTF-8', Buffer.from([0x7b, 0xff, 0xfe]), 'malformed_json'],
  ])('ends at %s, since nobody knows where the next message would begin', async (_name, bytes, reason) => {
    const { stdin, ended, received, rig } = serve();
    stdin.write(bytes);
    await ended;
    await expect.poll(() => received.map(({ error }) => error?.data.reason)).toEqual([reason]);
    expect(rig.records).toMatchObject([{ verb: 'unreadable', reason }]);
  });

  it('answers what is in flight when the input ends', async () => {
    const { stdin, say, ended, received } = serve();
    say(call('blog.Posts.Slow', {}, 1));
    stdin.end();
    await ended;
    await expect.poll(() => received.map(({ id }) => id)).toEqual([1]);
  });

  it('ends when the reader takes nothing', async () => {
    const [stdin, stdout] = [new PassThrough(), new PassThrough({ highWaterMark: 1 })];
    const rig = createRig();
    const ended = serveStdio(rig.deps, { stdin, stdout, presented: { kind: 'bearer', token: 'good' } });
    for (let id = 0; id < 200; id++) stdin.write(`${call('blog.Posts.Read', { text: 'x'.repeat(20_000) }, id)}\n`);
    await ended;
    expect(stdout.writableLength).toBeLessThan(64 * 1024 * 6);
  });
});
