import type { JsonObject, JsonValue } from '@sallyport/protocol';
import { written } from './extensions.ts';
import { type AnalysedPolicy, formulaOf, permitted } from './formulas.ts';
import { type RequestKind, symbolicRequest } from './request.ts';
import { and, not, readInteger, readText, type Term } from './smt.ts';
import type { Solver } from './solver.ts';
import { createSymbols, type Unknown } from './symbols.ts';
import { NotAnalysed } from './values.ts';

/** Policies as they were, or are to be. */
export interface PolicyVersion {
  readonly policies: readonly AnalysedPolicy[];
  readonly kinds: readonly RequestKind[];
  readonly fallback: 'scopes' | 'deny';
}

/** A call that two versions decide differently, or that there is none, or that nobody can say. */
export type Difference =
  | { readonly kind: 'allowed' | 'denied'; readonly tool: string; readonly call: JsonObject }
  | { readonly kind: 'undecided'; readonly tool: string; readonly detail: string };

/**
 * Looks for one call of each tool that the new version allows and the old one denies, and one of the other kind. A tool that is
 * in one version's catalog only is not compared.
 */
export async function differences(
  versions: { readonly old: PolicyVersion; readonly new: PolicyVersion },
  solver: Solver,
  signal?: AbortSignal,
): Promise<readonly Difference[]> {
  const found: Difference[] = [];
  for (const kind of versions.new.kinds) {
    signal?.throwIfAborted();
    const tool = kind.resource.id;
    const symbols = createSymbols();
    const decided = (version: PolicyVersion): Term => {
      const request = symbolicRequest(kind, symbols);
      return permitted(
        version.policies.map((policy) => formulaOf(policy, request)),
        version.fallback,
      );
    };
    try {
      const [before, after] = [decided(versions.old), decided(versions.new)];
      if (before === after) continue;
      for (const [what, condition] of [
        ['allowed', and(after, not(before))],
        ['denied', and(before, not(after))],
      ] as const) {
        const answer = await solver.solve(symbols, condition);
        if (answer.status === 'unknown') found.push({ kind: 'undecided', tool, detail: 'the solver gave up' });
        if (answer.status === 'satisfiable') found.push({ kind: what, tool, call: callOf(answer.values) });
      }
    } catch (error) {
      if (!(error instanceof NotAnalysed)) throw error;
      found.push({ kind: 'undecided', tool, detail: error.message });
    }
  }
  return found;
}

/** A model as people read it: the attributes that matter, by path, without those that are not there. */
export function callOf(values: ReadonlyMap<Unknown, Term>): JsonObject {
  const absent = new Set(
    [...values].filter(([{ isPresence }, value]) => isPresence && value === 'false').map(([{ path }]) => path),
  );
  const isThere = (path: string): boolean => [...absent].every((one) => path !== one && !path.startsWith(`${one}.`));
  const known = [...values].filter(([{ path, isPresence }]) => !isPresence && isThere(path));
  return Object.fromEntries(
    known
      .filter(
        ([{ sort, path }, value]) =>
          !(sort === 'bool' && / (is empty|contains|in) /.test(`${path} `) && value === 'false'),
      )
      .map(([unknown, value]) => [unknown.path, shown(unknown, value)]),
  );
}

function shown({ sort }: Unknown, value: Term): JsonValue {
  if (sort === 'bool') return value === 'true';
  return sort === 'string' ? readText(value) : written(sort, readInteger(value));
}
