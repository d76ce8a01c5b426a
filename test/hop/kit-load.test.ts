import { afterEach, describe, expect, it } from 'vitest';
import { callUpstream, contractTool } from '../../packages/gateway/src/upstream/testing/contract-call.ts';
import { endWorlds, eventually, startWorld } from './kit-world.ts';

afterEach(endWorlds);

describe('two instances of a kit service under load', () => {
  it('lose only the calls in flight on the one that is killed', async () => {
    const { registry, spawnService, ready } = await startWorld('announce');
    const [doomed] = [spawnService(), spawnService()];
    await ready(2);
    const upstream = registry.registrations()[0]?.upstream;
    if (!upstream) throw new Error('not registered');
    const fates: string[] = [];
    const worker = async () => {
      for (let i = 0; i < 40; i++) {
        const call = callUpstream(upstream, { tool: contractTool('contract', 'Contract.Slow') });
        fates.push(await call.then(() => 'answered').catch((error: { reason: string }) => error.reason));
      }
    };
    const load = Promise.all(Array.from({ length: 20 }, worker));
    await eventually(() => expect(fates.length).toBeGreaterThan(100));
    doomed?.kill('SIGKILL');
    await load;
    const failed = fates.filter((fate) => fate !== 'answered');
    expect(new Set(failed)).toEqual(new Set(['upstream_failed']));
    expect(failed.length).toBeLessThanOrEqual(20);
    expect(fates).toHaveLength(800);
  });

  it('answer every call while one of them drains', async () => {
    const { registry, spawnService, ready } = await startWorld('announce');
    const [leaving] = [spawnService(), spawnService()];
    await ready(2);
    const upstream = registry.registrations()[0]?.upstream;
    if (!upstream) throw new Error('not registered');
    const fates: string[] = [];
    const worker = async () => {
      for (let i = 0; i < 40; i++) {
        const call = callUpstream(upstream, { tool: contractTool('contract', 'Contract.Slow') });
        fates.push(await call.then(() => 'answered').catch((error: { reason: string }) => error.reason));
      }
    };
    const load = Promise.all(Array.from({ length: 20 }, worker));
    await eventually(() => expect(fates.length).toBeGreaterThan(100));
    leaving?.kill('SIGTERM');
    await load;
    // Those too that crossed the notice of draining on the wire.
    expect(fates.filter((fate) => fate !== 'answered')).toEqual([]);
    expect(fates).toHaveLength(800);
    await eventually(() => expect(registry.registrations()).toMatchObject([{ instances: 1 }]));
  });
});
