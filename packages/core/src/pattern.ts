/**
 * Compiles a pattern of names: `*` stands for any run of characters (dots too, and none at all), everything else for
 * itself. `posts.*`, `*.Delete`, `posts.PostService.*`, or one exact name.
 *
 * No regular expression is made from it: each piece between stars is looked for once, from left to right, so matching
 * cannot be made to backtrack.
 */
export function compilePattern(pattern: string): (name: string) => boolean {
  const pieces = pattern.split('*');
  const [first = '', ...rest] = pieces;
  const last = rest.pop();
  if (last === undefined) return (name) => name === pattern;
  const middle = rest.filter((piece) => piece !== '');
  return (name) => {
    if (name.length < first.length + last.length || !name.startsWith(first) || !name.endsWith(last)) return false;
    const end = name.length - last.length;
    let from = first.length;
    for (const piece of middle) {
      const at = name.indexOf(piece, from);
      if (at === -1 || at + piece.length > end) return false;
      from = at + piece.length;
    }
    return true;
  };
}
