import { pathsOf, readTerm } from './engine/terms.ts';
import type { PolicySource } from './source.ts';
import type { CedarPolicy } from './types.ts';

/** The time zones that policies name: `context.zones["Europe/Berlin"]`. */
export function zonesIn(policies: readonly Pick<CedarPolicy, 'json'>[]): readonly string[] {
  return namesUnder('zones', policies);
}

/** The arguments that policies read or ask for: `context.arguments.topic`. */
export function argumentsIn(policies: readonly Pick<CedarPolicy, 'json'>[]): readonly string[] {
  return namesUnder('arguments', policies);
}

/** Whether what is decided by policies may depend on the arguments of calls. */
export function looksAtArguments({ cedar, tools }: Pick<PolicySource, 'cedar' | 'tools'>): boolean {
  const terms = cedar.flatMap(({ json }) => json.conditions.map(({ body }) => readTerm(body)));
  const paths = terms.flatMap(pathsOf);
  return (
    paths.some(({ root, names: [first = 'arguments'] }) => root === 'context' && first === 'arguments') ||
    tools.some(
      ({ policy: { arguments: rules, approval = [], consent } }) =>
        rules !== undefined || [...approval, consent].some((asked) => asked?.when !== undefined),
    )
  );
}

function namesUnder(what: string, policies: readonly Pick<CedarPolicy, 'json'>[]): readonly string[] {
  const names = new Set<string>();
  const collect = (expression: unknown): void => {
    if (typeof expression !== 'object' || expression === null) return;
    const { '.': read, has } = expression as Looking;
    for (const look of [read, has]) {
      const { left, attr } = look ?? {};
      if (left?.['.']?.attr !== what || left['.'].left?.Var !== 'context') continue;
      const [name] = [attr].flat();
      if (name !== undefined) names.add(name);
    }
    for (const part of Object.values(expression)) collect(part);
  };
  for (const { json } of policies) for (const { body } of json.conditions) collect(body);
  return [...names].sort();
}

interface Looking {
  readonly '.'?: Look;
  readonly has?: Look;
}

interface Look {
  readonly left?: Looking & { readonly Var?: string };
  readonly attr?: string | readonly string[];
}
