import { notificationFrame } from '@sallyport/protocol';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createKitUpstream } from '../upstream/kit.ts';
import { type ContractCall, callUpstream, contractTool, fateOf } from '../upstream/testing/contract-call.ts';
import { type AnnounceHarness, createAnnounceHarness } from './testing/announce-harness.ts';
import { type FakeCall, fakeManifest, textResult } from './testing/fake-service.ts';

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

describe('who is in rotation', () => {
  it('takes a service that closed out of rotation at once and out of the catalog soon', async () => {
    await harness.start({ timing: { lingerMs: 50 } });
    const posts = await harness.service('posts');
    await eventually(() => expect(harness.names()).toEqual(['posts@1.0.0']));
    const changed = vi.fn();
    harness.registry().onChange(changed);
    posts.kill();
    await eventually(() => expect(harness.names()).toEqual([]));
    expect(changed).toHaveBeenCalled();
  });

  it('serves the newest version that has an instance', async () => {
    await harness.start({ timing: { lingerMs: 10 } });
    await harness.service('posts', { manifest: fakeManifest('posts', { version: '1.9.0' }) });
    const newer = await harness.service('posts', {
      instance: 'i2',
      manifest: fakeManifest('posts', { version: '1.10.0' }),
    });
    await eventually(() => expect(harness.names()).toEqual(['posts@1.10.0']));
    expect(harness.registry().versions()).toMatchObject([
      { version: '1.10.0', serving: true },
      { version: '1.9.0', serving: false, instances: 1 },
    ]);
    newer.kill();
    await eventually(() => expect(harness.names()).toEqual(['posts@1.9.0']));
  });

  it('keeps an instance out that defines the same version differently, until the first is gone', async () => {
    await harness.start();
    const first = await harness.service('posts');
    const tools = [{ name: 'Test.Echo', description: 'Something else.', inputSchema: { type: 'object' } }];
    const other = await harness.service('posts', { instance: 'i2', manifest: fakeManifest('posts', { tools }) });
    await eventually(() => expect(harness.registry().versions()).toMatchObject([{ instances: 1, keptOut: 1 }]));
    for (let i = 0; i < 4; i++) await call('posts');
    expect(other.calls).toHaveLength(0);
    first.kill();
    await eventually(() => expect(harness.registry().registrations()[0]?.manifest.tools).toEqual(tools));
    await call('posts');
    expect(other.calls).toHaveLength(1);
  });

  it('lets the connection of an instance that came again replace the one before', async () => {
    await harness.start();
    const before = await harness.service('posts');
    await harness.service('posts');
    await before.closed;
    await eventually(() => expect(harness.registry().versions()).toMatchObject([{ instances: 1, keptOut: 0 }]));
  });

  it('asks a suspected instance only when no other is there, until it answers a ping again', async () => {
    await harness.start({ timing: { pingMs: 50, suspectMs: 400, silentMs: 60_000 } });
    const mute = await harness.service('posts', { answerPings: false });
    await eventually(() => expect(harness.registry().registrations()).toMatchObject([{ state: 'suspected' }]));
    expect(await fateOf(call('posts'))).toBe(textResult('{}'));
    await harness.service('posts', { instance: 'i2' });
    await eventually(() =>
      expect(harness.registry().registrations()).toMatchObject([{ state: 'ready', instances: 2 }]),
    );
    const before = mute.calls.length;
    for (let i = 0; i < 4; i++) await call('posts');
    expect(mute.calls).toHaveLength(before);
    mute.send('{"jsonrpc":"2.0","id":"p1","result":{}}\n');
    await eventually(async () => {
      await call('posts');
      expect(mute.calls.length).toBeGreaterThan(before);
    });
  });

  it('cuts an instance that is silent for too long', async () => {
    await harness.start({ timing: { pingMs: 20, suspectMs: 40, silentMs: 80, lingerMs: 10 } });
    const mute = await harness.service('posts', { answerPings: false });
    await mute.closed;
    await eventually(() => expect(harness.names()).toEqual([]));
  });

  it('cuts an instance that sends what is not a frame', async () => {
    await harness.start();
    const posts = await harness.service('posts');
    posts.send('hello\n');
    await posts.closed;
  });

  it('gives no new calls to a draining instance and lets it finish', async () => {
    await harness.start();
    const held: FakeCall[] = [];
    const old = await harness.service('posts', { onCall: (one) => held.push(one) });
    await eventually(() => expect(harness.names()).toHaveLength(1));
    const running = fateOf(call('posts'));
    await eventually(() => expect(held).toHaveLength(1));
    old.send(notificationFrame('draining'));
    await old.request('s1', 'ping', {});
    expect(await fateOf(call('posts'))).toBe('upstream_unavailable');
    const fresh = await harness.service('posts', { instance: 'i2' });
    for (let i = 0; i < 3; i++) expect(await fateOf(call('posts'))).toBe(textResult('{}'));
    expect(fresh.calls).toHaveLength(3);
    held[0]?.answer(textResult('late'));
    expect(await running).toBe(textResult('late'));
  });
});

describe('under load', () => {
  it('loses only the calls in flight on an instance that was killed', async () => {
    await harness.start();
    const delay = (one: FakeCall) => void setTimeout(() => one.answer(textResult('ok')), 5 + Math.random() * 10);
    const doomed = await harness.service('posts', { instance: 'i1', onCall: delay });
    const other = await harness.service('posts', { instance: 'i2', onCall: delay });
    await eventually(() => expect(harness.registry().registrations()).toMatchObject([{ instances: 2 }]));

    let answeredByDoomed = 0;
    const fates: string[] = [];
    const worker = async () => {
      for (let i = 0; i < 40; i++) {
        const fate = await call('posts').then(
          (answer) => answer.instance,
          (error: { reason: string }) => error.reason,
        );
        if (fate === 'i1') answeredByDoomed += 1;
        fates.push(fate);
      }
    };
    const load = Promise.all(Array.from({ length: 20 }, worker));
    await eventually(() => expect(doomed.calls.length).toBeGreaterThan(30));
    doomed.kill();
    await load;
    const failed = fates.filter((fate) => fate === 'upstream_failed');
    expect(fates.filter((fate) => !['i1', 'i2', 'upstream_failed'].includes(fate))).toEqual([]);
    expect(failed.length).toBeGreaterThan(0);
    expect(failed.length).toBeLessThanOrEqual(20);
    expect(answeredByDoomed + failed.length).toBeGreaterThanOrEqual(doomed.calls.length);
    expect(other.calls.length + answeredByDoomed + failed.length).toBe(800);
  });
});
