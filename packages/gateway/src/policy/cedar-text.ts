/** One statement of a Cedar text: from its first character, comments and blanks left out, to after its `;`. UTF-16 offsets. */
export interface Statement {
  readonly start: number;
  readonly end: number;
}

/**
 * Finds where policies begin and end, without understanding them: `;` ends one, except in strings and comments, where it may
 * stand for itself. What follows the last `;` is a statement too, if there is anything.
 */
export function statementsOf(text: string): readonly Statement[] {
  const statements: Statement[] = [];
  let start: number | undefined;
  let at = 0;
  while (at < text.length) {
    const character = text[at] ?? '';
    if (text.startsWith('//', at)) {
      at = endOfLine(text, at);
      continue;
    }
    if (/\s/.test(character)) {
      at += 1;
      continue;
    }
    start ??= at;
    at = character === '"' ? endOfString(text, at) : at + 1;
    if (character !== ';') continue;
    statements.push({ start, end: at });
    start = undefined;
  }
  if (start !== undefined) statements.push({ start, end: text.trimEnd().length });
  return statements;
}

function endOfLine(text: string, at: number): number {
  const end = text.indexOf('\n', at);
  return end === -1 ? text.length : end;
}

function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === '"') return at + 1;
  }
  return text.length;
}

/** One annotation as it is written. */
export interface AnnotationText {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** The annotations at the beginning of a statement, with their places in it. */
export function annotationsOf(statement: string): readonly AnnotationText[] {
  const found: AnnotationText[] = [];
  const next = /(?:\s|\/\/[^\n]*(?:\n|$))*@\s*([A-Za-z_]\w*)\s*(?:\(\s*"(?:[^"\\]|\\[\s\S])*"\s*\))?/y;
  for (let match = next.exec(statement); match !== null; match = next.exec(statement)) {
    const start = match.index + match[0].indexOf('@');
    found.push({ name: match[1] ?? '', start, end: next.lastIndex });
  }
  return found;
}
