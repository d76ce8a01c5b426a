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

/**
 * Whether an object has another member that some reader may take for the one of this name, such as Go's `encoding/json`, to
 * which case is nothing and the last one counts. `isMeant`: those that are declared beside it.
 */
export function hasTwin(
  members: Readonly<Record<string, unknown>>,
  name: string,
  isMeant: (other: string) => boolean = () => false,
): boolean {
  // Of one length: folding changes none of those letters that fold into another one.
  return Object.keys(members).some(
    (other) => other.length === name.length && other !== name && foldName(other) === foldName(name) && !isMeant(other),
  );
}
