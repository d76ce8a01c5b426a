import { NoteRefused, noteText, openNote, type Verifier } from './note.ts';

/**
 * What a log signs from time to time (c2sp.org/tlog-checkpoint): "I had so many records, and this is the root of the tree of
 * them". Whoever kept one can tell later whether anything up to there was changed or cut off.
 */
export interface Checkpoint {
  /** Names the log: `sallyport/audit/<log id>`, or what it was configured to call itself. */
  readonly origin: string;
  /** How many records there were. */
  readonly size: number;
  readonly root: Uint8Array;
  /** When it was signed, by the gateway's clock. */
  readonly timeMs: number;
  /** Written by an orderly close: nothing came after it until the log was opened again. */
  readonly closed: boolean;
}

/**
 * The text that is signed: origin, size and root as the standard has them, then `time` and, after an orderly close, `closed` in
 * extension lines.
 */
export function checkpointText({ origin, size, root, timeMs, closed }: Checkpoint): string {
  const lines = [origin, String(size), Buffer.from(root).toString('base64'), `time ${new Date(timeMs).toISOString()}`];
  return `${[...lines, ...(closed ? ['closed'] : [])].join('\n')}\n`;
}

/** Reads a checkpoint that one of these keys signed. @throws NoteRefused when none did, or it is not a checkpoint. */
export function openCheckpoint(note: string, verifiers: readonly Verifier[]): Checkpoint {
  return read(openNote(note, verifiers));
}

/** Reads a checkpoint whoever signed it. @throws NoteRefused when it is not one. */
export function readCheckpoint(note: string): Checkpoint {
  return read(noteText(note));
}

function read(text: string): Checkpoint {
  const [origin = '', sizeText = '', rootText = '', ...extensions] = text.slice(0, -1).split('\n');
  const size = /^(0|[1-9]\d{0,15})$/.test(sizeText) ? Number(sizeText) : Number.NaN;
  const root = Buffer.from(rootText, 'base64');
  const isRoot = root.length === 32 && root.toString('base64') === rootText;
  if (origin === '' || !Number.isSafeInteger(size) || !isRoot) throw new NoteRefused('this is not a checkpoint');
  const timeMs = Date.parse(extensions.find((line) => line.startsWith('time '))?.slice(5) ?? '');
  return { origin, size, root, timeMs, closed: extensions.includes('closed') };
}
