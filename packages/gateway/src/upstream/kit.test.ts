import { describe, expect, it, vi } from 'vitest';
import { type AnnounceHarness, createAnnounceHarness } from '../registry/testing/announce-harness.ts';
import {
  type FakeCall,
  fakeCredential,
  fakeManifest,
  startFakeService,
  textResult,
} from '../registry/testing/fake-service.ts';
import { createKitUpstream, type KitUpstreamOptions } from './kit.ts';
import { type UpstreamUnderTest, upstreamContract } from './testing/contract.ts';
import { callUpstream, contractTool, fateOf } from './testing/contract-call.ts';

/** Slow machines are slow: this waits long for what must come, and not at all for what has. */
const eventually = <T>(check: () => T | Promise<T>) => vi.waitFor(check, 15_000);

async function startHarness(options: Partial<KitUpstreamOptions> = {}): Promise<AnnounceHarness> {
  const harness = await createAnnounceHarness(
    (nowMs) => (request) => createKitUpstream({ ...request, nowMs, connectWaitMs: 50, ...options }),
  );
  harness.credentials = [fakeCredential('contract')];
  await harness.start({ timing: { lingerMs: 60_000 } });
  return harness;
}

function serve(call: FakeCall): void {
  const { size } = JSON.parse(call.argumentsText) as { size?: number };
  if (call.tool === 'Contract.Fail') call.answer('{"content":[{"type":"text","text":"no"}],"isError":true}');
  if (call.tool === 'Contract.Large') call.answer(textResult('x'.repeat(size ?? 0)));
  if (call.tool === 'Contract.Progress' && call.params.progress === true) {
    for (const progress of [1, 2, 2, 1]) call.notify('progress', { id: call.id, progress });
  }
  if (['Contract.Echo', 'Contract.Progress'].includes(call.tool)) call.answer(textResult(call.argumentsText));
}

async function start(): Promise<UpstreamUnderTest> {
  const harness = await startHarness();
  const service = await harness.service('contract', { onCall: serve });
  const [registration] = harness.registry().registrations();
  if (!registration) throw new Error('not registered');
  return {
    upstream: registration.upstream,
    tool: (name) => contractTool('contract', name),
    arrived: () => service.calls.map((call) => call.argumentsText),
    kill: service.kill,
    cancelled: () =>
      service.frames.filter((frame) => frame.kind === 'notification' && frame.method === 'cancel').length,
    close: () => harness.end(),
  };
}

describe('a kit service over the lean hop', () => {
  for (const { name, run } of upstreamContract) it(name, () => run(start));
});

describe('instances of a kit service', () => {
  const upstreamOf = (harness: AnnounceHarness) => {
    const [registration] = harness.registry().registrations();
    if (!registration) throw new Error('not registered');
    return registration.upstream;
  };
  const tool = contractTool('contract', 'Contract.Echo');

  it('get what the frame of a call must hold, and sequence numbers that grow', async () => {
    const harness = await startHarness();
    const service = await harness.service('contract');
    for (let i = 0; i < 3; i++) await callUpstream(upstreamOf(harness), { tool, callId: `c${i}`, timeoutMs: 5_000 });
    expect(service.calls.map((call) => call.params.seq)).toEqual([1, 2, 3]);
    expect(service.calls[1]?.params).toMatchObject({
      tool: 'Contract.Echo',
      call: 'c1',
      audience: 'contract',
      traceparent: `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`,
      transport: 'embedded',
      principal: { subject: 'alice', client: 'contract', kind: 'agent', scopes: ['contract:call'], attributes: {} },
    });
    expect(JSON.stringify(service.calls[1]?.params)).not.toContain('credentialId');
    await harness.end();
  });

  it('share the load evenly', async () => {
    const harness = await startHarness();
    const held: FakeCall[] = [];
    const services = [];
    for (const instance of ['i1', 'i2', 'i3']) {
      services.push(await harness.service('contract', { instance, onCall: (call) => held.push(call) }));
    }
    await eventually(() => expect(harness.registry().registrations()).toMatchObject([{ instances: 3 }]));
    const running = Array.from({ length: 12 }, () => callUpstream(upstreamOf(harness), { tool }));
    await eventually(() => expect(held).toHaveLength(12));
    expect(services.map((service) => service.calls.length)).toEqual([4, 4, 4]);
    for (const call of held) call.answer(textResult(''));
    await Promise.all(running);
    await harness.end();
  });

  it('take only so many calls at once; the others are refused at once', async () => {
    const harness = await startHarness({ maxInFlight: 2 });
    const held: FakeCall[] = [];
    await harness.service('contract', { onCall: (call) => held.push(call) });
    const running = Array.from({ length: 3 }, () => fateOf(callUpstream(upstreamOf(harness), { tool })));
    expect(await running[2]).toBe('upstream_unavailable');
    await eventually(() => expect(held).toHaveLength(2));
    for (const call of held) call.answer(textResult('ok'));
    expect(await Promise.all(running.slice(0, 2))).toEqual([textResult('ok'), textResult('ok')]);
    await harness.end();
  });

  it('are suspected after a timeout, never after an error that they answered', async () => {
    const harness = await startHarness();
    const reasons = ['internal', 'unknown_tool', 'bad_frame', 'overloaded', 'expired'];
    let next = 0;
    await harness.service('contract', {
      onCall: (call) => {
        const reason = reasons[next++];
        if (reason) call.fail({ code: -32603, message: 'password=hunter2', data: { reason } });
      },
    });
    const fates = [];
    for (const _ of reasons) fates.push(await fateOf(callUpstream(upstreamOf(harness), { tool })));
    expect(fates).toEqual([
      'upstream_failed',
      'upstream_failed',
      'upstream_failed',
      'upstream_unavailable',
      'upstream_timeout',
    ]);
    expect(harness.registry().registrations()).toMatchObject([{ state: 'ready' }]);
    expect(await fateOf(callUpstream(upstreamOf(harness), { tool, timeoutMs: 20 }))).toBe('upstream_timeout');
    await eventually(() => expect(harness.registry().registrations()).toMatchObject([{ state: 'suspected' }]));
    await eventually(() => expect(harness.registry().registrations()).toMatchObject([{ state: 'ready' }]));
    await harness.end();
  });

  it.each(['nonsense', '[]', '"text"', '{"content":[]},"x":{}', ''])(
    'that answer %j give no answer, and hurt no other call',
    async (text) => {
      const harness = await startHarness();
      await harness.service('contract', {
        onCall: (call) => call.answer(call.argumentsText === '{}' ? textResult('good') : text),
      });
      const good = fateOf(callUpstream(upstreamOf(harness), { tool }));
      const bad = fateOf(callUpstream(upstreamOf(harness), { tool, argumentsText: '{"bad":1}', timeoutMs: 500 }));
      expect(await bad).toBe('upstream_failed');
      expect(await good).toBe(textResult('good'));
      await harness.end();
    },
  );

  it('are not called under a permit for another version of the tool', async () => {
    const harness = await startHarness();
    const service = await harness.service('contract', { manifest: fakeManifest('contract', { version: '2.0.0' }) });
    expect(await fateOf(callUpstream(upstreamOf(harness), { tool }))).toBe('upstream_unavailable');
    expect(service.calls).toEqual([]);
    await harness.end();
  });

  it('that come within the wait get the calls that wait for them', async () => {
    const harness = await startHarness({ connectWaitMs: 10_000 });
    const first = await harness.service('contract');
    const upstream = upstreamOf(harness);
    first.kill();
    await first.closed;
    await eventually(() => expect(harness.registry().registrations()).toMatchObject([{ instances: 0 }]));
    const caller = new AbortController();
    const waiting = fateOf(callUpstream(upstream, { tool }));
    const leaving = fateOf(callUpstream(upstream, { tool, signal: caller.signal }));
    caller.abort();
    expect(await leaving).toBe('cancelled');
    startFakeService(harness.socket, { credential: fakeCredential('contract'), manifest: fakeManifest('contract') });
    expect(await waiting).toBe(textResult('{}'));
    await harness.end();
  });

  it('that do not read get no more than a bounded number of bytes to hold for them', async () => {
    const harness = await startHarness({ maxBufferedBytes: 200_000 });
    const service = await harness.service('contract');
    service.socket.pause();
    const argumentsText = JSON.stringify({ text: 'x'.repeat(100_000) });
    const fates: string[] = [];
    for (let i = 0; i < 40; i++) {
      const running = fateOf(callUpstream(upstreamOf(harness), { tool, argumentsText, timeoutMs: 300 }));
      await running.then((fate) => fates.push(fate));
      await new Promise(setImmediate);
    }
    await eventually(() => expect(fates).toHaveLength(40));
    expect(new Set(fates)).toEqual(new Set(['upstream_timeout', 'upstream_unavailable']));
    expect(fates.filter((fate) => fate === 'upstream_timeout').length).toBeLessThan(20);
    await harness.end();
  });
});
