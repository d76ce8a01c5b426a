import { randomBytes } from 'node:crypto';
import type { Client } from 'pg';
import {
  type DataKey,
  type DataKeys,
  dayOf,
  type Erasure,
  type KeyOwner,
  tenantOf,
  unwrapKey,
  wrapKey,
} from './data-keys.ts';
import { type DueKeys, keptAsCondition, tenantTexts } from './retention-rules.ts';

/** The data keys of a log in PostgreSQL, for its only writer. */
export interface PostgresDataKeys extends Pick<DataKeys, 'keyFor'> {
  /** Reads or makes the keys of these owners: `keyFor` knows them then. */
  prepare(owners: readonly KeyOwner[]): Promise<void>;
  /** Ids of the keys that these owners' records are sealed with. */
  idsOf(owners: readonly KeyOwner[]): readonly Buffer[];
  /** Forgets what is known: another gateway may have destroyed keys. */
  forget(): void;
  /** Destroys keys for good, of all logs of the database, and says how many. */
  erase(erasure: Erasure, nowMs: number): Promise<number>;
  /** Of this log: how many keys there are of days before one, and destroys them. */
  countBefore(due: DueKeys): Promise<number>;
  eraseBefore(due: DueKeys, nowMs: number): Promise<number>;
}

const idBytes = 16;
const keyBytes = 32;

/** Makes what `PostgresDataKeys` says. `client` has the tables in its search path. */
export function createPostgresDataKeys(client: Client, log: number, seal: Uint8Array): PostgresDataKeys {
  const known = new Map<string, DataKey>();
  const nameOf = (owner: KeyOwner) => `${dayOf(owner)} ${tenantOf(owner)}`;

  const load = async (owner: KeyOwner): Promise<DataKey> => {
    const fresh = { id: randomBytes(idBytes), bytes: randomBytes(keyBytes) };
    const values = [log, fresh.id, dayOf(owner), tenantOf(owner), wrapKey(seal, fresh.bytes, { id: fresh.id, owner })];
    // Whichever is there: this one, or one that was made before.
    await client.query(
      `INSERT INTO data_keys (log, id, day, tenant, wrapped) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT (log, tenant, day) WHERE wrapped IS NOT NULL DO NOTHING`,
      values,
    );
    const { rows } = await client.query(
      'SELECT id, wrapped FROM data_keys WHERE log = $1 AND tenant = $2 AND day = $3 AND wrapped IS NOT NULL',
      [log, tenantOf(owner), dayOf(owner)],
    );
    const [row] = rows;
    if (row === undefined) throw new Error('a data key was destroyed as soon as it was made');
    return { id: row.id, key: unwrapKey(seal, row.wrapped, { id: row.id, owner }) };
  };
  const destroy = async (where: string, values: readonly unknown[], nowMs: number): Promise<number> => {
    known.clear();
    const { rowCount } = await client.query(
      `UPDATE data_keys SET wrapped = NULL, destroyed_ms = $1 WHERE ${where} AND wrapped IS NOT NULL`,
      [nowMs, ...values],
    );
    // The old versions of the rows go with this. That it may not be had at once is no failure: the server does it by itself later.
    await client.query('VACUUM data_keys').catch(() => undefined);
    return rowCount ?? 0;
  };
  return {
    keyFor: (owner) => {
      const key = known.get(nameOf(owner));
      if (key === undefined) throw new Error('a data key was not prepared');
      return key;
    },
    prepare: async (owners) => {
      if (known.size >= 1000) known.clear();
      for (const owner of owners) {
        if (!known.has(nameOf(owner))) known.set(nameOf(owner), await load(owner));
      }
    },
    idsOf: (owners) => {
      const ids = new Map(owners.map((owner) => [nameOf(owner), known.get(nameOf(owner))?.id]));
      return [...ids.values()].filter((id) => id !== undefined);
    },
    forget: () => known.clear(),
    erase: ({ tenant, day, before }, nowMs) => {
      if ((day === undefined) === (before === undefined)) throw new Error('one of day and before says which keys');
      const where = `tenant = ANY ($2) AND day ${day === undefined ? '<' : '='} $3`;
      return destroy(where, [tenantTexts(tenant), day ?? before], nowMs);
    },
    countBefore: async ({ keptAs, before }) => {
      const where = `log = $1 AND day < $2 AND ${keptAsCondition(keptAs)} AND wrapped IS NOT NULL`;
      const { rows } = await client.query(`SELECT count(*) AS keys FROM data_keys WHERE ${where}`, [log, before]);
      return Number(rows[0]?.keys ?? 0);
    },
    eraseBefore: ({ keptAs, before }, nowMs) =>
      destroy(`log = $2 AND day < $3 AND ${keptAsCondition(keptAs)}`, [log, before], nowMs),
  };
}
