import { parseArgs } from 'node:util';
import { openAuditLog } from '../packages/gateway/src/audit/index.ts';
import { placeIn } from '../packages/gateway/src/audit/postgres.fuzz.ts';
import { answered, logFolder, silent, someKeys } from '../packages/gateway/src/audit/record.fuzz.ts';
import { noPostgres, type PostgresServer, startPostgres } from '../test/postgres/server.ts';

/**
 * What it costs an answer to wait for its record, by how durable that has to be and by the database: microseconds of CPU of the
 * whole process per record (a server's own are not in it), records per second, and how long one answer waits. All in one run;
 * only the ratios to `process` in SQLite are worth quoting. `off` makes the record and throws it away.
 *
 * `node --conditions=sallyport-source bench/durability.ts [--smoke] [--json]`
 */
const { values } = parseArgs({ options: { smoke: { type: 'boolean', default: false }, json: { type: 'boolean' } } });
const records = values.smoke ? 300 : 20_000;

interface Cost {
  readonly cpuUs: number;
  readonly perSecond: number;
  readonly waitP50Ms: number;
  readonly waitP99Ms: number;
}

interface Way {
  append(): Promise<void>;
  close(): Promise<void>;
}

type Level = 'off' | 'async' | 'process' | 'disk';

async function open(level: Level, server: PostgresServer | undefined): Promise<Way> {
  if (level === 'off') return { append: async () => void JSON.stringify(answered()), close: async () => undefined };
  const place = server === undefined ? logFolder() : placeIn(await server.createDatabase());
  const log = await openAuditLog({ path: place.path, keys: someKeys(), log: silent, durability: { reads: level } });
  return {
    append: () => log.append(answered()),
    close: async () => {
      await log.close();
      await place.remove();
    },
  };
}

async function measure(way: Way, atOnce: number): Promise<Cost> {
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
  const count = atOnce === 1 ? records / 4 : records;
  const before = process.cpuUsage();
  const started = performance.now();
  await all(count);
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(before);
  const sorted = waits.toSorted((a, b) => a - b);
  const at = (share: number) => round(sorted[Math.floor(sorted.length * share)] ?? 0);
  const perSecond = Math.round(count / seconds);
  return { cpuUs: round((user + system) / count), perSecond, waitP50Ms: at(0.5), waitP99Ms: at(0.99) };
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

// As a server is that loses nothing: the tests' own is quicker than that.
const honest = { settings: { fsync: 'on', synchronous_commit: 'on', full_page_writes: 'on', shared_buffers: '256MB' } };
const server = noPostgres === undefined ? await startPostgres(honest) : undefined;
const kinds = [['SQLite', undefined] as const, ...(server ? [['PostgreSQL', server] as const] : [])];
const table: Record<string, Cost & { readonly ratio: number }> = {};
for (const atOnce of [64, 8, 1]) {
  const costs = new Map<string, Cost>();
  for (const [kind, place] of kinds) {
    for (const level of ['off', 'async', 'process', 'disk'] as const) {
      if (level === 'off' && place !== undefined) continue;
      const way = await open(level, place);
      costs.set(level === 'off' ? 'off' : `${kind}, ${level}`, await measure(way, atOnce));
      await way.close();
    }
  }
  const unit = costs.get('SQLite, process')?.perSecond ?? Number.NaN;
  for (const [name, cost] of costs)
    table[`${name}, ${atOnce} at once`] = { ...cost, ratio: round(cost.perSecond / unit) };
}
await server?.close();
if (values.json) process.stdout.write(`${JSON.stringify({ rows: table })}\n`);
else console.table(table);
