import type { Client } from 'pg';
import type { Changes } from './changes.ts';
import type { PostgresAccess } from './postgres-access.ts';
import { clientConfig, notWaitedFor } from './postgres-dialect.ts';
import { changesChannel } from './schema-words.ts';

/** In milliseconds; all have defaults. */
export interface ChangesTiming {
  /** The numbers are read at least this often, told of changes or not. Default: 250. */
  readonly readMs?: number;
  /**
   * The longest that a change elsewhere stays unseen: numbers that nobody confirmed for so long are not believed any more.
   * Default: 1,000.
   */
  readonly believedMs?: number;
}

const defaults = { readMs: 250, believedMs: 1_000 };
const question =
  'SELECT count, (SELECT coalesce(max(epoch), 0) FROM revocations) AS epoch FROM credential_changes WHERE only_row = 1';

/**
 * Changes of a PostgreSQL database. The server tells of each at once (`LISTEN`), and the numbers are read four times a second
 * anyway. When they could not be read for a second, each question is answered with another number: what is remembered of the
 * store is then worth nothing, and whoever has to know asks the store, which refuses while it is gone.
 *
 * Resolves when the numbers are known. @throws Error when the server cannot be reached.
 */
export async function openPostgresChanges(access: PostgresAccess, timing: ChangesTiming = {}): Promise<Changes> {
  const { readMs, believedMs } = { ...defaults, ...timing };
  let known = { version: 0, epoch: 0, atMs: Number.NEGATIVE_INFINITY };
  let doubts = 0;
  const answers = (): boolean => performance.now() - known.atMs <= believedMs;
  const ifBelieved = (value: 'version' | 'epoch'): number => (answers() ? known[value] : --doubts);

  const listener = createListener(access, () => readSoon().catch(() => {}));
  const readSoon = createInTurn(async () => {
    const by = await listener.connected();
    // What was committed before this moment is in the answer; what comes after may be missing from it.
    const atMs = performance.now();
    try {
      const { rows } = await by.query<{ readonly count: number; readonly epoch: number }>(question);
      const [row] = rows;
      if (row === undefined) throw new Error('the row that counts changes is gone');
      known = { version: row.count, epoch: row.epoch, atMs };
    } catch (error) {
      listener.drop(by);
      throw error;
    }
  });

  await readSoon();
  const timer = setInterval(() => void readSoon().catch(() => {}), readMs);
  timer.unref();
  return {
    answers,
    version: () => ifBelieved('version'),
    epoch: () => ifBelieved('epoch'),
    async seen() {
      await readSoon().catch(() => {
        known = { ...known, atMs: Number.NEGATIVE_INFINITY };
      });
    },
    async close() {
      clearInterval(timer);
      listener.close();
    },
  };
}

interface Listener {
  /** The connection on which the server tells, made anew when it was lost. */
  connected(): Promise<Client>;
  drop(lost: Client): void;
  close(): void;
}

function createListener(access: PostgresAccess, onChange: () => void): Listener {
  let client: Client | undefined;
  let isClosed = false;
  const drop = (lost: Client): void => {
    if (client === lost) client = undefined;
    lost.removeAllListeners('notification');
    lost.end().catch(() => {});
    notWaitedFor(lost);
  };
  return {
    drop,
    async connected() {
      if (client !== undefined) return client;
      const { default: pg } = await import('pg');
      const made = new pg.Client(await clientConfig(access));
      made.on('error', () => drop(made));
      made.on('end', () => drop(made));
      made.on('notification', onChange);
      try {
        await made.connect();
        await made.query(`LISTEN ${changesChannel}`);
        if (isClosed) throw new Error('changes are not followed any more');
      } catch (error) {
        drop(made);
        throw error;
      }
      client = made;
      return made;
    },
    close() {
      isClosed = true;
      if (client !== undefined) drop(client);
    },
  };
}

/** One after the other; whoever asks while one is under way shares the one that begins after it. */
function createInTurn(body: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  const begin = (): Promise<void> => {
    running = body().finally(() => {
      running = undefined;
    });
    return running;
  };
  return () => {
    if (running === undefined) return begin();
    next ??= running
      .catch(() => {})
      .then(() => {
        next = undefined;
        return begin();
      });
    return next;
  };
}
