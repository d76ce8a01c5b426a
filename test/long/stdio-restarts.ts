/** A stdio server restarted a thousand times, by crash, by kill and by closing: no handle, listener, process or memory stays. */
import { held, restart, untilNothingMore } from '../../packages/gateway/src/upstream/mcp/testing/stdio-restarts.ts';
import { report } from '../e2e/support/long-result.ts';

const times = Number(process.argv[2] ?? 1_000);

/** In MiB. */
const heap = (): number => {
  globalThis.gc?.();
  return Math.round(process.memoryUsage().heapUsed / 1024 / 1024);
};

await restart('shared', 50);
const before = held();
const heapBefore = heap();
for (const isolation of ['shared', 'caller'] as const) await restart(isolation, times);
await untilNothingMore(before);
const after = held();
const heapAfter = heap();
report('stdio-restarts', { times, before, after, heapBefore, heapAfter }, heapAfter < heapBefore * 2 + 20);
