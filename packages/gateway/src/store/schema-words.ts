/** What SQLite and PostgreSQL say differently of a schema. */
export interface SchemaWords {
  /** Whole numbers up to 2^63: times, counts. */
  readonly integer: string;
  /** A column that counts rows up, and is the key. */
  readonly serial: string;
  /** After the columns: the types of columns are enforced; with `keyed`, rows lie in the order of the primary key. */
  readonly strict: string;
  readonly keyed: string;
  /** A check of a column: JSON of that type. */
  json(column: string, type: 'array' | 'object'): string;
  /** A column of text that is unique, and found, whatever its case; and what follows the table for that. */
  readonly unlikeInAnyCase: string;
  indexInAnyCase(table: string, column: string): string;
  /** Counts a kind of change after which a credential that was good may be none, whoever makes it. */
  counted(change: string): string;
}

function nameOf(change: string): string {
  return `count_${change.toLowerCase().replaceAll(' ', '_')}`;
}

/** The words of SQLite. */
export const sqliteWords: SchemaWords = {
  integer: 'INTEGER',
  serial: 'INTEGER PRIMARY KEY AUTOINCREMENT',
  strict: 'STRICT',
  keyed: 'STRICT, WITHOUT ROWID',
  json: (column, type) => `CHECK (json_type(${column}) = '${type}')`,
  unlikeInAnyCase: 'UNIQUE COLLATE NOCASE',
  indexInAnyCase: () => '',
  counted: (change) =>
    `CREATE TRIGGER ${nameOf(change)} AFTER ${change} BEGIN UPDATE credential_changes SET count = count + 1; END;`,
};

/** The channel on which PostgreSQL tells of counted changes, once they are committed. */
export const changesChannel = 'sallyport_changes';

/** The words of PostgreSQL. The row that counts changes is locked until a transaction ends: counts are in the order of commits. */
export const postgresWords: SchemaWords = {
  integer: 'BIGINT',
  serial: 'BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY',
  strict: '',
  keyed: '',
  json: (column, type) => `CHECK (jsonb_typeof(${column}::jsonb) = '${type}')`,
  unlikeInAnyCase: '',
  indexInAnyCase: (table, column) =>
    `CREATE UNIQUE INDEX ${table}_by_${column} ON ${table} (lower(${column} COLLATE "C"));`,
  counted: (change) => `
   CREATE OR REPLACE FUNCTION count_credential_change() RETURNS trigger LANGUAGE plpgsql AS $count$
   BEGIN
     UPDATE credential_changes SET count = count + 1;
     PERFORM pg_notify('${changesChannel}', '');
     RETURN NULL;
   END $count$;
   CREATE TRIGGER ${nameOf(change)} AFTER ${change} FOR EACH ROW EXECUTE FUNCTION count_credential_change();`,
};
