import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** One thing that the service keeps. */
export interface Item {
  readonly id: string;
  readonly title: string;
  readonly done: boolean;
}

/** Where items are kept. */
export interface Store {
  add(item: Item): void;
  find(id: string): Item | undefined;
  list(after: string, limit: number): Item[];
  /** False when there is no such item. */
  change(item: Item): boolean;
  remove(id: string): boolean;
}

/** Opens the store in a file, or in memory with `:memory:`. */
export function openStore(path: string): Store {
  const database = new DatabaseSync(path);
  database.exec('PRAGMA busy_timeout = 2000; PRAGMA journal_mode = WAL;');
  database.exec(
    'CREATE TABLE IF NOT EXISTS items (id TEXT PRIMARY KEY, title TEXT NOT NULL, done INTEGER NOT NULL) STRICT',
  );
  const add = database.prepare('INSERT INTO items (id, title, done) VALUES (?, ?, ?)');
  const find = database.prepare('SELECT id, title, done FROM items WHERE id = ?');
  const list = database.prepare('SELECT id, title, done FROM items WHERE id > ? ORDER BY id LIMIT ?');
  const change = database.prepare('UPDATE items SET title = ?, done = ? WHERE id = ?');
  const remove = database.prepare('DELETE FROM items WHERE id = ?');
  return {
    add: ({ id, title, done }) => void add.run(id, title, Number(done)),
    find: (id) => {
      const row = find.get(id);
      return row && toItem(row);
    },
    list: (after, limit) => list.all(after, limit).map(toItem),
    change: ({ id, title, done }) => change.run(title, Number(done), id).changes === 1,
    remove: (id) => remove.run(id).changes === 1,
  };
}

/** The file of the store: in the folder that `sallyport run` gives every service, or in memory without one. */
export function storePath(folder: string | undefined): string {
  if (folder === undefined) return ':memory:';
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return join(folder, '__name__.db');
}

function toItem(row: Record<string, unknown>): Item {
  return { id: String(row.id), title: String(row.title), done: row.done === 1 };
}
