import { appendFileSync, readFileSync } from 'node:fs';

/** What a server did, in a file that outlives it: a line for each execution, written before anything else is done. */
export interface Ledger {
  note(what: string): void;
}

/** Opens the ledger in the server's process. A line is written whole before the call goes on: SIGKILL does not take it back. */
export function openLedger(file: string): Ledger {
  return { note: (what) => appendFileSync(file, `${what}\n`) };
}

/** All that was noted, in order; for the one who looks from outside. */
export function readLedger(file: string): readonly string[] {
  try {
    return readFileSync(file, 'utf8').split('\n').slice(0, -1);
  } catch {
    return [];
  }
}

/** How often each line of a kind (`done <nonce>`) stands there. */
export function countNoted(file: string, kind: string): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const line of readLedger(file)) {
    const [word, what = ''] = line.split(' ');
    if (word === kind) counts.set(what, (counts.get(what) ?? 0) + 1);
  }
  return counts;
}
