import { parseArgs } from 'node:util';
import { openAuditLog } from '../packages/gateway/src/audit/index.ts';
import { answered, logFolder, silent, someKeys } from '../packages/gateway/src/audit/record.fuzz.ts';

/**
 * What it costs an answer to wait for its record, by how durable that has to be: microseconds of CPU of the whole process per
 * record, records per second, and how long one answer waits. All in one run; only the ratios to `process` are worth quoting. `none`
 * makes the record and throws it away.
 */
const { values } = parseArgs({ options: { smoke: { type: 'boolean', default: false }, json: { type: 'boolean' } } });
const records = values.smoke ? 300 : 20_000;

interface Cost {
  readonly cpuUs: number;
  readonly perSecond: number;
  readonly waitP50Ms: number;
}

interface Way {
  append(): Promise<void>;
  close(): Promise<void>;
}

async function open(level: 'none' | 'async' | 'process' | 'disk'): Promise<Way> {
  if (level === 'none') return { append: async () => void JSON.stringify(answered()), close: async () => undefined };
  const place = logFolder();
  const log = await openAuditLog({ path: place.path, keys: someKeys(), log: silent, durability: { reads: level } });
  return {
    append: () => log.append(answered()),
    close: async () => {
      await log.close();
      place.remove();
    },
  };
}

async function measure(level: Parameters<typeof open>[0], atOnce: number): Promise<Cost> {
  const way = await open(level);
  const waits: number[] = [];
  const run = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      const started = performance.now();
      await way.append();
      waits.push(performance.now() - started);
    }
  };
  const all = (count: number) => Promise.all(Array.from({ length: atOnce }, () => run(Math.ceil(count / atOnce))));
  await all(Math.min(1000, records));
  waits.length = 0;
  const before = process.cpuUsage();
  const started = performance.now();
  await all(records);
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(before);
  await way.close();
  const p50 = waits.toSorted((a, b) => a - b)[Math.floor(waits.length / 2)] ?? 0;
  const round = (value: number) => Math.round(value * 100) / 100;
  return { cpuUs: round((user + system) / records), perSecond: Math.round(records / seconds), waitP50Ms: round(p50) };
}

const table: Record<string, Cost & { readonly ratio: number }> = {};
for (const atOnce of [64, 8, 1]) {
  const costs = new Map<string, Cost>();
  for (const level of ['none', 'async', 'process', 'disk'] as const) costs.set(level, await measure(level, atOnce));
  const unit = costs.get('process')?.perSecond ?? Number.NaN;
  for (const [level, cost] of costs) {
    table[`${level}, ${atOnce} at once`] = { ...cost, ratio: Math.round((cost.perSecond / unit) * 100) / 100 };
  }
}
if (values.json) process.stdout.write(`${JSON.stringify({ rows: table })}\n`);
else console.table(table);
