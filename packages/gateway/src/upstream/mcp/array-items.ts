const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const openers: ReadonlySet<number> = new Set([0x5b, 0x7b]);
const closers: ReadonlySet<number> = new Set([0x5d, 0x7d]);

/** The texts of the items of a JSON array, each as it stood, without white space round it. Only for text that is valid JSON. */
export function arrayItems(text: string): readonly string[] {
  const items: string[] = [];
  const end = text.lastIndexOf(']');
  let from = text.indexOf('[') + 1;
  let depth = 0;
  for (let at = from; at < end; at++) {
    const char = text.charCodeAt(at);
    if (char === quote) at = stringEnd(text, at);
    else if (openers.has(char)) depth += 1;
    else if (closers.has(char)) depth -= 1;
    else if (char === comma && depth === 0) {
      items.push(text.slice(from, at).trim());
      from = at + 1;
    }
  }
  const last = text.slice(from, end).trim();
  return last === '' ? items : [...items, last];
}

/** Where the quote stands that ends the string which begins here. */
function stringEnd(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); at !== -1; at = text.indexOf('"', at + 1)) {
    let backslashes = 0;
    while (text.charCodeAt(at - 1 - backslashes) === backslash) backslashes += 1;
    if (backslashes % 2 === 0) return at;
  }
  return text.length;
}
