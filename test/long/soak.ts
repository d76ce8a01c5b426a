/** Five minutes of mixed calls while instances come and go: every call ends as it must, and memory stays bounded. */
import { readFileSync } from 'node:fs';
import { startLoad, tally } from '../e2e/support/load.ts';
import { report } from '../e2e/support/long-result.ts';
import { endAll, type Program, pause } from '../e2e/support/program.ts';
import { createSite, ready } from '../e2e/support/site.ts';

const seconds = Number(process.argv[2] ?? 300);
const roomy = 'limits: { presets: { read: { rate: 100000, burst: 100000 } }, denied: { rate: 100000, burst: 100000 } }';

/** What the process holds in memory, in MiB. */
function memoryOf({ pid }: Program): number {
  const [, kilobytes = '0'] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Math.round(Number(kilobytes) / 1024);
}

try {
  const site = createSite(['one'], roomy);
  const gateway = await site.startGateway();
  let instances = [site.startService('one'), site.startService('one')];
  await ready(gateway, 'one', 2);
  const token = await gateway.mint('load', ['one:use']);
  const calls = { mcp: gateway.mcp, token };
  const kinds = {
    answered: startLoad({ ...calls, tool: 'one.Trial.Echo', input: { text: 'x'.repeat(2_000) } }, 2),
    insufficient_scope: startLoad({ ...calls, tool: 'one.Trial.Admin' }, 1),
    unknown_tool: startLoad({ ...calls, tool: 'one.Trial.Nothing' }, 1),
    invalid_input: startLoad({ ...calls, tool: 'one.Trial.Wait', input: { ms: 'soon' } }, 1),
    upstream_timeout: startLoad({ ...calls, tool: 'one.Trial.Slow' }, 1),
    tool_error: startLoad({ ...calls, tool: 'one.Trial.Fail' }, 1),
  };
  const endMs = performance.now() + seconds * 1_000;
  const memory: number[] = [];
  while (performance.now() < endMs) {
    await pause(Math.min(15_000, seconds * 100));
    instances = [...instances, site.startService('one')];
    await ready(gateway, 'one', 3);
    instances.shift()?.kill('SIGTERM');
    await ready(gateway, 'one', 2);
    memory.push(memoryOf(gateway.program));
    process.stdout.write(`${Math.round((endMs - performance.now()) / 1_000)} s left, ${memory.at(-1)} MiB\n`);
  }
  const ends: Record<string, Record<string, number>> = {};
  for (const [kind, load] of Object.entries(kinds)) ends[kind] = tally(await load.stop());
  const isAsExpected = Object.entries(ends).every(([kind, counts]) => Object.keys(counts).join() === kind);
  const quarter = Math.max(1, Math.floor(memory.length / 4));
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  // Warm from the second quarter on: what it holds then is what it has to hold.
  const growth = mean(memory.slice(-quarter)) / mean(memory.slice(quarter, 2 * quarter));
  const { ok: verified, rows } = await gateway.verify();
  report('soak', { seconds, ends, memory, growth, verified, rows }, isAsExpected && verified && growth < 1.5);
} finally {
  await endAll();
}
