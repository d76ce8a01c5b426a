import { afterEach, describe, expect, it } from 'vitest';
import { killRounds } from './support/kill-rounds.ts';
import { callOnce, startLoad, tally } from './support/load.ts';
import { endAll, pause, until } from './support/program.ts';
import { createSite, ready } from './support/site.ts';

afterEach(endAll);

const roomy = 'limits: { presets: { read: { rate: 100000, burst: 100000 } } }';

describe('kill -9 of the gateway under load', () => {
  it('loses no record of a call whose answer was seen, five times over', async () => {
    const { answers, missing, verified } = await killRounds(5);
    process.stdout.write(`five kills: ${answers} answers seen, ${missing.length} without a record\n`);
    expect(answers).toBeGreaterThan(100);
    expect(missing).toEqual([]);
    expect(verified).toBe(true);
  });
});

describe('a gateway that comes back', () => {
  it('lists what was there as stale, not as nothing, until the services are back; calls work again then', async () => {
    const site = createSite(['one', 'two'], roomy);
    const before = await site.startGateway();
    const services = [site.startService('one'), site.startService('two')];
    await Promise.all([ready(before, 'one'), ready(before, 'two')]);
    const token = await before.mint('reader', ['one:use', 'two:use']);
    const catalog = async (mcp: URL) => {
      const headers = { Authorization: `Bearer ${token}` };
      return (await (await fetch(new URL('/mcp/tools', mcp), { headers })).json()) as any;
    };
    const { tools } = await catalog(before.mcp);
    expect(tools.length).toBeGreaterThan(10);
    // They may not come back before we have looked.
    for (const service of services) service.kill('SIGSTOP');
    before.program.kill('SIGKILL');
    await before.program.ended;

    const after = await site.startGateway();
    const stale = await catalog(after.mcp);
    expect(stale.stale).toBe(true);
    expect(stale.tools).toEqual(tools);
    expect((await after.services()).map(({ state }) => state)).toEqual(['stale', 'stale']);
    for (const service of services) service.kill('SIGCONT');
    const backMs = await until(async () => (await catalog(after.mcp)).stale !== true, 'all are back');
    process.stdout.write(`all services announced again ${backMs.toFixed()} ms after they could\n`);
    expect((await catalog(after.mcp)).tools).toEqual(tools);
    for (const [index, name] of ['one', 'two'].entries()) {
      await ready(after, name);
      const { end, result } = await callOnce({ mcp: after.mcp, token, tool: `${name}.Trial.Who` });
      expect([end, result.pid]).toEqual(['answered', services[index]!.pid]);
    }
  });
});

describe('a gateway that is asked to end', () => {
  it('answers what is in flight, takes nothing new, and exits with 0', async () => {
    const site = createSite(['one'], roomy);
    const gateway = await site.startGateway();
    site.startService('one');
    await ready(gateway, 'one');
    const token = await gateway.mint('load', ['one:use']);
    const calls = { mcp: gateway.mcp, token, tool: 'one.Trial.Wait' };
    const slow = Array.from({ length: 10 }, () => callOnce({ ...calls, input: { ms: 1_000 } }));
    const load = startLoad({ ...calls, input: { ms: 5 } }, 4);
    await until(() => load.fates.length > 50);
    await pause(100);
    gateway.program.kill('SIGTERM');
    expect((await Promise.all(slow)).map(({ end }) => end)).toEqual(Array(10).fill('answered'));
    const allAnsweredMs = performance.now();
    expect(await gateway.program.ended).toBe(0);
    const fates = await load.stop();
    process.stdout.write(`asked to end under load: ${JSON.stringify(tally(fates))}\n`);
    // Whoever got an answer got a whole one, and the log has it; a connection that was refused was never a call.
    expect(Object.keys(tally(fates)).sort()).toEqual(['answered', 'lost']);
    // Nor was it kept alive by clients that go on and on.
    expect(fates.filter(({ end, startedMs }) => end === 'answered' && startedMs > allAnsweredMs)).toEqual([]);
    const recorded = new Set<string>((await gateway.records({}, 100_000)).map(({ callId }) => callId));
    expect(fates.filter(({ end, callId }) => end === 'answered' && !recorded.has(callId!))).toEqual([]);
    expect(await gateway.verify()).toMatchObject({ ok: true });
  });
});
