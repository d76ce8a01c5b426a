/** The writer's thread: takes packed entries, commits what has gathered in one transaction, acknowledges. */
import { setTimeout as delay } from 'node:timers/promises';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { AuditLogDamaged, type ChainSettings, openChain } from './chain.ts';
import type { Finding } from './check.ts';
import { appendToWitness } from './checkpoint-file.ts';
import type { Erasure } from './data-keys.ts';
import type { Cell } from './entry.ts';
import type { LogChain } from './log-chain.ts';
import type { PostgresChainSettings } from './postgres-chain.ts';
import type { LaneNumber, PerLane } from './queue.ts';
import { syncFolder } from './sync.ts';

/** What the request thread sends: entries of one lane, keys to destroy, or the wish to close after what was sent before. */
export type ToWriter =
  | { readonly kind: 'append'; readonly lane: LaneNumber; readonly count: number; readonly cells: readonly Cell[] }
  | { readonly kind: 'erase'; readonly id: number; readonly erasure: Erasure }
  | { readonly kind: 'hand-over'; readonly id: number; readonly signing: Uint8Array }
  | { readonly kind: 'close' };

/** What the writer answers. `done` counts entries per lane, in the order they were sent. */
export type FromWriter =
  | { readonly kind: 'ready'; readonly seq: number }
  | { readonly kind: 'unready'; readonly message: string; readonly findings?: readonly Finding[] }
  | { readonly kind: 'done'; readonly done: PerLane; readonly seq: number; readonly failed?: string }
  | { readonly kind: 'carried-out'; readonly id: number; readonly keys: number; readonly failed?: string }
  | { readonly kind: 'checkpoint-failed' | 'retention-failed' | 'index-failed'; readonly message: string }
  | { readonly kind: 'checkpoint'; readonly note: string }
  | { readonly kind: 'closed' };

/** At most so many messages in one transaction, so that acknowledgements keep flowing. */
const messagesPerCommit = 64;

/** How often the checkpoint file is brought up to date at most, in milliseconds. */
const checkpointEveryMs = 200;

/** How often a checkpoint is kept for good, in the log and at its witness, at most. */
const keepEveryMs = 10_000;

/** When to look for what has been kept long enough: again, and when there was more than one look can do. */
const retentionEveryMs = 3_600_000;
const retentionSoonMs = 50;

type Append = Extract<ToWriter, { kind: 'append' }>;

function createCheckpointKeeper(chain: LogChain, { witness }: Pick<ChainSettings, 'witness'>) {
  let written = chain.seq();
  let keptAtMs = 0;
  let running: Promise<void> | undefined;
  const hurry = new AbortController();

  // A witness that is away costs evidence, not service.
  const tell = async (note: string): Promise<void> => {
    say({ kind: 'checkpoint', note });
    if (witness !== undefined) await appendToWitness(witness, note).catch(sayFailed);
  };
  const write = async (closed: boolean): Promise<void> => {
    const nowMs = Date.now();
    const size = chain.seq();
    const note = chain.checkpoint(nowMs, closed);
    // It must never be ahead of the disk, or the loss of a machine's power would look like tampering.
    await chain.sync();
    await chain.publish(note);
    written = size;
    if (!closed && nowMs - keptAtMs < keepEveryMs) return;
    keptAtMs = nowMs;
    await chain.keep(size, note);
    await tell(note);
  };
  const keep = async (): Promise<void> => {
    await delay(checkpointEveryMs, undefined, { signal: hurry.signal }).catch(() => undefined);
    if (!hurry.signal.aborted) await write(false);
  };
  const touch = (): void => {
    if (running || hurry.signal.aborted || chain.seq() === written) return;
    running = keep().then(
      () => {
        running = undefined;
        // What came while it was written is not in it.
        touch();
      },
      (error: unknown) => {
        running = undefined;
        sayFailed(error);
      },
    );
  };
  return {
    tell: (note: string) => void tell(note),
    /** How many rows the last one is about. */
    signed: () => written,
    /** The first one, which also says that a log which had been closed goes on. */
    open: () => write(false),
    touch,
    close: async (): Promise<void> => {
      hurry.abort();
      await running;
      await write(true);
    },
  };
}

const port = parentPort;
if (port === null) throw new Error('the audit writer runs in a worker thread');

function say(message: FromWriter): void {
  port?.postMessage(message);
}

function sayFailed(error: unknown): void {
  say({ kind: 'checkpoint-failed', message: String(error) });
}

/** What has come and everything that waits in the port, up to a limit and in order; nothing after the wish to close. */
function gather(inbox: ToWriter[]): ToWriter[] {
  const messages: ToWriter[] = [];
  while (port !== null && messages.length < messagesPerCommit && messages.at(-1)?.kind !== 'close') {
    const next = inbox.shift() ?? receiveMessageOnPort(port)?.message;
    if (next === undefined) break;
    messages.push(next);
  }
  return messages;
}

/** Commits, acknowledges what needs no more than that, and the rest when it is on the disk. */
async function commit(chain: LogChain, appends: readonly Append[]): Promise<void> {
  const counts: [number, number, number] = [0, 0, 0];
  for (const { lane, count } of appends) counts[lane] += count;
  const [known, strangers, disk] = counts;
  const done = (lanes: PerLane, failed?: unknown): void =>
    say({ kind: 'done', done: lanes, seq: chain.seq(), ...(failed !== undefined && { failed: String(failed) }) });
  let failure: unknown;
  try {
    const committing = chain.commit(
      appends.map(({ cells }) => cells),
      disk > 0,
    );
    if (committing !== undefined) await committing;
  } catch (error) {
    failure = error;
  }
  if (known + strangers > 0) done([known, strangers, 0], failure);
  // Failed or not, it is the turn of these after those that wait for the disk already.
  if (disk > 0)
    chain.sync().then(
      () => done([0, 0, disk], failure),
      (error: unknown) => done([0, 0, disk], failure ?? error),
    );
}

/** Looks after retention now and then, beginning at once, until it is stopped. */
function keepRetention(chain: LogChain, checkpoints: ReturnType<typeof createCheckpointKeeper>): () => void {
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  const look = async (): Promise<void> => {
    let isMore = false;
    try {
      isMore = await chain.retain(Date.now(), checkpoints.signed());
      checkpoints.touch();
    } catch (error) {
      say({ kind: 'retention-failed', message: String(error) });
    }
    timer = setTimeout(() => void look(), isMore ? retentionSoonMs : retentionEveryMs).unref();
    if (stopped) clearTimeout(timer);
  };
  void look();
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}

/** Indexes what was written, a little at a time, whenever there is nothing to write. */
function keepIndex(chain: LogChain): { readonly touch: () => void; readonly stop: () => void } {
  let timer: NodeJS.Immediate | undefined;
  let stopped = false;
  const look = async (): Promise<void> => {
    let isMore = false;
    try {
      isMore = await chain.index();
    } catch (error) {
      // It is tried again with the next records; without it searching takes longer.
      say({ kind: 'index-failed', message: String(error) });
    }
    timer = undefined;
    if (isMore) touch();
  };
  const touch = (): void => {
    if (!stopped) timer ??= setImmediate(() => void look());
  };
  return {
    touch,
    stop: () => {
      stopped = true;
      if (timer !== undefined) clearImmediate(timer);
    },
  };
}

interface Obeying {
  readonly chain: LogChain;
  readonly checkpoints: ReturnType<typeof createCheckpointKeeper>;
}

/** Destroys keys (what has been acknowledged is sealed with them, and what comes gets others), or signs with another. */
async function obey(order: Extract<ToWriter, { kind: 'erase' | 'hand-over' }>, parts: Obeying): Promise<void> {
  const { id } = order;
  try {
    if (order.kind === 'erase') {
      return say({ kind: 'carried-out', id, keys: await parts.chain.erase(order.erasure, Date.now()) });
    }
    await handOver(order.signing, parts);
    say({ kind: 'carried-out', id, keys: 1 });
  } catch (error) {
    say({ kind: 'carried-out', id, keys: 0, failed: String(error) });
  }
}

async function handOver(signing: Uint8Array, { chain, checkpoints }: Obeying): Promise<void> {
  const note = await chain.handOver(signing, Date.now());
  // The old key is destroyed then: the row that takes over from it must not be lost.
  await chain.sync();
  if (note !== undefined) checkpoints.tell(note);
}

/** Opens the log where it is; what it takes for a server is loaded only for one. */
async function openLogChain(settings: ChainSettings | PostgresChainSettings): Promise<LogChain> {
  if ('access' in settings) {
    const { openPostgresChain } = await import('./postgres-chain.ts');
    // What is under way is lost with it, as far as anybody knows; the next writer reads what is there.
    return openPostgresChain(settings, () => setImmediate(() => process.exit(1)));
  }
  const chain = openChain(settings);
  await syncFolder(settings.path);
  return chain;
}

async function serve(settings: ChainSettings | PostgresChainSettings): Promise<void> {
  const chain = await openLogChain(settings);
  const checkpoints = createCheckpointKeeper(chain, settings);
  await handOver(settings.keys.nextSigning ?? settings.keys.signing, { chain, checkpoints });
  await checkpoints.open();
  const stopRetention = keepRetention(chain, checkpoints);
  const index = keepIndex(chain);
  const finish = async (): Promise<void> => {
    stopRetention();
    index.stop();
    await checkpoints.close().catch(sayFailed);
    await chain.close();
    say({ kind: 'closed' });
    port?.close();
  };
  const take = async (messages: readonly ToWriter[]): Promise<void> => {
    const appends = messages.filter((message) => message.kind === 'append');
    if (appends.length > 0) await commit(chain, appends);
    for (const message of messages) {
      if (message.kind === 'erase' || message.kind === 'hand-over') await obey(message, { chain, checkpoints });
    }
    if (messages.at(-1)?.kind === 'close') return finish();
    checkpoints.touch();
    index.touch();
  };
  const inbox: ToWriter[] = [];
  let working = false;
  const work = async (): Promise<void> => {
    working = true;
    while (inbox.length > 0) await take(gather(inbox));
    working = false;
  };
  port?.on('message', (message: ToWriter) => {
    inbox.push(message);
    if (!working) void work();
  });
  index.touch();
  say({ kind: 'ready', seq: chain.seq() });
}

serve(workerData).catch((error: unknown) => {
  const findings = error instanceof AuditLogDamaged ? error.findings : undefined;
  say({
    kind: 'unready',
    message: error instanceof Error ? error.message : String(error),
    ...(findings && { findings }),
  });
  port.close();
});
