/** Reading JSON text by offsets. Everything here is for text that is, or is about to be proved, valid JSON. */

/** The offset after the closing quote of the string that opens at `at`; the end of the text if it never closes. */
export function stringEnd(text: string, at: number): number {
  let from = at + 1;
  for (;;) {
    const end = text.indexOf('"', from);
    if (end < 0) return text.length;
    let before = end - 1;
    while (text.charCodeAt(before) === 0x5c) before--;
    // An even number of backslashes before the quote escape each other, not the quote.
    if ((end - before) % 2 === 1) return end + 1;
    from = end + 1;
  }
}

/** The offset of the first character at or after `at` that is not JSON white space. */
export function skipSpace(text: string, at: number): number {
  let next = at;
  while (isSpace(text.charCodeAt(next))) next++;
  return next;
}

/** Whether a number starts with this character code. */
export function isNumberStart(char: number): boolean {
  return (char >= 0x30 && char <= 0x39) || char === 0x2d;
}

/** The offset after the number that starts at `at`. */
export function numberEnd(text: string, at: number): number {
  let end = at + 1;
  while (isNumberPart(text.charCodeAt(end))) end++;
  return end;
}

/** The string between two quotes, without its escapes. */
export function readString(text: string, start: number, end: number): string {
  const raw = text.slice(start + 1, end - 1);
  if (!raw.includes('\\')) return raw;
  try {
    return JSON.parse(text.slice(start, end)) as string;
  } catch {
    return raw;
  }
}

function isSpace(char: number): boolean {
  return char === 0x20 || char === 0x0a || char === 0x0d || char === 0x09;
}

function isNumberPart(char: number): boolean {
  // Digits, '.', 'e', 'E', '+' and '-'.
  return (char >= 0x30 && char <= 0x39) || char === 0x2e || (char | 0x20) === 0x65 || char === 0x2b || char === 0x2d;
}

/**
 * The same JSON without line ends, character for character: where each stood there is a space. A raw line end can only stand
 * between tokens, and would end a line of an event stream, or a message of stdio.
 */
export function oneLine(text: string): string {
  return /[\r\n]/.test(text) ? text.replaceAll(/[\r\n]/g, ' ') : text;
}
