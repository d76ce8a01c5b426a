import { compilePattern } from '@sallyport/core';

/** Something that goes for all tools that a pattern matches. */
export interface Patterned {
  readonly pattern: string;
}

/**
 * Joins all overrides that match a name, in their order: later ones win, key by key. Compile once, ask often.
 */
export function compileOverrides<Override extends Patterned>(
  overrides: readonly Override[],
): (name: string) => Partial<Omit<Override, 'pattern'>> {
  const compiled = overrides.map(({ pattern, ...keys }) => ({ matches: compilePattern(pattern), keys }));
  return (name) => {
    const joined: Partial<Omit<Override, 'pattern'>> = {};
    for (const { matches, keys } of compiled) if (matches(name)) Object.assign(joined, keys);
    return joined;
  };
}
