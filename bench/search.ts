import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import type { AuditRecord, CallId } from '@sallyport/core';
import pg from 'pg';
import { openChain } from '../packages/gateway/src/audit/chain.ts';
import { type Cell, pack } from '../packages/gateway/src/audit/entry.ts';
import type { LogChain } from '../packages/gateway/src/audit/log-chain.ts';
import type { AuditSource } from '../packages/gateway/src/audit/log-reader.ts';
import { placeIn } from '../packages/gateway/src/audit/postgres.fuzz.ts';
import { openPostgresChain } from '../packages/gateway/src/audit/postgres-chain.ts';
import { answered, logFolder, someKeys } from '../packages/gateway/src/audit/record.fuzz.ts';
import { type AuditFilter, findAudit } from '../packages/gateway/src/audit/search.ts';
import { startPostgres } from '../test/postgres/server.ts';

/**
 * How long a search takes in a log of many rows, by what is searched for, newest first: the first 100, or all there are. Makes
 * such a log with the writer itself, without a gateway, and says what its search index costs. All in one run.
 *
 * `node --conditions=sallyport-source bench/search.ts [--rows 10000000] [--log <file that is kept>] [--postgres] [--smoke]`
 */
const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '1000000' },
    log: { type: 'string' },
    postgres: { type: 'boolean', default: false },
    smoke: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const rows = values.smoke ? 40_000 : Number(values.rows);
const startMs = Date.UTC(2027, 0, 2);
const everyMs = 30;

/** Numbers that look random and are the same in each run. */
function createDice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const dice = createDice(7);
/** Few are called often, many seldom. */
const often = (count: number) => Math.floor(count * dice() ** 4);
const reasons = [
  'rate_limited',
  'invalid_input',
  'insufficient_scope',
  'policy_denied',
  'upstream_unavailable',
] as const;

function someRecord(at: number): AuditRecord {
  const base = answered({
    timeMs: startMs + at * everyMs - often(5_000),
    subject: `user-${often(20_000)}`,
    tool: `service${often(20)}.Service.Method${often(25)}`,
    policies: ['scopes', `team-${often(40)}/limits`],
  });
  const odds = dice();
  if (odds < 0.03) {
    const reason = reasons[often(reasons.length)] ?? 'internal';
    return { ...base, outcome: 'refused', reason, code: 'permission_denied', stage: 'authorize' };
  }
  if (odds < 0.05) return { ...base, intent: { id: `int_${often(2_000)}`, messageDigest: 'ab'.repeat(32) } };
  if (odds < 0.051) return { ...base, approval: `apr_${Math.floor(at / 20_000)}`, obligations: ['approve'] };
  if (odds < 0.06) return { ...base, shadow: { effect: 'deny', policies: [`trial-${often(5)}`] } };
  return base;
}

interface Marks {
  readonly callId: CallId;
  readonly traceId: string;
}

/** Writes the log; returns ids of a call near its beginning, and what writing and indexing took. */
async function make(chain: LogChain): Promise<{ readonly writeUs: number; readonly indexUs: number }> {
  let [writeMs, indexMs] = [0, 0];
  const perCommit = 1_000;
  for (let at = 0; at < rows; at += perCommit) {
    const cells: Cell[] = [];
    for (let next = at; next < Math.min(rows, at + perCommit); next++) {
      const ids =
        next === rows >> 5 ? oldCall : { callId: randomUUID() as CallId, traceId: randomBytes(16).toString('hex') };
      pack({ ...someRecord(next), ...ids }, cells, () => '');
    }
    const began = performance.now();
    await chain.commit([cells], false);
    const committed = performance.now();
    while (await chain.index());
    writeMs += committed - began;
    indexMs += performance.now() - committed;
    if (at % 500_000 === 0 && at > 0) process.stderr.write(`${at} rows\n`);
  }
  await chain.close();
  return { writeUs: (writeMs * 1000) / rows, indexUs: (indexMs * 1000) / rows };
}

/** Of a call near the beginning: the last place that a search from the newest on looks at. */
const oldCall: Marks = { callId: '00000000-0000-4000-8000-00000000000a' as CallId, traceId: '0a'.repeat(16) };

function filters(): Readonly<Record<string, AuditFilter>> {
  const middleMs = startMs + (rows / 2) * everyMs;
  const hour = { sinceMs: middleMs, untilMs: middleMs + 3_600_000 };
  return {
    nothing: {},
    'an hour in the middle': hour,
    'a tool, called often': { tool: 'service0.Service.Method0' },
    'a tool, called seldom': { tool: 'service19.Service.Method24' },
    'a tool that is not': { tool: 'nothing.Service.Method' },
    'a subject, often': { subject: 'user-0' },
    'a subject, seldom': { subject: 'user-19990' },
    'an outcome': { outcome: 'refused' },
    'a reason': { reason: 'policy_denied' },
    'a call, old': { callId: oldCall.callId },
    'a trace, old': { traceId: oldCall.traceId },
    'an intent': { intent: 'int_9' },
    'an approval, old': { approval: 'apr_0' },
    'a policy': { policy: 'team-39/limits' },
    'a trial': { shadow: 'deny', policy: 'trial-1' },
    'an obligation': { obligation: 'approve' },
    'a subject and an outcome': { subject: 'user-100', outcome: 'refused' },
    'a tool, a reason and an hour': { ...hour, tool: 'service0.Service.Method0', reason: 'rate_limited' },
  };
}

async function measure(
  path: AuditSource,
  filter: AuditFilter,
): Promise<{ found: number; firstMs: number; medianMs: number }> {
  const times: number[] = [];
  let found = 0;
  for (let round = 0; round < 5; round++) {
    const began = performance.now();
    found = (await findAudit(path, filter, { limit: 100 })).rows.length;
    times.push(performance.now() - began);
  }
  const round = (ms: number) => Math.round(ms * 10) / 10;
  return { found, firstMs: round(times[0] ?? 0), medianMs: round(times.toSorted((a, b) => a - b)[2] ?? 0) };
}

interface Made {
  readonly source: AuditSource;
  readonly cost?: Awaited<ReturnType<typeof make>>;
  readonly gigabytes: number;
  close(): Promise<void>;
}

const gigabytes = (bytes: number): number => Math.round(bytes / 1e7) / 100;

async function inFile(): Promise<Made> {
  const place = logFolder();
  const path = values.log ?? place.path;
  mkdirSync(dirname(path), { recursive: true });
  const cost = existsSync(path) ? undefined : await make(openChain({ path, keys: someKeys() }));
  return {
    source: path,
    ...(cost && { cost }),
    gigabytes: gigabytes(statSync(path).size),
    close: async () => place.remove(),
  };
}

async function inPostgres(): Promise<Made> {
  const server = await startPostgres({ settings: { shared_buffers: '512MB', max_wal_size: '8GB', autovacuum: 'on' } });
  const { path } = placeIn(await server.createDatabase());
  const lost = (): void => {
    throw new Error('the connection to PostgreSQL is lost');
  };
  const { access, origin } = path;
  const cost = await make(await openPostgresChain({ access, origin, keys: someKeys() }, lost));
  const size = await sizeOf(path);
  return { source: path, cost, gigabytes: gigabytes(size), close: server.close };
}

async function sizeOf({ access: { address } }: ReturnType<typeof placeIn>['path']): Promise<number> {
  const { host, port, user, database, password } = address;
  const client = new pg.Client({ host, port, user, database, password });
  await client.connect();
  const { rows: found } = await client.query('SELECT pg_database_size(current_database()) AS size');
  await client.end();
  return Number(found[0]?.size);
}

const { source, cost, close, ...size } = await (values.postgres ? inPostgres() : inFile());
const table: Record<string, Awaited<ReturnType<typeof measure>>> = {};
for (const [name, filter] of Object.entries(filters())) table[name] = await measure(source, filter);
await close();
const facts = { rows, ...size, ...cost };
if (values.json) process.stdout.write(`${JSON.stringify({ ...facts, searches: table })}\n`);
else {
  console.table(table);
  console.table(facts);
}
