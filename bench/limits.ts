/**
 * What does a shared rate limit cost? One process; worker threads over shared memory; processes that ask one owner.
 *
 * Run: node --conditions=sallyport-source bench/limits.ts
 * Everything is measured in the same run, round by round, and compared with the limiter in process of the same round.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createConnection, createServer, type Socket } from 'node:net';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { createMemoryLimiter } from '../packages/gateway/src/limits/memory.ts';

const self = fileURLToPath(import.meta.url);
const rounds = 5;
/** Never used up: a refusal writes nothing and would flatter shared memory. */
const limit = { rate: 16_000, burst: 10_000_000 };
const keys = Array.from({ length: 1000 }, (_, at) => `call\nposts.PostService.M${at % 20}\n-\nagent-${at}`);
const keyAt = (turn: number) => keys[turn % keys.length] ?? '';

/** Cells of 2¹⁶ buckets, one number each: when the bucket is full again, in sixteenths of a millisecond, wrapping. */
const cellCount = 65_536;
const perCall = Math.ceil((1000 / limit.rate) * 16);
const depth = perCall * limit.burst;

function cellOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < key.length; at++) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
  return (hash ^ (hash >>> 15)) & (cellCount - 1);
}

const nowInCells = () => Math.floor((performance.timeOrigin + performance.now()) * 16) | 0;

/** The same algorithm on a shared cell: compare and exchange until nobody came between. */
function takeShared(cells: Int32Array, key: string): boolean {
  const cell = cellOf(key);
  const now = nowInCells();
  for (;;) {
    const seen = Atomics.load(cells, cell);
    const fullAt = ((seen - now) | 0) > 0 ? seen : now;
    if (((fullAt - now) | 0) + perCall > depth) return false;
    if (Atomics.compareExchange(cells, cell, seen, (fullAt + perCall) | 0) === seen) return true;
  }
}

interface ThreadTask {
  readonly cells: SharedArrayBuffer;
  readonly turns: number;
  readonly oneKey: boolean;
}

function nsPerTurn(turns: number, run: (turn: number) => boolean): number {
  for (let turn = 0; turn < 20_000; turn++) run(turn);
  const start = performance.now();
  for (let turn = 0; turn < turns; turn++) if (!run(turn)) throw new Error('refused: this measures something else');
  return ((performance.now() - start) * 1e6) / turns;
}

function runThread({ cells, turns, oneKey }: ThreadTask): number {
  const shared = new Int32Array(cells);
  return nsPerTurn(turns, (turn) => takeShared(shared, keyAt(oneKey ? 0 : turn)));
}

/** The mean of what each of so many threads, working at once, needs for a take. */
async function threads(count: number, oneKey: boolean): Promise<number> {
  const cells = new SharedArrayBuffer(cellCount * 4);
  new Int32Array(cells).fill(nowInCells());
  const workers = Array.from({ length: count }, () => new Worker(self, { workerData: 'thread' }));
  await Promise.all(workers.map((worker) => once(worker, 'message')));
  const answers = workers.map((worker) => once(worker, 'message'));
  for (const worker of workers) worker.postMessage({ cells, turns: 1_000_000, oneKey } satisfies ThreadTask);
  const costs = (await Promise.all(answers)).map(([cost]) => Number(cost));
  await Promise.all(workers.map((worker) => worker.terminate()));
  return costs.reduce((sum, cost) => sum + cost, 0) / count;
}

interface Remote {
  readonly roundTripNs: number;
  readonly pipelinedNs: number;
}

type Ask = (key: string) => Promise<boolean>;

/** One at a time, then 64 under way. */
async function measureAsking(ask: Ask): Promise<Remote> {
  const turns = 3_000;
  for (let turn = 0; turn < 500; turn++) await ask(keyAt(turn));
  const start = performance.now();
  for (let turn = 0; turn < turns; turn++) await ask(keyAt(turn));
  const roundTripNs = ((performance.now() - start) * 1e6) / turns;
  const many = 30_000;
  let next = 0;
  const begin = performance.now();
  const lane = async () => {
    while (next < many) await ask(keyAt(next++));
  };
  await Promise.all(Array.from({ length: 64 }, lane));
  return { roundTripNs, pipelinedNs: ((performance.now() - begin) * 1e6) / many };
}

/** Answers come in the order of the questions. */
function inOrder(send: (key: string) => void) {
  const waiting: ((allowed: boolean) => void)[] = [];
  let head = 0;
  const ask: Ask = (key) =>
    new Promise((resolve) => {
      waiting.push(resolve);
      send(key);
    });
  const answer = (allowed: boolean) => {
    waiting[head++]?.(allowed);
    if (head === waiting.length) {
      waiting.length = 0;
      head = 0;
    }
  };
  return { ask, answer };
}

async function runAskingChild(way: string): Promise<void> {
  const socket: Socket | undefined = way === 'ipc' ? undefined : createConnection(way);
  const { ask, answer } = inOrder((key) =>
    socket ? socket.write(`${key.replaceAll('\n', '/')}\n`) : process.send?.(key),
  );
  if (socket) createInterface(socket).on('line', (line) => answer(line === '1'));
  else process.on('message', (message) => answer(message === true));
  const result = await measureAsking(ask);
  socket?.destroy();
  process.send?.(result);
  process.disconnect();
}

function isResult(message: unknown): message is Remote {
  return typeof message === 'object' && message !== null && 'roundTripNs' in message;
}

/** One process asks, this one owns the buckets and answers. */
async function processes(way: 'ipc' | 'socket'): Promise<Remote> {
  const limiter = createMemoryLimiter({ nowMs: () => performance.now() });
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-bench-'));
  const path = join(folder, 'limits.sock');
  const server = createServer((socket) => {
    createInterface(socket).on('line', (key) => socket.write(limiter.take(key, limit).allowed ? '1\n' : '0\n'));
  });
  if (way === 'socket') {
    server.listen(path);
    await once(server, 'listening');
  }
  const child: ChildProcess = fork(self, ['ask', way === 'ipc' ? 'ipc' : path]);
  const result = new Promise<Remote>((resolve) => {
    child.on('message', (message) => {
      if (isResult(message)) resolve(message);
      else child.send(limiter.take(String(message), limit).allowed);
    });
  });
  const measured = await result;
  await once(child, 'exit');
  server.close();
  rmSync(folder, { recursive: true, force: true });
  return measured;
}

function inProcess(): { readonly one: number; readonly both: number } {
  const limiter = createMemoryLimiter({ nowMs: () => performance.now() });
  const wide = { rate: limit.rate * 10, burst: limit.burst * 10 };
  return {
    one: nsPerTurn(300_000, (turn) => limiter.take(keyAt(turn), limit).allowed),
    both: nsPerTurn(300_000, (turn) => {
      const own = { key: keyAt(turn), limit };
      return limiter.takeAll([own, { key: 'tool\nposts.PostService.M1', limit: wide }]).allowed;
    }),
  };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

async function report(): Promise<void> {
  const ns = new Map<string, number[]>();
  const ratio = new Map<string, number[]>();
  const push = (into: Map<string, number[]>, name: string, value: number) =>
    into.set(name, [...(into.get(name) ?? []), value]);
  for (let round = 0; round < rounds; round++) {
    const { one, both } = inProcess();
    const socket = await processes('socket');
    const ipc = await processes('ipc');
    const lines: readonly (readonly [string, number])[] = [
      ['one process, one bucket', one],
      ['one process, both buckets of a call at once', both],
      ['1 thread, shared memory', await threads(1, false)],
      ['2 threads, shared memory, 1,000 keys', await threads(2, false)],
      ['4 threads, shared memory, 1,000 keys', await threads(4, false)],
      ['4 threads, shared memory, all on one key', await threads(4, true)],
      ['another process over a Unix socket, one at a time', socket.roundTripNs],
      ['another process over a Unix socket, 64 under way', socket.pipelinedNs],
      ['another process by process.send, one at a time', ipc.roundTripNs],
      ['another process by process.send, 64 under way', ipc.pipelinedNs],
    ];
    for (const [name, value] of lines) {
      push(ns, name, value);
      push(ratio, name, value / one);
    }
  }
  console.log(`Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model}, median of ${rounds} rounds\n`);
  console.log('| where the buckets are | µs per take | × in process |\n|---|--:|--:|');
  for (const [name, values] of ns) {
    console.log(`| ${name} | ${(median(values) / 1000).toFixed(2)} | ${median(ratio.get(name) ?? []).toFixed(1)} |`);
  }
}

if (!isMainThread && workerData === 'thread') {
  parentPort?.on('message', (task: ThreadTask) => parentPort?.postMessage(runThread(task)));
  parentPort?.postMessage('ready');
} else if (process.argv[2] === 'ask') {
  await runAskingChild(process.argv[3] ?? 'ipc');
} else {
  await report();
}
