import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';

/** Opens a log for reading only; works while the gateway writes, and on a copy on a medium that cannot be written. */
export function openForReading(path: string): DatabaseSync {
  if (!existsSync(path)) throw new Error(`there is no audit log at ${path}`);
  const db = new DatabaseSync(path, { readOnly: true, timeout: 2000 });
  try {
    db.prepare('SELECT count(*) FROM sqlite_schema').get();
    return db;
  } catch (error) {
    db.close();
    if (existsSync(`${path}-wal`)) throw error;
    // Without a WAL there is nothing beside the file to coordinate with, and perhaps no place to put it.
    const url = pathToFileURL(path);
    url.searchParams.set('immutable', '1');
    return new DatabaseSync(url, { readOnly: true });
  }
}
