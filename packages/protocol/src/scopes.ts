/**
 * Whether one held scope covers a needed one. The whole grammar: a scope covers itself; `prefix:*` covers everything that
 * begins with `prefix:`; `*` covers every scope of a tool, but never one of administration (`admin:…`), which needs
 * `admin:*` or the scope itself. Case matters.
 */
export function scopeCovers(held: string, needed: string): boolean {
  if (held === needed) return true;
  if (held === '*') return !needed.startsWith('admin:');
  return held.endsWith(':*') && needed.startsWith(held.slice(0, -1));
}

/** Whether a caller holding these scopes satisfies a tool that needs any one of those. A tool that needs none lets everyone in. */
export function scopesSatisfy(held: readonly string[], anyOf: readonly string[]): boolean {
  return anyOf.length === 0 || anyOf.some((needed) => held.some((scope) => scopeCovers(scope, needed)));
}
