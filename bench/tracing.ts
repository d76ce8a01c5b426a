import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  type AuditRecord,
  type Authenticator,
  createPipeline,
  everything,
  type JsonText,
  toolCall,
} from '@sallyport/core';
import { createLogger } from '@sallyport/gateway';
import { createLiveCatalog } from '../packages/gateway/src/catalog/live.ts';
import { composeStages } from '../packages/gateway/src/compose/stages.ts';
import { createMemoryLimiter, createRate, defaultPresets } from '../packages/gateway/src/limits/index.ts';
import { fixedRegistry, inProcessService } from '../packages/gateway/src/registry/in-process.ts';
import { createSealer } from '../packages/gateway/src/secrets/index.ts';
import { newCallId, newTrace, openTracing } from '../packages/gateway/src/telemetry/index.ts';
import { createSealing } from '../packages/gateway/src/upstream/sealing.ts';

/**
 * What traces cost: a call through all stages but the audit, to a service in this process; traces off, on and none kept, on and
 * all kept (and sent to a collector here). Microseconds of CPU of the whole process, the variants in turn. Only the ratios are
 * worth quoting. `node --expose-gc --conditions=sallyport-source bench/tracing.ts`
 */
const perRound = process.argv.includes('--smoke') ? 200 : 2_000;
const rounds = process.argv.includes('--smoke') ? 2 : 24;
const nowMs = Date.now;
const log = createLogger({ level: 'error' });
const collector = createServer((request, response) => void request.resume().on('end', () => response.end('{}')));
await new Promise<void>((resolve) => {
  collector.listen(0, '127.0.0.1', resolve);
});
const { port } = collector.address() as AddressInfo;
process.env.OTEL_EXPORTER_OTLP_ENDPOINT = `http://127.0.0.1:${port}`;
process.env.OTEL_BSP_MAX_QUEUE_SIZE = '100000';
process.env.OTEL_BSP_MAX_EXPORT_BATCH_SIZE = '2000';
process.env.OTEL_BSP_SCHEDULE_DELAY = '5';

const description = { description: 'x', inputSchema: { type: 'object' }, scopes: ['tasks:write'] };
const manifest = { service: 'tasks', version: '1.0.0', tools: [{ name: 'TaskService.Do', ...description }] };
const registry = fixedRegistry([inProcessService(manifest, { 'TaskService.Do': () => ({ ok: true }) })]);
const limiter = createMemoryLimiter({ nowMs: () => performance.now() });
const much = { rate: 1e9, burst: 1e9 };
const agent: Authenticator = {
  name: 'bench',
  authenticate: () => ({
    ...{ subject: 'bench', client: 'bench', kind: 'agent', scopes: ['tasks:write'], attributes: {} },
    ...{ method: 'bench', credentialId: 'bench' },
  }),
} as unknown as Authenticator;

function build(sampler: string | undefined) {
  const env = { ...process.env, OTEL_TRACES_SAMPLER: sampler };
  const tracing = sampler === undefined ? undefined : openTracing({ version: '0', env });
  const stages = composeStages({
    ...{ admit: () => undefined, authenticators: [agent], viewNamed: () => undefined, nowMs },
    catalog: createLiveCatalog({ registry, overrideFor: () => ({}), log }),
    sealing: createSealing({ sealer: createSealer(randomBytes(32), nowMs), nowMs, gatewayId: 'bench' }),
    rate: createRate({ limiter, presets: { ...defaultPresets, write: much }, overrides: [], denied: much }),
    record: async (_: AuditRecord) => undefined,
    ...(tracing && { tracing }),
  });
  const pipeline = createPipeline(stages);
  const request = toolCall('tasks.TaskService.Do', '{"title":"some text"}' as JsonText);
  const { signal } = new AbortController();
  const call = () =>
    pipeline.invoke({
      ...{ id: newCallId(), request, endpoint: everything, presented: { kind: 'bearer', token: 'x' } },
      origin: { transport: 'rest', peer: '127.0.0.1', era: 'none', host: '127.0.0.1:3000' },
      trace: (tracing?.newTrace ?? newTrace)(),
      ...{ receivedAtMs: nowMs(), signal, receivedBytes: 300 },
    });
  return { call, close: async () => tracing?.close(), micros: [] as number[] };
}

const variants = {
  off: build(undefined),
  'off, again': build(undefined),
  unsampled: build('always_off'),
  sampled: build('always_on'),
};
const { kind } = await variants.off.call();
if (kind !== 'answered') throw new Error(`the call was ${kind}`);
for (let round = 0; round <= rounds; round++) {
  // Each leaves something behind for whoever comes next: nobody comes next to the same one every time.
  const all = Object.values(variants);
  const order = all.map((_, at) => all[(at + round) % all.length]).filter((variant) => variant !== undefined);
  for (const { call, micros } of round % 2 === 0 ? order : order.reverse()) {
    globalThis.gc?.();
    const before = process.cpuUsage();
    for (let i = 0; i < perRound; i++) await call();
    // What was sampled is sent in its own turn.
    await new Promise((resolve) => setTimeout(resolve, 400));
    const { user, system } = process.cpuUsage(before);
    if (round > 0) micros.push((user + system) / perRound);
  }
}
const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
const base = median(variants.off.micros);
const rows = Object.fromEntries(
  Object.entries(variants).map(([name, { micros }]) => [
    name,
    { micros: Math.round(median(micros) * 10) / 10, timesOff: Math.round((median(micros) / base) * 100) / 100 },
  ]),
);
if (process.argv.includes('--json')) process.stdout.write(`${JSON.stringify({ rows })}\n`);
else console.table(rows);
for (const { close } of Object.values(variants)) await close();
collector.closeAllConnections();
collector.close();
