import { PassThrough } from 'node:stream';
import { GatewayError, type JsonText, type Permit, type Stages, spendPermit } from '@sallyport/core';
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

const introduce = {
  ...{ jsonrpc: '2.0', id: 'init', method: 'initialize' },
  params: {
    ...{ protocolVersion: '2025-11-25', clientInfo: { name: 'host', version: '1' } },
    capabilities: { elicitation: {} },
  },
};
const initialized = { jsonrpc: '2.0', method: 'notifications/initialized' };

/** A gateway whose tool asks before it answers, or pauses if it is named Slow. */
async function startAsking() {
  const running: { permit: Permit; hop: Parameters<Stages['dispatch']>[1]; finish(): void }[] = [];
  const done = { text: '{"content":[{"type":"text","text":"done"}]}' as JsonText, isError: false, instance: 'i1' };
  const rig = createRig(
    {},
    {
      dispatch: async (permit, hop) => {
        spendPermit(permit);
        hop.sent();
        if (permit.target.name.endsWith('Slow')) {
          return new Promise((resolve, reject) => {
            hop.signal.addEventListener('abort', () => reject(new GatewayError('cancelled')), { once: true });
            running.push({ permit, hop, finish: () => resolve(done) });
          });
        }
        if (permit.retry !== undefined) return done;
        const params = { message: 'Sure?', requestedSchema: {} };
        const text = JSON.stringify({
          resultType: 'input_required',
          inputRequests: { q: { method: 'elicitation/create', params } },
          requestState: 's',
        }) as JsonText;
        return { text, resultType: 'input_required', isError: false, instance: 'i1' };
      },
    },
  );
  const started = await startHttp(rig);
  const gateway: { http: HttpTransport } = { http: started.http };
  open.unshift({ close: () => gateway.http.close(0) });
  return { ...started, rig, running, gateway };
}

describe('the bridge in a session', () => {
  it('carries questions to the host and its answers back', async () => {
    const { url, rig } = await startAsking();
    const { say, answer, received } = bridge(url);
    say(introduce);
    await answer('init');
    say(initialized);
    say(call('blog.Posts.Read', {}, 2));
    await expect.poll(() => received.find(({ method }) => method === 'elicitation/create')).toBeDefined();
    const { id } = received.find(({ method }) => method === 'elicitation/create');
    say({ jsonrpc: '2.0', id, result: { action: 'accept' } });
    expect((await answer(2)).result.content[0].text).toBe('done');
    expect(rig.records.filter(({ verb }) => verb === 'reply')).toMatchObject([{ outcome: 'answered' }]);
  });

  it('tells the host what the gateway says without being asked', async () => {
    const { url, rig } = await start();
    const { say, answer, received } = bridge(url);
    say(introduce);
    await answer('init');
    say(initialized);
    await expect.poll(() => rig.records.filter(({ verb }) => verb === 'listen').length).toBeGreaterThan(0);
    rig.changeCatalog();
    await expect.poll(() => received.map(({ method }) => method)).toContain('notifications/tools/list_changed');
  });

  it('goes on with an answer whose stream the gateway let go of', async () => {
    const { url, running } = await startAsking();
    const { say, answer, received } = bridge(url);
    say(introduce);
    await answer('init');
    say({
      jsonrpc: '2.0',
      id: 2,
      method: 'tools/call',
      params: { name: 'blog.Posts.Slow', _meta: { progressToken: 'p' } },
    });
    await expect.poll(() => running.length).toBe(1);
    running[0]?.hop.onProgress?.({ progress: 1 });
    running[0]?.hop.onPause?.(10);
    running[0]?.hop.onProgress?.({ progress: 2 });
    running[0]?.finish();
    expect((await answer(2)).result.content[0].text).toBe('done');
    expect(received.map(({ params }) => params?.progress).filter(Boolean)).toEqual([1, 2]);
  });

  it('cancels by saying so', async () => {
    const { url, running, rig } = await startAsking();
    const { say, answer, received } = bridge(url);
    say(introduce);
    await answer('init');
    say(call('blog.Posts.Slow', {}, 's'));
    await expect.poll(() => running.length).toBe(1);
    say({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 's' } });
    await expect.poll(() => running[0]?.hop.signal.aborted).toBe(true);
    say({ jsonrpc: '2.0', id: 'after', method: 'ping' });
    await answer('after');
    expect(received.map(({ id }) => id)).toEqual(['init', 'after']);
    expect(rig.records.some(({ reason }) => reason === 'cancelled')).toBe(true);
  });

  it('begins anew after the gateway restarted, and the host notices nothing', async () => {
    const { url, port, rig, gateway } = await start();
    const { say, answer, received } = bridge(url);
    say(introduce);
    await answer('init');
    say(initialized);
    say({ jsonrpc: '2.0', id: 'level', method: 'logging/setLevel', params: { level: 'error' } });
    await answer('level');
    await gateway.http.close(0);
    gateway.http = createHttp(rig.deps);
    await gateway.http.listen({ host: '127.0.0.1', port });
    for (const id of [3, 4, 5]) say(call('blog.Posts.Read', { id }, id));
    const answers = await Promise.all([3, 4, 5].map(answer));
    expect(answers.map(({ result }) => result?.structuredContent)).toEqual([{ id: 3 }, { id: 4 }, { id: 5 }]);
    expect(received.filter(({ id }) => id === 'init')).toHaveLength(1);
    expect(received.filter(({ id }) => id === 'level')).toHaveLength(1);
    await expect.poll(() => received.map(({ method }) => method)).toContain('notifications/tools/list_changed');
    rig.changeCatalog();
    await expect
      .poll(() => received.filter(({ method }) => method === 'notifications/tools/list_changed').length)
      .toBe(2);
  });

  it('ends it when the host is gone', async () => {
    const { url, rig } = await start();
    const { say, answer, stdin, ended } = bridge(url);
    say(introduce);
    await answer('init');
    const before = rig.records.length;
    stdin.end();
    await ended;
    expect(rig.records.slice(before)).toMatchObject([{ verb: 'list', outcome: 'answered' }]);
  });

  it('reads no faster than the host', async () => {
    const { url, running } = await startAsking();
    const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough({ highWaterMark: 1024 }), new PassThrough()];
    const ended = bridgeStdio({ url: new URL(`${url}/mcp`), token: 'good', stdin, stdout, stderr });
    stdin.write(`${JSON.stringify(introduce)}\n`);
    const params = { name: 'blog.Posts.Slow', _meta: { progressToken: 'p' } };
    await expect.poll(() => stdout.readableLength).toBeGreaterThan(0);
    stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id: 2, method: 'tools/call', params })}\n`);
    await expect.poll(() => running.length).toBe(1);
    for (let progress = 1; progress <= 200; progress++) {
      running[0]?.hop.onProgress?.({ progress, message: 'x'.repeat(2_000) });
    }
    running[0]?.finish();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(stdout.readableLength + stdout.writableLength).toBeLessThan(300_000);
    let text = '';
    stdout.on('data', (chunk) => {
      text += String(chunk);
    });
    await expect.poll(() => text).toContain('"done"');
    stdin.end();
    await ended;
  });
});
