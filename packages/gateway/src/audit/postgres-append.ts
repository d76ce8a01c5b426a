import type { Client } from 'pg';
import type { Handover } from './handover.ts';
import type { Row } from './row.ts';

/** A node of the tree that is kept. */
export interface Node {
  readonly height: number;
  readonly position: number;
  readonly hash: Uint8Array;
}

/** What goes into the log in one transaction. */
export interface Batch {
  readonly rows: readonly Row[];
  readonly nodes: readonly Node[];
  readonly handovers: readonly Handover[];
  /** Ids of the data keys that the rows are sealed with. */
  readonly keyIds: readonly Uint8Array[];
  /** Whether it has to be on the disk, or with the server only. */
  readonly durable: boolean;
}

/** Writes batches, each in one statement and so in one transaction and one round trip. */
export interface Append {
  /** False: one of the data keys is not there any more, and nothing was written. */
  (batch: Batch): Promise<boolean>;
  /** Whether what is committed from now on is on the disk before the server says so. */
  setDurable(durable: boolean): Promise<void>;
}

const sql = `
WITH alive AS (
  SELECT count(*) = cardinality($2::bytea[]) AS all_there
  FROM data_keys WHERE log = $1 AND id = ANY($2::bytea[]) AND wrapped IS NOT NULL
), rows AS (
  INSERT INTO audit (log, seq, call_id, time_ms, kind, outcome, reason, subject, tool, trace_id, record, sealed, prev_hash, hash)
  SELECT $1, row.* FROM unnest($3::bigint[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::text[], $9::text[],
    $10::text[], $11::text[], $12::text[], $13::bytea[], $14::bytea[], $15::bytea[]) AS row
  WHERE (SELECT all_there FROM alive)
  RETURNING 1
), tree AS (
  INSERT INTO nodes (log, height, position, hash)
  SELECT $1, node.* FROM unnest($16::integer[], $17::bigint[], $18::bytea[]) AS node WHERE (SELECT all_there FROM alive)
), handed AS (
  INSERT INTO handovers (log, seq, note)
  SELECT $1, handed.* FROM unnest($19::bigint[], $20::text[]) AS handed WHERE (SELECT all_there FROM alive)
)
SELECT count(*)::integer AS written FROM rows`;

/** Makes what `Append` says. `client` has the tables in its search path. */
export function createAppend(client: Client, log: number): Append {
  let isDurable: boolean | undefined;
  const setDurable = async (durable: boolean): Promise<void> => {
    if (isDurable === durable) return;
    // Off: the server has it, and writes it to the disk within a moment.
    await client.query(`SET synchronous_commit = ${durable ? 'on' : 'off'}`);
    isDurable = durable;
  };
  const append = async ({ rows, nodes, handovers, keyIds, durable }: Batch): Promise<boolean> => {
    await setDurable(durable);
    const column = <Name extends keyof Row>(name: Name) => rows.map((row) => row[name]);
    const values = [
      ...[log, keyIds, column('seq'), column('call_id'), column('time_ms'), column('kind'), column('outcome')],
      ...[column('reason'), column('subject'), column('tool'), column('trace_id'), column('record'), column('sealed')],
      ...[column('prev_hash'), column('hash')],
      ...[nodes.map(({ height }) => height), nodes.map(({ position }) => position), nodes.map(({ hash }) => hash)],
      ...[handovers.map(({ seq }) => seq), handovers.map(({ note }) => note)],
    ];
    const { rows: answer } = await client.query({ name: 'append', text: sql, values });
    return answer[0]?.written === rows.length;
  };
  return Object.assign(append, { setDurable });
}
