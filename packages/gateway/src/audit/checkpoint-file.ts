import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * The newest checkpoint of a log: `audit.checkpoint` beside `audit.db`. It says how far the log certainly had come, so that
 * rows missing at its end are noticed. Behind the log is normal after a crash; ahead of it is a finding.
 */
export function checkpointPath(path: string): string {
  return `${path.replace(/\.db$/, '')}.checkpoint`;
}

/** Replaces the checkpoint file as a whole, and has it on disk before it takes the old one's place. */
export async function writeCheckpointFile(path: string, note: string): Promise<void> {
  const target = checkpointPath(path);
  const fresh = `${target}.new`;
  const file = await open(fresh, 'w', 0o600);
  try {
    await file.writeFile(note);
    await file.datasync();
  } finally {
    await file.close();
  }
  await rename(fresh, target);
}

/** Reads the checkpoint file: `undefined` when there is none. */
export function readCheckpointFile(path: string): string | undefined {
  const file = checkpointPath(path);
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}

/** Adds a checkpoint to a file of them, a JSON string per line; makes the file (0600) and its folder if there are none. */
export async function appendToWitness(file: string, note: string): Promise<void> {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const witness = await open(file, 'a', 0o600);
  try {
    await witness.appendFile(`${JSON.stringify(note)}\n`);
  } finally {
    await witness.close();
  }
}

/**
 * Reads checkpoints that were kept elsewhere: a file as `appendToWitness` writes it, or a single note as it was printed. A line
 * that was cut off by a crash is left out.
 */
export function readWitness(file: string): string[] {
  const text = readFileSync(file, 'utf8');
  if (!text.startsWith('"')) return [text];
  return text.split('\n').slice(0, -1).flatMap(noteIn);
}

function noteIn(line: string): string[] {
  try {
    const note: unknown = JSON.parse(line);
    return typeof note === 'string' ? [note] : [];
  } catch {
    return [];
  }
}
