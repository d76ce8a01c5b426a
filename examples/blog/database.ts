import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** What a new database starts with. */
interface Layout {
  /** `CREATE TABLE` statements. */
  readonly tables: string;
  /** `INSERT` statements, run once in the life of the file. */
  readonly seed: string;
}

/**
 * Opens a service's own database file, laying it out when it is new.
 *
 * The folder is `SALLYPORT_DATA`, which `sallyport run` makes for every service it starts; without it, `.data` here.
 */
export function openDatabase(name: string, { tables, seed }: Layout): DatabaseSync {
  const folder = process.env.SALLYPORT_DATA ?? join(import.meta.dirname, '.data');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const database = new DatabaseSync(join(folder, `${name}.db`));
  // Two instances share the file while one replaces the other: they wait for each other instead of failing.
  database.exec('PRAGMA busy_timeout = 2000; PRAGMA journal_mode = WAL;');
  database.exec('BEGIN IMMEDIATE');
  const isNew = database.prepare('PRAGMA user_version').get()?.user_version === 0;
  if (isNew) database.exec(`${tables} ${seed} PRAGMA user_version = 1;`);
  database.exec('COMMIT');
  return database;
}
