import type { DatabaseSync } from 'node:sqlite';
import { NoteRefused, noteText, openNote, readVerifierKey, type Signer, signAll } from './note.ts';

/**
 * What a log keeps of a change of its signing key: the row that puts it on record, and the note in that row, which both keys
 * signed. Kept beside the rows as well: retention may take the row, and whoever has the first key still has to get to the last.
 */
export interface Handover {
  readonly seq: number;
  readonly note: string;
}

/** What such a note says. */
export interface HandoverFacts {
  /** The log's name in its checkpoints. */
  readonly origin: string;
  readonly seq: number;
  /** Public keys as text: `name+id+key`. */
  readonly previous: string;
  readonly next: string;
}

/** Who hands over to whom, and when, in milliseconds since the epoch. */
export interface HandoverParts {
  readonly origin: string;
  readonly seq: number;
  readonly timeMs: number;
  readonly from: Signer;
  readonly to: Signer;
}

/** The old key says, and the new one agrees, that from row `seq` on the new one signs for the log. */
export function signHandover({ origin, seq, timeMs, from, to }: HandoverParts): string {
  const lines = [origin, `key from row ${seq} on`, `previous ${from.verifierKey}`, `next ${to.verifierKey}`];
  return signAll(`${[...lines, `time ${new Date(timeMs).toISOString()}`].join('\n')}\n`, [from, to]);
}

/** Reads such a note. @throws NoteRefused when it is none, or not both keys signed it. */
export function readHandover(note: string): HandoverFacts {
  const [origin = '', from = '', previousLine = '', nextLine = ''] = noteText(note).split('\n');
  const [, seq] = /^key from row ([1-9]\d{0,15}) on$/.exec(from) ?? [];
  if (seq === undefined || !previousLine.startsWith('previous ') || !nextLine.startsWith('next ')) {
    throw new NoteRefused('this hands no key over');
  }
  const [previous, next] = [previousLine.slice('previous '.length), nextLine.slice('next '.length)];
  for (const key of [previous, next]) openNote(note, [readVerifierKey(key)]);
  return { origin, seq: Number(seq), previous, next };
}

/** Keeps handovers of a log. For its only writer; makes the table if there is none. */
export function openHandovers(db: DatabaseSync): {
  readonly all: () => readonly Handover[];
  readonly add: (handover: Handover) => void;
} {
  db.exec('CREATE TABLE IF NOT EXISTS handovers (seq INTEGER PRIMARY KEY, note TEXT NOT NULL) STRICT');
  const insert = db.prepare('INSERT INTO handovers (seq, note) VALUES (?, ?)');
  return { all: () => handoversIn(db), add: ({ seq, note }) => void insert.run(seq, note) };
}

/** The handovers of a log, oldest first; of one that was begun before there were any: none. */
export function handoversIn(db: DatabaseSync): readonly Handover[] {
  if (db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'handovers'").get() === undefined) return [];
  const rows = db.prepare('SELECT seq, note FROM handovers ORDER BY seq').all();
  return rows.map(({ seq, note }) => ({ seq: Number(seq), note: String(note) }));
}
