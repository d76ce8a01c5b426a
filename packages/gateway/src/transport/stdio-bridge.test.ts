import { PassThrough } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import type { HttpTransport } from './http.ts';
import { createHttp } from './http.ts';
import { bridgeStdio } from './stdio-bridge.ts';
import { call, envelope } from './testing/client.ts';
import { createRig, startHttp } from './testing/rig.ts';

const open: { close(): Promise<unknown> }[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((thing) => thing.close()));
});

function bridge(url: string, token = 'good') {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  const received: any[] = [];
  let pending = '';
  stdout.on('data', (chunk) => {
    const lines = (pending + String(chunk)).split('\n');
    pending = lines.pop() ?? '';
    received.push(...lines.map((line) => JSON.parse(line)));
  });
  const ended = bridgeStdio({ url: new URL(`${url}/mcp`), token, stdin, stdout, stderr });
  open.push({
    close: () => {
      stdin.end();
      return ended;
    },
  });
  const say = (message: object | string) =>
    stdin.write(`${typeof message === 'string' ? message : JSON.stringify(message)}\n`);
  const answer = async (id: number | string) => {
    await expect.poll(() => received.some((message) => message.id === id)).toBe(true);
    return received.find((message) => message.id === id);
  };
  return { stdin, say, answer, received, ended };
}

async function start() {
  const rig = createRig();
  const started = await startHttp(rig);
  const gateway: { http: HttpTransport } = { http: started.http };
  open.unshift({ close: () => gateway.http.close(0) });
  return { ...started, rig, gateway };
}

describe('the bridge for desktop hosts', () => {
  it('carries both eras, with the headers that a modern request needs', async () => {
    const { url, rig } = await start();
    const { say, answer } = bridge(url);
    const params = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'host', version: '1' } };
    say({ jsonrpc: '2.0', id: 1, method: 'initialize', params });
    expect((await answer(1)).result.protocolVersion).toBe('2025-06-18');
    say('{"jsonrpc":"2.0","method":"notifications/initialized"}');
    say(call('blog.Posts.Read', { id: 7 }, 2));
    expect((await answer(2)).result.structuredContent).toEqual({ id: 7 });
    const modern = { name: 'blog.Posts.Read', arguments: {}, _meta: envelope };
    say({ jsonrpc: '2.0', id: 'm', method: 'tools/call', params: modern });
    expect((await answer('m')).result.resultType).toBe('complete');
    expect(rig.records.at(-1)?.origin.era).toBe('modern');
  });

  it('unpacks progress and answers nothing but requests', async () => {
    const { url } = await start();
    const { say, answer, received } = bridge(url);
    say({ jsonrpc: '2.0', method: 'notifications/nothing' });
    const params = { name: 'blog.Posts.Slow', arguments: {}, _meta: { progressToken: 1 } };
    say({ jsonrpc: '2.0', id: 1, method: 'tools/call', params });
    await answer(1);
    expect(received.map(({ method, id }) => method ?? id)).toEqual([
      'notifications/progress',
      'notifications/progress',
      1,
    ]);
  });

  it('passes refusals on, also those without an id', async () => {
    const { url } = await start();
    const stranger = bridge(url, 'bad');
    stranger.say(call('blog.Posts.Read'));
    expect((await stranger.answer(1)).error.data.reason).toBe('credential_invalid');
    const known = bridge(url);
    known.say('{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"a","name":"b"}}');
    expect((await known.answer(5)).error.data.reason).toBe('malformed_request');
  });

  it('cancels', async () => {
    const { url, rig } = await start();
    const { say, received } = bridge(url);
    say(call('blog.Posts.Slow', {}, 's'));
    await expect.poll(() => rig.dispatched.length).toBe(1);
    say({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 's' } });
    await expect.poll(() => rig.records.some(({ reason }) => reason === 'cancelled')).toBe(true);
    expect(received).toEqual([]);
  });

  it('survives a restart of the gateway: calls in the meantime may be tried again', async () => {
    const { url, port, rig, gateway } = await start();
    const { say, answer } = bridge(url);
    say(call('blog.Posts.Read', {}, 1));
    await answer(1);
    await gateway.http.close(0);
    say(call('blog.Posts.Read', {}, 2));
    expect((await answer(2)).error).toMatchObject({ code: 503, data: { retryable: true } });
    gateway.http = createHttp(rig.deps);
    await gateway.http.listen({ host: '127.0.0.1', port });
    say(call('blog.Posts.Read', {}, 3));
    expect((await answer(3)).result).toBeDefined();
  });

  it('ends with its input, after everything is answered', async () => {
    const { url } = await start();
    const { stdin, ended, received } = bridge(url);
    stdin.end(`${call('blog.Posts.Slow', {}, 1)}\n`);
    await ended;
    await expect.poll(() => received.map(({ id }) => id)).toEqual([1]);
  });
});
