import { GatewayError } from '@sallyport/core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createKitUpstream } from '../upstream/kit.ts';
import { type ContractCall, callUpstream, contractTool } from '../upstream/testing/contract-call.ts';
import type { DeclinedInvocation, ServiceInvocation } from './invocations.ts';
import { type AnnounceHarness, createAnnounceHarness } from './testing/announce-harness.ts';
import { type FakeCall, textResult } from './testing/fake-service.ts';

/** Slow machines are slow: this waits long for what must come, and not at all for what has. */
const eventually = <T>(check: () => T | Promise<T>) => vi.waitFor(check, 15_000);

let harness: AnnounceHarness;

const call = (name: string, more: Partial<ContractCall> = {}) => {
  const found = harness
    .registry()
    .registrations()
    .find(({ manifest }) => manifest.service === name);
  if (!found) throw new Error(`${name} is not registered`);
  const tool = contractTool(name, 'Test.Echo', { version: found.manifest.version });
  return callUpstream(found.upstream, { tool, ...more });
};

beforeEach(async () => {
  harness = await createAnnounceHarness(
    (nowMs) => (request) => createKitUpstream({ ...request, nowMs, connectWaitMs: 100 }),
  );
});

afterEach(() => harness.end());

describe('a service that calls another through the gateway', () => {
  it('hears what the other one says of why it failed, as an error', async () => {
    const told = ['{"code":-32602,"message":"No such page.","data":{"page":7}}', '[]'];
    await harness.start({ onInvoke: async () => ({ told: told.shift() ?? '' }) });
    const posts = await harness.service('posts');
    const invoke = { tool: 'web.fetch', arguments: {} };
    expect(await posts.request('s1', 'invoke', invoke)).toMatchObject({
      kind: 'error',
      error: { code: -32602, message: 'No such page.', data: { page: 7, code: 'unknown', reason: 'told' } },
    });
    expect(await posts.request('s2', 'invoke', invoke)).toMatchObject({ error: { code: -32603 } });
  });

  it('acts for the principal of the call it serves, in its trace, and only while it serves it', async () => {
    const seen: ServiceInvocation[] = [];
    await harness.start({
      onInvoke: async (request) => {
        seen.push(request);
        return { ok: textResult('from users') };
      },
    });
    const held: FakeCall[] = [];
    const posts = await harness.service('posts', { onCall: (one) => held.push(one) });
    await eventually(() => expect(harness.names()).toHaveLength(1));
    const running = call('posts', { callId: 'call-x' });
    await eventually(() => expect(held).toHaveLength(1));

    const invoke = { tool: 'users.User.Get', parent: 'call-x', arguments: { id: 1 } };
    expect(await posts.request('s1', 'invoke', invoke)).toMatchObject({
      kind: 'result',
      resultText: textResult('from users'),
    });
    expect(seen[0]).toMatchObject({
      service: 'posts',
      instance: 'i1',
      tool: 'users.User.Get',
      argumentsText: '{"id":1}',
      onBehalfOf: { subject: 'alice' },
      traceparent: expect.stringContaining('1'.repeat(32)),
    });

    held[0]?.answer(textResult('done'));
    await running;
    expect(await posts.request('s2', 'invoke', invoke)).toMatchObject({
      kind: 'error',
      error: { data: { reason: 'malformed_params' } },
    });
    expect(seen).toHaveLength(1);
    await posts.request('s3', 'invoke', { tool: 'users.User.Get', arguments: {} });
    expect(seen[1]).not.toHaveProperty('onBehalfOf');
  });

  it('cannot act for the principal of a call that another connection serves', async () => {
    const seen: ServiceInvocation[] = [];
    await harness.start({ onInvoke: (request) => Promise.resolve({ ok: String(seen.push(request)) }) });
    const held: FakeCall[] = [];
    await harness.service('posts', { onCall: (one) => held.push(one) });
    const users = await harness.service('users');
    await eventually(() => expect(harness.names()).toHaveLength(2));
    const running = call('posts', { callId: 'call-y' });
    await eventually(() => expect(held).toHaveLength(1));
    const invoke = { tool: 'posts.Test.Echo', parent: 'call-y', arguments: {} };
    expect(await users.request('s1', 'invoke', invoke)).toMatchObject({ kind: 'error' });
    expect(seen).toEqual([]);
    held[0]?.answer(textResult(''));
    await running;
  });

  it('has its requests aborted when it goes away', async () => {
    const aborted = Promise.withResolvers<void>();
    await harness.start({
      onInvoke: ({ signal }) => {
        signal.addEventListener('abort', () => aborted.resolve());
        return new Promise(() => undefined);
      },
    });
    const posts = await harness.service('posts');
    posts.send('{"jsonrpc":"2.0","id":"s1","method":"invoke","params":{"tool":"a.b","arguments":{}}}\n');
    await eventually(() => expect(harness.registry().registrations()).toHaveLength(1));
    posts.socket.end();
    await aborted.promise;
  });

  it('is heard of when its request goes down no path, before it is answered', async () => {
    const declined: DeclinedInvocation[] = [];
    await harness.start({ onDecline: async (one) => void declined.push(one) });
    const posts = await harness.service('posts');
    const requests = [{}, { tool: 'a.b' }, { tool: 'a.b', arguments: [] }, { tool: 'a.b', arguments: {}, parent: 'x' }];
    for (const [i, params] of requests.entries()) {
      expect(await posts.request(`s${i}`, 'invoke', params)).toMatchObject({ kind: 'error' });
      expect(declined).toHaveLength(i + 1);
    }
    expect(declined[0]).toMatchObject({ service: 'posts', instance: 'i1', error: { reason: 'malformed_params' } });
  });

  it('is not answered with what went wrong when that could not be recorded', async () => {
    await harness.start({ onDecline: () => Promise.reject(new GatewayError('audit_unavailable')) });
    const posts = await harness.service('posts');
    expect(await posts.request('s1', 'invoke', {})).toMatchObject({ error: { data: { reason: 'audit_unavailable' } } });
  });

  it('makes only so many requests at once', async () => {
    let running = 0;
    const release = Promise.withResolvers<void>();
    await harness.start({
      onInvoke: async () => {
        running += 1;
        await release.promise;
        return { ok: '{}' };
      },
    });
    const posts = await harness.service('posts');
    const all = Array.from({ length: 300 }, (_, i) => posts.request(`s${i}`, 'invoke', { tool: 'a.b', arguments: {} }));
    expect(await all.at(-1)).toMatchObject({ error: { data: { reason: 'peer_limited' } } });
    expect(running).toBe(256);
    release.resolve();
    expect(await all[0]).toMatchObject({ kind: 'result' });
  });
});
