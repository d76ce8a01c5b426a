/**
 * Names that some reader may take for one of `known` though they are not: they differ in case only, or go on after a NUL,
 * where a reader in C stops. A message that has one would not mean the same to everybody.
 */
export function suspiciousKeys(
  members: readonly { readonly key: string }[],
  known: readonly string[],
): readonly string[] {
  const unknown = members.map(({ key }) => key).filter((key) => !known.includes(key));
  if (unknown.length === 0) return unknown;
  const folded = new Set(known.map(foldName));
  return unknown.filter((key) => folded.has(foldName(key)));
}

/** Both ways, because some letters outside ASCII (`ſ`, the Kelvin sign) fold into it only one way. */
export function foldName(name: string): string {
  const end = name.indexOf('\0');
  return (end < 0 ? name : name.slice(0, end)).toUpperCase().toLowerCase();
}
