/**
 * What a durable audit record costs the thread that answers calls, by ways of writing it. All do the same work (canonical
 * text, argument hash, sealing, chain) and hand the bytes to the operating system before they acknowledge.
 *
 * `node --conditions=sallyport-source bench/audit-writer.ts [records]`
 */
import { appendFileSync } from 'node:fs';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import type { AuditRecord } from '@sallyport/core';
import { type ChainSettings, openChain } from '../packages/gateway/src/audit/chain.ts';
import { openDataKeys } from '../packages/gateway/src/audit/data-keys.ts';
import { type Cell, pack, plainText, unpack } from '../packages/gateway/src/audit/entry.ts';
import { openAuditLog } from '../packages/gateway/src/audit/log.ts';
import { answered, logFolder, silent, someKeys } from '../packages/gateway/src/audit/record.fuzz.ts';
import { genesisHash, rowHash } from '../packages/gateway/src/audit/row.ts';
import { createArgumentsHash, createSealer } from '../packages/gateway/src/audit/seal.ts';
import type { FromWriter } from '../packages/gateway/src/audit/writer.ts';

interface Way {
  readonly append: (record: AuditRecord) => Promise<void>;
  readonly close: () => Promise<unknown>;
}

const writerUrl = new URL('../packages/gateway/src/audit/writer.ts', import.meta.url);
const execArgv = ['--conditions=sallyport-source'];

const ways: Readonly<Record<string, (settings: ChainSettings) => Promise<Way>>> = {
  'nothing (makes the record only)': async () => ({ append: async () => undefined, close: async () => undefined }),
  'SQLite on the request thread': onRequestThread,
  'appendFileSync on the request thread': appendingToFile,
  'writer thread, message per record': messagePerRecord,
  'writer thread, batch per tick': async (settings) => openAuditLog({ ...settings, log: silent }),
  'writer thread, shared-memory ring': sharedRing,
};

async function onRequestThread(settings: ChainSettings): Promise<Way> {
  const chain = await openChain(settings);
  const append = async (record: AuditRecord) => {
    const cells: Cell[] = [];
    pack(record, cells, () => '');
    chain.commit([cells]);
  };
  return { append, close: async () => chain.close() };
}

async function appendingToFile({ path, keys }: ChainSettings): Promise<Way> {
  const dataKeys = openDataKeys(path, keys.seal);
  const seal = createSealer(dataKeys.keyFor);
  const hashArguments = createArgumentsHash(keys.argumentHash);
  let prevHash = genesisHash('bench');
  let seq = 0;
  const append = async (record: AuditRecord) => {
    const cells: Cell[] = [];
    pack(record, cells, () => '');
    const entry = unpack(cells, 0);
    const hashed = hashArguments(entry.argumentsText ?? '');
    const text = `${entry.text.slice(0, -1)},"argumentsHash":"${hashed}"}`;
    const { callId, tenant, timeMs } = record;
    const sealed = seal(plainText(entry) ?? '', { callId, tenant, timeMs });
    seq++;
    prevHash = rowHash({ prevHash, seq, record: text, sealed });
    appendFileSync(path, `${text}\t${sealed.toString('base64')}\t${prevHash.toString('hex')}\n`);
  };
  return { append, close: async () => undefined };
}

function once(worker: Worker, kind: FromWriter['kind']): Promise<void> {
  return new Promise((resolve) => {
    const hear = (message: FromWriter) => {
      if (message.kind !== kind) return;
      worker.off('message', hear);
      resolve();
    };
    worker.on('message', hear);
  });
}

async function messagePerRecord(settings: ChainSettings): Promise<Way> {
  const worker = new Worker(writerUrl, { workerData: settings, execArgv });
  await once(worker, 'ready');
  const waiting: (() => void)[] = [];
  worker.on('message', (message: FromWriter) => {
    if (message.kind === 'done') for (const resolve of waiting.splice(0, message.done[0])) resolve();
  });
  const append = (record: AuditRecord) =>
    new Promise<void>((resolve) => {
      waiting.push(resolve);
      const cells: Cell[] = [];
      pack(record, cells, () => '');
      worker.postMessage({ kind: 'append', lane: 0, count: 1, cells });
    });
  const close = () => {
    worker.postMessage({ kind: 'close' });
    return once(worker, 'closed');
  };
  return { append, close };
}

/** Words of the ring's head: bytes written, bytes read, records acknowledged, whether to end. */
const [written, readUpTo, acknowledged, ending] = [0, 1, 2, 3];
const ringBytes = 1 << 24;

async function sharedRing(settings: ChainSettings): Promise<Way> {
  const head = new Int32Array(new SharedArrayBuffer(16));
  const ring = new SharedArrayBuffer(ringBytes);
  const worker = new Worker(new URL(import.meta.url), { workerData: { settings, head, ring }, execArgv });
  await new Promise((resolve) => worker.once('message', resolve));
  const bytes = Buffer.from(ring);
  const waiting: (() => void)[] = [];
  let at = 0;
  let done = 0;
  let listening = false;
  const listen = async () => {
    listening = true;
    while (waiting.length > 0) {
      const waited = Atomics.waitAsync(head, acknowledged, done);
      if (waited.async) await waited.value;
      const now = Atomics.load(head, acknowledged);
      for (const resolve of waiting.splice(0, now - done)) resolve();
      done = now;
    }
    listening = false;
  };
  const put = (record: AuditRecord) => {
    const cells: Cell[] = [];
    pack(record, cells, () => '');
    const text = JSON.stringify(cells);
    // A prototype: nothing in this bench needs more room than the ring has, and entries never wrap round its end.
    if (at + 4 + text.length * 3 > ringBytes) {
      bytes.writeInt32LE(-1, at);
      at = 0;
    }
    const size = bytes.write(text, at + 4, 'utf8');
    bytes.writeInt32LE(size, at);
    at += 4 + size;
    Atomics.store(head, written, at);
    Atomics.notify(head, written);
  };
  const append = (record: AuditRecord) =>
    new Promise<void>((resolve) => {
      waiting.push(resolve);
      put(record);
      if (!listening) void listen();
    });
  const close = () => {
    Atomics.store(head, ending, 1);
    Atomics.store(head, written, -1);
    Atomics.notify(head, written);
    return new Promise((resolve) => worker.once('exit', resolve));
  };
  return { append, close };
}

async function ringWriter(): Promise<void> {
  const { settings, ring } = workerData;
  const head = workerData.head as Int32Array<SharedArrayBuffer>;
  const chain = await openChain(settings);
  const bytes = Buffer.from(ring as SharedArrayBuffer);
  const { parentPort } = await import('node:worker_threads');
  parentPort?.postMessage('ready');
  let at = 0;
  while (Atomics.load(head, ending) === 0) {
    const upTo = Atomics.load(head, written);
    if (upTo === at) {
      Atomics.wait(head, written, at);
      continue;
    }
    const groups: Cell[][] = [];
    while (at !== upTo && upTo >= 0) {
      const size = bytes.readInt32LE(at);
      if (size < 0) at = 0;
      else {
        groups.push(JSON.parse(bytes.toString('utf8', at + 4, at + 4 + size)));
        at += 4 + size;
      }
    }
    if (groups.length > 0) chain.commit(groups);
    Atomics.store(head, readUpTo, at);
    Atomics.add(head, acknowledged, groups.length);
    Atomics.notify(head, acknowledged);
  }
  chain.close();
}

interface Cost {
  readonly threadUs: number;
  readonly processUs: number;
  readonly perSecond: number;
}

async function measure(
  open: (settings: ChainSettings) => Promise<Way>,
  records: number,
  atOnce: number,
): Promise<Cost> {
  const place = logFolder();
  const way = await open({ path: place.path, keys: someKeys() });
  const run = async (count: number) => {
    for (let i = 0; i < count; i++) await way.append(answered());
  };
  const all = (count: number) => Promise.all(Array.from({ length: atOnce }, () => run(Math.ceil(count / atOnce))));
  await all(Math.min(2000, records));
  const thread = process.threadCpuUsage();
  const whole = process.cpuUsage();
  const started = performance.now();
  await all(records);
  const seconds = (performance.now() - started) / 1000;
  const threadUsed = process.threadCpuUsage(thread);
  const wholeUsed = process.cpuUsage(whole);
  await way.close();
  place.remove();
  return {
    threadUs: (threadUsed.user + threadUsed.system) / records,
    processUs: (wholeUsed.user + wholeUsed.system) / records,
    perSecond: records / seconds,
  };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

async function compare(records: number, atOnce: number): Promise<void> {
  const costs = new Map<string, Cost[]>();
  for (let round = 0; round < 3; round++) {
    for (const [name, open] of Object.entries(ways)) {
      const cost = await measure(open, records, atOnce);
      costs.set(name, [...(costs.get(name) ?? []), cost]);
    }
  }
  const of = (name: string, what: keyof Cost) => median((costs.get(name) ?? []).map((cost) => cost[what]));
  const [floor = '', ...names] = Object.keys(ways);
  const used = 'writer thread, batch per tick';
  const added = (name: string, what: 'threadUs' | 'processUs') => of(name, what) - of(floor, what);
  process.stdout.write(`\n${atOnce} calls at once, ${records} records, median of 3 rounds\n\n`);
  process.stdout.write(
    '| way | request thread µs | × used | process µs | records/s | × used |\n|---|--:|--:|--:|--:|--:|\n',
  );
  for (const name of names) {
    const cells = [
      added(name, 'threadUs').toFixed(1),
      (added(name, 'threadUs') / added(used, 'threadUs')).toFixed(2),
      added(name, 'processUs').toFixed(1),
      Math.round(of(name, 'perSecond')).toString(),
      (of(name, 'perSecond') / of(used, 'perSecond')).toFixed(2),
    ];
    process.stdout.write(`| ${name} | ${cells.join(' | ')} |\n`);
  }
}

if (isMainThread) {
  const records = Number(process.argv[2] ?? 20_000);
  for (const atOnce of [1, 8, 64]) await compare(atOnce === 1 ? records / 4 : records, atOnce);
} else await ringWriter();
