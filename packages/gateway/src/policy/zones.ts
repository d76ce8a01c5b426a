import type { CedarPolicy } from './types.ts';

/** The time zones that policies name: `context.zones["Europe/Berlin"]`. */
export function zonesIn(policies: readonly Pick<CedarPolicy, 'json'>[]): readonly string[] {
  const zones = new Set<string>();
  for (const { json } of policies) for (const { body } of json.conditions) collect(body, zones);
  return [...zones].sort();
}

function collect(expression: unknown, zones: Set<string>): void {
  if (typeof expression !== 'object' || expression === null) return;
  const { '.': read } = expression as { readonly '.'?: Member };
  if (read?.left?.['.']?.attr === 'zones' && read.left['.'].left?.Var === 'context') zones.add(String(read.attr));
  for (const part of Object.values(expression)) collect(part, zones);
}

interface Member {
  readonly left?: { readonly '.'?: Member; readonly Var?: string };
  readonly attr?: string;
}
