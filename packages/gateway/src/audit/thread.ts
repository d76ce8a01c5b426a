import { getCompileCacheDir } from 'node:module';
import { Worker } from 'node:worker_threads';
import type { Logger } from 'pino';
import type { PostgresAccess } from '../store/postgres-access.ts';
import type { ChainSettings } from './chain.ts';
import { AuditLogDamaged } from './damaged.ts';
import type { PostgresChainSettings } from './postgres-chain.ts';
import type { FromWriter, ToWriter } from './writer.ts';

/** Where a log is and what it takes to write it: for a server also how to ask for the password. */
export type WriterSettings = ChainSettings | (PostgresChainSettings & { readonly access: PostgresAccess });

/** Who is told what the writer does. */
export interface WriterEvents {
  readonly onDone: (message: Extract<FromWriter, { kind: 'done' }>) => void;
  readonly onCarriedOut: (message: Extract<FromWriter, { kind: 'carried-out' }>) => void;
  /** Hears of checkpoints that are kept for good. */
  readonly onCheckpoint?: (note: string) => void;
  /** Everything sent and not yet done is lost, as far as anybody knows. */
  readonly onLost: () => void;
}

/** The writer's thread, whichever incarnation of it is alive. */
export interface WriterThread {
  /** Whether there is a writer to send to. */
  isUp(): boolean;
  send(message: ToWriter): void;
  /** Whether the process must stay alive for the writer's sake. */
  hold(needed: boolean): void;
  restarts(): number;
  /** Lets the writer finish what it was sent, and ends it. */
  close(): Promise<void>;
}

const firstBackoffMs = 100;
const mostBackoffMs = 10_000;

/**
 * Starts the writer; when it dies, tells so and starts another after a while, twice as long each time in a row.
 *
 * @throws AuditLogDamaged or Error when the first start does not succeed.
 */
export async function startWriter(
  given: WriterSettings,
  { onDone, onCarriedOut, onCheckpoint, onLost }: WriterEvents,
  log: Logger,
): Promise<WriterThread> {
  let settings = given;
  let worker: Worker | undefined;
  let closing = false;
  let [restarts, inARow] = [0, 0];

  const hear = (message: FromWriter): void => {
    if ('message' in message) logFailure(log, message);
    if (message.kind === 'carried-out') onCarriedOut(message);
    if (message.kind === 'checkpoint') onCheckpoint?.(message.note);
    if (message.kind !== 'done') return;
    inARow = 0;
    onDone(message);
  };
  const adopt = (fresh: Worker): void => {
    worker = fresh;
    fresh.on('message', hear);
    fresh.on('error', (err) => log.error({ err }, 'the audit writer failed'));
    fresh.once('exit', (code) => {
      worker = undefined;
      onLost();
      if (closing) return;
      log.error({ code }, 'the audit writer is gone: until it is back every call is refused');
      restart();
    });
    // Last: a listener for messages holds the process.
    fresh.unref();
  };
  const restart = (): void => {
    const afterMs = Math.min(mostBackoffMs, firstBackoffMs * 2 ** Math.min(inARow, 16));
    inARow++;
    restarts++;
    setTimeout(() => {
      if (closing) return;
      spawn(settings, onCheckpoint).then(
        (fresh) => (closing ? void fresh.terminate() : adopt(fresh)),
        (err: unknown) => {
          log.error({ err }, 'the audit writer could not be restarted');
          restart();
        },
      );
    }, afterMs).unref();
  };

  adopt(await spawn(settings, onCheckpoint));
  return {
    isUp: () => worker !== undefined,
    send: (message) => {
      settings = settingsAfter(message, settings);
      worker?.postMessage(message);
    },
    hold: (needed) => (needed ? worker?.ref() : worker?.unref()),
    restarts: () => restarts,
    close: () => {
      closing = true;
      return worker === undefined ? Promise.resolve() : finish(worker);
    },
  };
}

/** Whoever goes on with the log has to have the key that it came to. */
function settingsAfter(message: ToWriter, settings: WriterSettings): WriterSettings {
  if (message.kind !== 'hand-over') return settings;
  return { ...settings, keys: { ...settings.keys, nextSigning: message.signing } };
}

const failures: Readonly<Record<string, string>> = {
  'checkpoint-failed': 'an audit checkpoint could not be written',
  'retention-failed': 'audit retention failed',
  'index-failed': 'audit records could not be indexed: searching them takes longer',
};

function logFailure(log: Logger, { kind, message }: Extract<FromWriter, { message: string }>): void {
  const words = failures[kind];
  if (words !== undefined) log.error({ detail: message }, words);
}

/** Resolves when the writer has done what it was sent and is gone. */
function finish(worker: Worker): Promise<void> {
  worker.ref();
  return new Promise((resolve) => {
    worker.once('exit', () => resolve());
    worker.postMessage({ kind: 'close' } satisfies ToWriter);
  });
}

/** A writer that has opened the log and found it in order. */
async function spawn(settings: WriterSettings, onCheckpoint: WriterEvents['onCheckpoint']): Promise<Worker> {
  // The sources run as they are; what is built has the other extension.
  const fromSource = import.meta.url.endsWith('.ts');
  const compileCache = getCompileCacheDir();
  const worker = new Worker(new URL(fromSource ? './writer.ts' : './writer.js', import.meta.url), {
    workerData: await portable(settings),
    // Nothing in the environment is the writer's business, but that what was compiled before need not be compiled again.
    env: compileCache === undefined ? {} : { NODE_COMPILE_CACHE: compileCache },
    execArgv: fromSource ? ['--conditions=sallyport-source'] : [],
  });
  return new Promise((resolve, reject) => {
    const forget = (): void => {
      worker.off('message', hear).off('error', fail).off('exit', gone);
    };
    const fail = (error: unknown): void => {
      forget();
      reject(error instanceof Error ? error : new Error(String(error)));
    };
    const gone = (): void => fail(new Error('the audit writer ended while it started'));
    const hear = (message: FromWriter): void => {
      if (message.kind === 'checkpoint') onCheckpoint?.(message.note);
      if (message.kind === 'unready') {
        fail(message.findings ? new AuditLogDamaged(message.findings) : new Error(message.message));
      }
      if (message.kind !== 'ready') return;
      forget();
      resolve(worker);
    };
    worker.on('message', hear).on('error', fail).on('exit', gone);
  });
}

/** What can be sent to a thread: the password itself, asked for anew each time. */
async function portable(settings: WriterSettings): Promise<ChainSettings | PostgresChainSettings> {
  if (!('access' in settings)) return settings;
  const { password, ...access } = settings.access;
  if (password === undefined) return settings;
  return { ...settings, access: { ...access, address: { ...access.address, password: await password() } } };
}
