import type { Client } from 'pg';
import type { Cell } from './entry.ts';
import { ownCells } from './own-record.ts';
import type { PostgresIndex } from './postgres-index.ts';
import type { PostgresDataKeys } from './postgres-keys.ts';
import {
  type DueKeys,
  dueKeys,
  endsRecords,
  type RetentionRules,
  recordsEndBefore,
  retainedAs,
} from './retention-rules.ts';
import { retentionName } from './row.ts';

/** What retention leans on. */
export interface PostgresRetentionParts {
  readonly client: Client;
  readonly log: number;
  readonly dataKeys: Pick<PostgresDataKeys, 'countBefore' | 'eraseBefore'>;
  readonly index: Pick<PostgresIndex, 'forget'>;
  readonly rules: RetentionRules;
  /** Through which row it has been put on record. */
  readonly retained: number;
  readonly commit: (cells: readonly Cell[]) => Promise<void>;
}

/** So many rows at most are looked at, or emptied, while records wait. */
const rowsAtOnce = 1000;

/**
 * Puts on record what ends now, and takes a batch of it out: of rows only what was signed for, with `signed` rows. Returns whether
 * there is more to do. `client` has the tables in its search path.
 */
export function createPostgresRetention(
  parts: PostgresRetentionParts,
): (nowMs: number, signed: number) => Promise<boolean> {
  const { client, log, dataKeys, index, rules, commit } = parts;
  let announced = parts.retained;
  let emptied: number | undefined;

  const dueThrough = async (nowMs: number): Promise<number> => {
    if (!endsRecords(rules)) return announced;
    const endBefore = recordsEndBefore(rules, nowMs);
    const sql = `SELECT seq, time_ms, nullif(record, '')::json ->> 'classification' AS classification
      FROM audit WHERE log = $1 AND seq > $2 ORDER BY seq LIMIT $3`;
    const { rows } = await client.query(sql, [log, announced, rowsAtOnce]);
    const firstKept = rows.find(({ time_ms, classification }) => time_ms >= endBefore(classification));
    return firstKept === undefined ? (rows.at(-1)?.seq ?? announced) : firstKept.seq - 1;
  };
  const announce = async (nowMs: number): Promise<boolean> => {
    const due: (DueKeys & { readonly keys: number })[] = [];
    for (const one of dueKeys(rules, nowMs)) {
      const keys = await dataKeys.countBefore(one);
      if (keys > 0) due.push({ ...one, keys });
    }
    const through = await dueThrough(nowMs);
    if (due.length === 0 && through === announced) return false;
    await commit(ownCells(nowMs, retentionName, { retention: retainedAs(through, due) }));
    for (const one of due) await dataKeys.eraseBefore(one, nowMs);
    const isMore = through > announced;
    announced = through;
    return isMore;
  };
  /** Rows are emptied from the first on. */
  const lastEmpty = async (): Promise<number> => {
    if (announced === 0) return 0;
    const sql = "SELECT min(seq) AS first FROM audit WHERE log = $1 AND seq <= $2 AND record <> ''";
    const { rows } = await client.query(sql, [log, announced]);
    return rows[0]?.first === null ? announced : rows[0].first - 1;
  };
  return async (nowMs, signed) => {
    const isMore = await announce(nowMs);
    emptied ??= await lastEmpty();
    const to = Math.min(announced, emptied + rowsAtOnce);
    if (to > emptied && (await retainedThrough(parts, signed)) >= to) {
      await index.forget(emptied, to);
      await empty(parts, emptied, to);
      emptied = to;
    }
    return isMore || emptied < announced;
  };
}

/** Through which row the log is allowed to be empty, by what is on record in its first `signed` rows. */
async function retainedThrough({ client, log }: PostgresRetentionParts, signed: number): Promise<number> {
  const { rows } = await client.query(
    `SELECT max((record::json -> 'retention' ->> 'through')::bigint) AS through
     FROM audit WHERE log = $1 AND tool = '${retentionName}' AND seq <= $2`,
    [log, signed],
  );
  return rows[0]?.through ?? 0;
}

/** A row keeps its number, its link and its hash: what chain and tree are made of. */
async function empty({ client, log }: PostgresRetentionParts, after: number, to: number): Promise<void> {
  await client.query(
    `UPDATE audit SET call_id = NULL, time_ms = -1, kind = 'expired', outcome = 'expired', reason = NULL, subject = NULL,
     tool = NULL, trace_id = NULL, record = '', sealed = NULL WHERE log = $1 AND seq > $2 AND seq <= $3 AND record <> ''`,
    [log, after, to],
  );
}
