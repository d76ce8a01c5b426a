import { afterEach, describe, expect, it } from 'vitest';
import type { TestGateway } from './support/gateway.ts';
import { callOnce, startLoad, tally } from './support/load.ts';
import { endAll, until } from './support/program.ts';
import { createSite, ready } from './support/site.ts';

afterEach(endAll);

const roomy = 'limits: { presets: { read: { rate: 100000, burst: 100000 } } }';
const pidOf = async (gateway: TestGateway, token: string, service: string): Promise<number> =>
  (await callOnce({ mcp: gateway.mcp, token, tool: `${service}.Trial.Who` })).result.pid;
const service = async (gateway: TestGateway, name: string) =>
  (await gateway.services()).find((each) => each.name === name);

describe('kill -9', () => {
  it('of one of two instances under load costs the calls in flight on it, and no other', async () => {
    const site = createSite(['one'], roomy);
    const gateway = await site.startGateway();
    const doomed = site.startService('one');
    site.startService('one');
    await ready(gateway, 'one', 2);
    const token = await gateway.mint('load', ['one:use']);
    const load = startLoad({ mcp: gateway.mcp, token, tool: 'one.Trial.Wait', input: { ms: 5 } }, 16);
    await until(() => load.fates.length > 500);
    doomed.kill('SIGKILL');
    const before = load.fates.length;
    await until(() => load.fates.length > before + 500);
    const fates = await load.stop();

    const failed = fates.filter(({ end }) => end !== 'answered');
    process.stdout.write(`killed one of two: ${JSON.stringify(tally(fates))}\n`);
    expect(new Set(failed.map(({ end }) => end))).toEqual(new Set(['upstream_failed']));
    expect(failed.length).toBeLessThanOrEqual(16);
    const records = new Map((await gateway.records({}, 100_000)).map((record) => [record.callId, record]));
    const isSent = failed.every(({ callId }) => records.get(callId as never)?.stage === 'dispatch');
    expect(isSent).toBe(true);
    expect(fates.every(({ callId }) => records.has(callId as never))).toBe(true);
    expect(await gateway.verify()).toMatchObject({ ok: true });
  });

  it('of the only instance takes its tools off the list, leaves all others alone, and they are back when it is', async () => {
    const site = createSite(['one', 'two'], roomy);
    const gateway = await site.startGateway();
    const [doomed] = [site.startService('one'), site.startService('two')];
    await Promise.all([ready(gateway, 'one'), ready(gateway, 'two')]);
    const token = await gateway.mint('load', ['one:use', 'two:use']);
    const load = startLoad({ mcp: gateway.mcp, token, tool: 'two.Trial.Wait', input: { ms: 1 } }, 4);
    await until(() => load.fates.length > 50);
    const hasOne = async (): Promise<boolean> => {
      const headers = { Authorization: `Bearer ${token}` };
      const listed = await (await fetch(new URL('/mcp/tools', gateway.mcp), { headers })).json();
      const names = (listed as { tools: { name: string }[] }).tools.map(({ name }) => name);
      expect(names).toContain('two.Trial.Wait');
      return names.includes('one.Trial.Wait');
    };
    expect(await hasOne()).toBe(true);
    doomed!.kill('SIGKILL');
    const goneMs = await until(async () => !(await hasOne()), 'it is off the list', 5_000);
    process.stdout.write(`off the list after ${goneMs.toFixed()} ms (1,000 asked for)\n`);
    expect(await service(gateway, 'one')).toBeUndefined();
    site.startService('one');
    await ready(gateway, 'one');
    expect(await hasOne()).toBe(true);
    expect(tally(await load.stop())).toEqual({ answered: load.fates.length });
  });
});

describe('a service that falls silent', () => {
  it('is suspected, then dropped, and nobody else notices; when it speaks again it is taken back', async () => {
    const site = createSite(['one', 'two'], roomy);
    const gateway = await site.startGateway();
    const [silent] = [site.startService('one'), site.startService('two')];
    await Promise.all([ready(gateway, 'one'), ready(gateway, 'two')]);
    const token = await gateway.mint('load', ['one:use', 'two:use']);
    const load = startLoad({ mcp: gateway.mcp, token, tool: 'two.Trial.Wait', input: { ms: 1 } }, 4);
    silent!.kill('SIGSTOP');
    const suspectedMs = await until(async () => (await service(gateway, 'one'))?.state === 'suspected', 'suspected');
    const droppedMs = await until(async () => (await service(gateway, 'one')) === undefined, 'dropped');
    process.stdout.write(
      `suspected after ${suspectedMs.toFixed()} ms (2,000 asked for), dropped after ${(suspectedMs + droppedMs).toFixed()} ms (5,000)\n`,
    );
    expect(suspectedMs).toBeLessThan(8_000);
    expect(suspectedMs + droppedMs).toBeLessThan(20_000);
    silent!.kill('SIGCONT');
    await ready(gateway, 'one');
    expect(await pidOf(gateway, token, 'one')).toBe(silent!.pid);
    expect(tally(await load.stop())).toEqual({ answered: load.fates.length });
  });

  it('is suspected at once when a call to it fails', async () => {
    const site = createSite(['one'], `tools: { 'one.Trial.Who': { timeout: 100ms } }\n${roomy}`);
    const gateway = await site.startGateway();
    const silent = site.startService('one');
    await ready(gateway, 'one');
    const token = await gateway.mint('load', ['one:use']);
    silent.kill('SIGSTOP');
    expect((await callOnce({ mcp: gateway.mcp, token, tool: 'one.Trial.Who' })).end).toBe('upstream_timeout');
    expect((await service(gateway, 'one'))?.state).toBe('suspected');
    silent.kill('SIGCONT');
    await ready(gateway, 'one');
  });
});

describe('a service that is asked to end', () => {
  it('finishes what it has, and under load not one call fails', async () => {
    const site = createSite(['one'], roomy);
    const gateway = await site.startGateway();
    const old = [site.startService('one'), site.startService('one')];
    await ready(gateway, 'one', 2);
    const token = await gateway.mint('load', ['one:use']);
    const load = startLoad({ mcp: gateway.mcp, token, tool: 'one.Trial.Wait', input: { ms: 4 } }, 16);
    for (const leaving of old) {
      await until(() => load.fates.length > 200);
      site.startService('one');
      await ready(gateway, 'one', 3);
      leaving.kill('SIGTERM');
      expect(await leaving.ended).toBe(0);
      await ready(gateway, 'one', 2);
    }
    const before = load.fates.length;
    await until(() => load.fates.length > before + 200);
    expect(tally(await load.stop())).toEqual({ answered: load.fates.length });
  });
});
