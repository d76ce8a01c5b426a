import { membersOf } from '@sallyport/protocol';

/** A place in JSON, as the names and indexes that lead to it; `*` stands for every one. */
export type PointerPath = readonly string[];

/** What becomes of the text of one value. `undefined`: it stays. `path`: by which it was found. */
export type Rewrite = (text: string, path: PointerPath) => string | undefined;

/** The names of a JSON pointer (RFC 6901). The empty pointer leads to the whole. */
export function pointerPath(pointer: string): PointerPath {
  return pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/**
 * Rewrites the values at some places of a text that is valid JSON, and leaves every other byte as it is. Where places lie within
 * each other, the outer one counts.
 */
export function rewriteAt(text: string, paths: readonly PointerPath[], rewrite: Rewrite): string {
  return walk(
    text,
    paths.map((path) => ({ path, left: path })),
    rewrite,
  );
}

interface Step {
  readonly path: PointerPath;
  readonly left: PointerPath;
}

function walk(text: string, steps: readonly Step[], rewrite: Rewrite): string {
  const here = steps.find(({ left }) => left.length === 0);
  if (here !== undefined) return rewrite(text, here.path) ?? text;
  let out = '';
  let copied = 0;
  for (const { key, start, end } of partsOf(text)) {
    const inside = steps.flatMap(({ path, left: [head, ...left] }) =>
      head === '*' || head === key ? [{ path, left }] : [],
    );
    if (inside.length === 0) continue;
    out += text.slice(copied, start) + walk(text.slice(start, end), inside, rewrite);
    copied = end;
  }
  return out + text.slice(copied);
}

interface Part {
  readonly key: string;
  readonly start: number;
  readonly end: number;
}

/** The members of an object, the items of an array; nothing else has parts. */
function partsOf(text: string): readonly Part[] {
  const first = /\S/.exec(text);
  if (first?.[0] === '{') return membersOf(text);
  return first?.[0] === '[' ? itemsOf(text, first.index) : [];
}

function itemsOf(text: string, opening: number): readonly Part[] {
  const items: Part[] = [];
  let depth = 0;
  let from = opening + 1;
  const push = (end: number): void => {
    const item = text.slice(from, end);
    if (item.trim() !== '') items.push({ key: String(items.length), start: from, end });
    from = end + 1;
  };
  for (let at = opening + 1; at < text.length; at++) {
    const char = text[at];
    if (char === '"') at = stringEnd(text, at);
    else if (char === '[' || char === '{') depth += 1;
    else if (char === ']' && depth === 0) {
      push(at);
      break;
    } else if (char === ']' || char === '}') depth -= 1;
    else if (char === ',' && depth === 0) push(at);
  }
  return items;
}

/** Where the quote stands that ends the string which begins here. */
function stringEnd(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at;
}
