import type { DatabaseSync } from 'node:sqlite';
import type { DataKeys } from './data-keys.ts';
import type { Cell } from './entry.ts';
import { ownCells } from './own-record.ts';
import { dueKeys, endsRecords, type RetentionRules, recordsEndBefore, retainedAs } from './retention-rules.ts';
import { retentionName } from './row.ts';
import type { SearchIndex } from './sqlite-index.ts';

/** Takes out of a log what has been kept long enough. For its only writer. */
export interface Retention {
  /**
   * Puts on record what ends now, and takes a batch of it out: of rows only what was signed for, with `signed` rows, so that
   * nobody can say it was retention who cannot sign. Returns whether there is more to do.
   */
  run(nowMs: number, signed: number): boolean;
}

/** What retention leans on. */
export interface RetentionParts {
  readonly db: DatabaseSync;
  readonly dataKeys: Pick<DataKeys, 'countBefore' | 'eraseBefore'>;
  /** Told before rows are emptied. */
  readonly index: Pick<SearchIndex, 'forget'>;
  readonly rules: RetentionRules;
  readonly commit: (cells: readonly Cell[]) => void;
}

/** So many rows at most are looked at, or emptied, while records wait. */
const rowsAtOnce = 1000;

/** Through which row a log is allowed to be empty, by what is on record in its first `signed` rows; 0 for none. */
export function retainedThrough(db: DatabaseSync, signed: number): number {
  // By the tool, for there is an index. What callers ask for by this name has no such member.
  const sql =
    "SELECT max(iif(json_valid(record), json_extract(record, '$.retention.through'), 0)) AS through FROM audit";
  const found = db.prepare(`${sql} WHERE tool = '${retentionName}' AND seq <= ?`).get(signed);
  return Number(found?.through ?? 0);
}

/** Makes what `Retention` says. */
export function createRetention({ db, dataKeys, index, rules, commit }: RetentionParts): Retention {
  const dueRows = db.prepare(
    `SELECT seq, time_ms, iif(json_valid(record), json_extract(record, '$.classification'), NULL) AS classification
     FROM audit WHERE seq > ? ORDER BY seq LIMIT ?`,
  );
  let announced = retainedThrough(db, Number.MAX_SAFE_INTEGER);
  let emptied = lastEmpty(db);

  const dueThrough = (nowMs: number): number => {
    if (!endsRecords(rules)) return announced;
    const endBefore = recordsEndBefore(rules, nowMs);
    const rows = dueRows.all(announced, rowsAtOnce);
    const isKept = (row: (typeof rows)[number]) =>
      Number(row.time_ms) >= endBefore(row.classification === null ? null : String(row.classification));
    const firstKept = rows.find(isKept);
    return firstKept === undefined ? Number(rows.at(-1)?.seq ?? announced) : Number(firstKept.seq) - 1;
  };
  const announce = (nowMs: number): boolean => {
    const due = dueKeys(rules, nowMs)
      .map((one) => ({ ...one, keys: dataKeys.countBefore(one) }))
      .filter(({ keys }) => keys > 0);
    const through = dueThrough(nowMs);
    if (due.length === 0 && through === announced) return false;
    commit(ownCells(nowMs, retentionName, { retention: retainedAs(through, due) }));
    for (const one of due) dataKeys.eraseBefore(one, nowMs);
    const isMore = through > announced;
    announced = through;
    return isMore;
  };
  return {
    run: (nowMs, signed) => {
      const isMore = announce(nowMs);
      const to = Math.min(announced, emptied + rowsAtOnce);
      if (to > emptied && retainedThrough(db, signed) >= to) {
        index.forget(emptied, to);
        empty(db, emptied, to);
        emptied = to;
      }
      return isMore || emptied < announced;
    },
  };
}

/** A row keeps its number, its link and its hash: what chain and tree are made of. */
function empty(db: DatabaseSync, after: number, to: number): void {
  db.prepare(
    `UPDATE audit SET call_id = NULL, time_ms = -1, kind = 'expired', outcome = 'expired', reason = NULL, subject = NULL,
     tool = NULL, trace_id = NULL, record = '', sealed = NULL WHERE seq > ? AND seq <= ? AND record <> ''`,
  ).run(after, to);
}

/** Rows are emptied from the first on, so the last empty one can be found by halving. */
function lastEmpty(db: DatabaseSync): number {
  const at = db.prepare("SELECT record = '' AS empty FROM audit WHERE seq = ?");
  let [low, high] = [0, Number(db.prepare('SELECT max(seq) AS seq FROM audit').get()?.seq ?? 0)];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (at.get(middle)?.empty === 1) low = middle;
    else high = middle - 1;
  }
  return low;
}
