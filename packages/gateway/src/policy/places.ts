import { frame, type Problem } from '../text/source.ts';
import type { PolicyPlace } from './types.ts';

/** A text with its lines, to say where something stands. */
export interface Places {
  /** @param offset in UTF-16 units. */
  at(offset: number): PolicyPlace;
  /** @param end after the last character; default: one character. */
  problem(message: string, start: number, end?: number): Problem;
}

/** Knows the lines of one file. */
export function placesIn(text: string, file: string): Places {
  const starts = [0];
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  const at = (offset: number): PolicyPlace => {
    const line = lineOf(starts, offset);
    return { file, line: line + 1, column: offset - (starts[line] ?? 0) + 1 };
  };
  return {
    at,
    problem(message, start, end = start + 1) {
      const from = Math.max(0, Math.min(start, text.length));
      return { ...at(from), message, frame: frame(text, [from, Math.max(end, from + 1)]) };
    },
  };
}

function lineOf(starts: readonly number[], offset: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((starts[middle] ?? 0) <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Cedar counts in bytes of UTF-8, editors in UTF-16 units. */
export function offsetOfByte(text: string, byte: number): number {
  let bytes = 0;
  let offset = 0;
  for (const character of text) {
    if (bytes >= byte) return offset;
    const code = character.codePointAt(0) ?? 0;
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    offset += character.length;
  }
  return offset;
}
