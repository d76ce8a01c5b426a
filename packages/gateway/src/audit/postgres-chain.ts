import { randomUUID } from 'node:crypto';
import type { Client } from 'pg';
import { isConnectionLost } from '../store/database-error.ts';
import type { PostgresAccess } from '../store/postgres-access.ts';
import { clientConfig } from '../store/postgres-dialect.ts';
import { checkEnd, createRowChecker, type Finding } from './check.ts';
import { type Checkpoint, checkpointText } from './checkpoint.ts';
import { AuditLogDamaged } from './damaged.ts';
import type { Cell, Entry } from './entry.ts';
import { signHandover } from './handover.ts';
import type { LogChain } from './log-chain.ts';
import { type LogReader, postgresSchema, withLogs } from './log-reader.ts';
import { createFrontier, type Frontier, frontierRoots, rootAt } from './merkle.ts';
import { createSigner, signAll } from './note.ts';
import { ownCells } from './own-record.ts';
import { createAppend, type Node } from './postgres-append.ts';
import { createPostgresIndex } from './postgres-index.ts';
import { createPostgresDataKeys, type PostgresDataKeys } from './postgres-keys.ts';
import { createPostgresRetention } from './postgres-retention.ts';
import { makeTables } from './postgres-schema.ts';
import type { RetentionRules } from './retention-rules.ts';
import { format, genesisHash, handoverName, type Row } from './row.ts';
import { createRowMaker, entriesIn, type Mark, sealContext } from './row-maker.ts';
import { type AuditKeys, createSealer } from './seal.ts';
import { createSigning, type Signing } from './signing.ts';
import { levelsApart } from './tree.ts';
import { withNodes } from './tree-reader.ts';

/** Where a log in PostgreSQL is and what it takes to write it. All of it can be sent to a thread. */
export interface PostgresChainSettings {
  /** With the password in it: functions stay where they are. */
  readonly access: Omit<PostgresAccess, 'password'>;
  readonly keys: AuditKeys;
  /** The log's name in its checkpoints: each gateway that writes into the same database has its own. */
  readonly origin: string;
  readonly witness?: string;
  readonly retention?: RetentionRules;
}

/** How many rows at the end are checked before anything is added to them. */
const tailRows = 1000;

/** The first of the two numbers that a log is locked by; the second is its own. */
const lockClass = 720_575;

/** For so long whoever writes the log may still be ending, in milliseconds. */
const lockWaitMs = 2_000;

/**
 * Opens a log in PostgreSQL for writing, or begins one, after checking its tail against the chain and the newest checkpoint. The
 * log is locked for as long as its connection lasts; when that is lost, so is the chain, and `onLost` is told.
 *
 * @throws AuditLogDamaged when they disagree; Error when another process writes it, or the server refuses.
 */
export async function openPostgresChain(settings: PostgresChainSettings, onLost: () => void): Promise<LogChain> {
  const { default: pg } = await import('pg');
  const client = new pg.Client(await clientConfig(settings.access));
  let isOpen = true;
  const lose = (): void => {
    if (isOpen) onLost();
    isOpen = false;
  };
  client.on('error', lose);
  await client.connect().catch((error: unknown) => {
    throw new Error(`the PostgreSQL server of the audit log cannot be reached: ${reasonOf(error)}`);
  });
  try {
    await makeTables(client);
    // A gateway that has gone without a word must not hold its log for hours.
    await client.query(
      `SET search_path TO ${postgresSchema}; SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3`,
    );
    const identity = await identityOf(client, settings);
    await lock(client, identity.log);
    const source = { kind: 'postgres', access: settings.access, origin: settings.origin } as const;
    const { end, signing, retained } = await withLogs(source, ([reader]) => adopt(reader, settings));
    const chain = createPostgresChain({ ...settings, ...identity, client, end, signing, retained, lose });
    return {
      ...chain,
      close: async () => {
        isOpen = false;
        await client.end();
      },
    };
  } catch (error) {
    isOpen = false;
    await client.end().catch(() => undefined);
    throw error;
  }
}

/** The words of drivers and the operating system name hosts and ports, never passwords. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(String).join('; ');
  return error instanceof Error ? error.message : String(error);
}

interface Identity {
  readonly log: number;
  readonly logId: string;
}

async function identityOf(client: Client, { origin, keys }: PostgresChainSettings): Promise<Identity> {
  const { verifierKey } = createSigner(origin, keys.signing);
  await client.query(
    'INSERT INTO meta (format, log_id, origin, verifier_key) VALUES ($1, $2, $3, $4) ON CONFLICT (origin) DO NOTHING',
    [format, randomUUID(), origin, verifierKey],
  );
  const { rows } = await client.query('SELECT log, log_id, format FROM meta WHERE origin = $1', [origin]);
  const [row] = rows;
  if (row.format !== format)
    throw new Error(`this audit log is of format ${row.format}, and only ${format} can be written`);
  return { log: row.log, logId: row.log_id };
}

/** Two writers would each be right by themselves and wrong together. */
async function lock(client: Client, log: number): Promise<void> {
  const untilMs = performance.now() + lockWaitMs;
  for (;;) {
    const { rows } = await client.query('SELECT pg_try_advisory_lock($1, $2) AS got', [lockClass, log]);
    if (rows[0]?.got === true) return;
    if (performance.now() > untilMs) throw new Error('another process is writing this audit log');
    await client.query('SELECT pg_sleep(0.1)');
  }
}

interface End extends Mark {
  readonly tree: Frontier;
}

interface Adopted {
  readonly end: End;
  readonly signing: Signing;
  /** Through which row retention has been put on record. */
  readonly retained: number;
}

async function adopt(reader: LogReader | undefined, { origin, keys }: PostgresChainSettings): Promise<Adopted> {
  if (reader === undefined) throw new Error('the audit log is not where it was made');
  const first = String(reader.verifierKey);
  const signing = createSigning({ origin, first, handovers: await reader.handovers() }, keys);
  const lastSeq = await reader.lastSeq();
  const note = await reader.newest();
  const size = Number(note?.split('\n')[1]) || 0;
  const tail = await reader.rows({ from: Math.max(1, lastSeq - tailRows + 1), to: lastSeq, limit: tailRows });
  if (note !== undefined || lastSeq > 0) {
    const through = await reader.retainedThrough(size);
    const findings = tailFindings(tail, lastSeq > tailRows ? undefined : reader.logId, through);
    const root = size > lastSeq ? undefined : await withNodes(reader, (nodeOf) => rootAt(size, nodeOf));
    const end = { note, verifiers: signing.chain.verifiersAt(size), origin, lastSeq, rootOf: (_: Checkpoint) => root };
    if (findings.length === 0) findings.push(...checkEnd(end));
    if (findings.length > 0) throw new AuditLogDamaged(findings);
  }
  const roots = await withNodes(reader, (nodeOf) => frontierRoots(lastSeq, nodeOf));
  const hash = tail.at(-1)?.hash ?? genesisHash(reader.logId);
  const retained = await reader.retainedThrough(Number.MAX_SAFE_INTEGER);
  return { end: { seq: lastSeq, hash, tree: createFrontier(lastSeq, roots) }, signing, retained };
}

function tailFindings(rows: readonly Row[], logId: string | undefined, through: number): Finding[] {
  const checker = createRowChecker(logId, through);
  return rows.flatMap((row) => checker.take(row));
}

interface Parts extends Identity, Adopted {
  readonly client: Client;
  readonly keys: AuditKeys;
  readonly origin: string;
  readonly retention?: RetentionRules;
  readonly lose: () => void;
}

/** Appends to the log, and knows where it ends. */
interface Commits {
  commit(groups: readonly (readonly Cell[])[], durable: boolean, handover?: string): Promise<void>;
  setDurable(durable: boolean): Promise<void>;
  end(): End;
}

function createCommits({ client, log, keys, dataKeys, ...parts }: Parts & { dataKeys: PostgresDataKeys }): Commits {
  const rules = parts.retention ?? {};
  const rowAfter = createRowMaker({ keys, rules }, createSealer(dataKeys.keyFor));
  const contextOf = sealContext(rules);
  const append = createAppend(client, log);
  let end = parts.end;

  const build = (entries: readonly Entry[]) => {
    const tree = end.tree.copy();
    const nodes: Node[] = [];
    const rows: Row[] = [];
    let last: Mark = end;
    for (const entry of entries) {
      const row = rowAfter(last, entry);
      rows.push(row);
      tree.append(row.hash, (height, position, hash) => {
        if (height % levelsApart === 0) nodes.push({ height, position, hash });
      });
      last = row;
    }
    return { rows, nodes, end: { seq: last.seq, hash: last.hash, tree } };
  };
  return {
    setDurable: append.setDurable,
    end: () => end,
    commit: async (groups, durable, handover) => {
      const entries = [...entriesIn(groups)];
      const owners = entries.map(contextOf);
      for (let attempt = 1; ; attempt++) {
        await dataKeys.prepare(owners);
        const built = build(entries);
        const keyIds = dataKeys.idsOf(owners);
        const handovers = handover === undefined ? [] : [{ seq: built.end.seq, note: handover }];
        if (await append({ ...built, keyIds, handovers, durable })) {
          end = built.end;
          return;
        }
        // Another gateway has destroyed one of these keys.
        dataKeys.forget();
        if (attempt === 3) throw new Error('the data keys are destroyed as fast as they are made');
      }
    },
  };
}

function createPostgresChain(parts: Parts): Omit<LogChain, 'close'> {
  const { client, log, logId, keys, origin, signing } = parts;
  const dataKeys = createPostgresDataKeys(client, log, keys.seal);
  const index = createPostgresIndex({ client, log, logId });
  const { commit, setDurable, end } = createCommits({ ...parts, dataKeys });
  const inTurn = createTurns(parts.lose);
  const keep = createKeep(parts);
  const textOf = (timeMs: number, closed: boolean): string =>
    checkpointText({ origin, size: end().seq, root: end().tree.root(), timeMs, closed });
  const retention = createPostgresRetention({
    ...{ client, log, dataKeys, index, rules: parts.retention ?? {}, retained: parts.retained },
    commit: (cells) => commit([cells], true),
  });
  const handOver = async (seed: Uint8Array, timeMs: number): Promise<string | undefined> => {
    const next = createSigner(origin, seed);
    const from = signing.signer();
    if (next.verifierKey === from.verifierKey) return undefined;
    const seq = end().seq + 1;
    const handover = signHandover({ origin, seq, timeMs, from, to: next });
    await commit([ownCells(timeMs, handoverName, { handover })], true, handover);
    signing.use(next);
    const note = signAll(textOf(timeMs, false), [from, next]);
    await keep(seq, note);
    return note;
  };
  /** With this all that was committed before gets to the disk. */
  const durably = <Result>(body: () => Promise<Result>) => inTurn(() => setDurable(true).then(body));
  return {
    commit: (groups, durable) => inTurn(() => commit(groups, durable)),
    // What had to be on the disk was when it was committed.
    sync: async () => undefined,
    seq: () => end().seq,
    checkpoint: (timeMs, closed) => signing.signer().sign(textOf(timeMs, closed)),
    publish: (note) =>
      durably(async () => void (await client.query('UPDATE meta SET newest = $2 WHERE log = $1', [log, note]))),
    keep: (size, note) => inTurn(() => keep(size, note)),
    handOver: (seed, timeMs) => inTurn(() => handOver(seed, timeMs)),
    erase: (erasure, nowMs) => durably(() => dataKeys.erase(erasure, nowMs)),
    retain: (nowMs, signed) => inTurn(() => retention(nowMs, signed)),
    index: () => inTurn(() => index.run(end().seq)),
  };
}

function createKeep({ client, log }: Parts): (size: number, note: string) => Promise<void> {
  const sql =
    'INSERT INTO checkpoints (log, size, note) VALUES ($1, $2, $3) ON CONFLICT (log, size) DO UPDATE SET note = $3';
  return async (size, note) => void (await client.query(sql, [log, size, note]));
}

/** Lets one after the other at the connection. What is not known to have failed or not costs it: all is read anew then. */
function createTurns(lose: () => void): <Result>(body: () => Promise<Result>) => Promise<Result> {
  let last: Promise<unknown> = Promise.resolve();
  return (body) => {
    const turn = last.then(body);
    last = turn.catch((error: unknown) => {
      if (isConnectionLost(error) && !isOurs(error)) lose();
    });
    return turn;
  };
}

/** An error of this program, which says nothing about the connection. */
function isOurs(error: unknown): boolean {
  return (
    error instanceof Error &&
    error.constructor === Error &&
    !('code' in error) &&
    !/timeout|terminated|closed|queryable/i.test(error.message)
  );
}
