import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Meters } from './meters.ts';

/** How this process is: its memory, its CPU time, and how late its event loop is. Returns what ends the measuring. */
export function addProcessMetrics(meters: Meters): () => void {
  const delay = monitorEventLoopDelay({ resolution: 20 });
  delay.enable();
  const ofDelay = (name: string, what: string, read: () => number): void =>
    meters.observe(
      {
        name: `nodejs.eventloop.delay.${name}`,
        description: `${what} delay of the event loop since the start.`,
        unit: 's',
      },
      () => read() / 1e9,
    );
  ofDelay('max', 'Longest', () => delay.max);
  ofDelay('mean', 'Mean', () => (Number.isNaN(delay.mean) ? 0 : delay.mean));
  ofDelay('p50', 'Median', () => delay.percentile(50));
  ofDelay('p99', '99th percentile of the', () => delay.percentile(99));
  meters.observe({ name: 'process.memory.usage', description: 'Resident memory of the gateway.', unit: 'By' }, () =>
    process.memoryUsage.rss(),
  );
  meters.observe(
    { name: 'process.cpu.time', description: 'CPU time of the gateway, all threads.', unit: 's', kind: 'counter' },
    () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    },
  );
  return () => void delay.disable();
}
