import { type AnalysedPolicy, type Formula, formulaOf, permitted } from './formulas.ts';
import { type RequestKind, symbolicRequest } from './request.ts';
import { and, no, not, or, type Term } from './smt.ts';
import type { Solver } from './solver.ts';
import { createSymbols, type Symbols } from './symbols.ts';
import { NotAnalysed } from './values.ts';

/** Something about a set of policies that its author ought to know. */
export interface Insight {
  readonly kind: 'never-applies' | 'overruled' | 'redundant' | 'always-errs' | 'nobody-may-call' | 'not-analysed';
  /** Absent for what is about a tool and all policies. */
  readonly policy?: string;
  /** The policies that make it so. */
  readonly by: readonly string[];
  readonly tool?: string;
  /** For `not-analysed`: what the analysis has no words for. */
  readonly detail?: string;
}

/** What to look at. */
export interface Analysis {
  readonly policies: readonly AnalysedPolicy[];
  readonly kinds: readonly RequestKind[];
  /** What permits where no policy does: the scopes alone, or nothing. */
  readonly fallback: 'scopes' | 'deny';
  readonly solver: Solver;
  readonly signal?: AbortSignal;
  /** Told how many of how many tools were looked at. */
  readonly onProgress?: (done: number, of: number) => void;
}

/** What was learnt of a policy from the tools looked at so far. */
interface Learnt {
  applies: boolean;
  works: boolean;
  adds: boolean;
  /** It was in the scope of some tool at all. */
  met: boolean;
  alwaysErrs: boolean;
  readonly overruledBy: Set<string>;
  readonly coveredBy: Set<string>;
  unknown?: string;
}

/**
 * Finds policies that never apply, that others always overrule, that add nothing to others, that can only fail, and tools that
 * nobody may call. What the solver cannot decide is not claimed.
 */
export async function analyse(analysis: Analysis): Promise<readonly Insight[]> {
  const { policies, kinds, signal, onProgress } = analysis;
  const learnt = new Map(policies.map(({ id }) => [id, fresh()]));
  const insights: Insight[] = [];
  for (const [index, kind] of kinds.entries()) {
    signal?.throwIfAborted();
    const symbols = createSymbols();
    const formulas = formulasOf(policies, { kind, symbols, learnt });
    const ask = async (condition: Term) => (await analysis.solver.solve(symbols, condition)).status;
    for (const formula of formulas.toReversed()) await look(formula, { formulas, ask, learnt });
    const isWhole = formulas.length === policies.length;
    if (
      isWhole &&
      formulas.some(isInScope) &&
      (await ask(permitted(formulas, analysis.fallback))) === 'unsatisfiable'
    ) {
      const by = formulas.filter((one) => one.effect === 'forbid' && isInScope(one)).map(({ policy }) => policy.id);
      insights.push({ kind: 'nobody-may-call', tool: kind.resource.id, by });
    }
    onProgress?.(index + 1, kinds.length);
  }
  return [...policies.flatMap(({ id }) => insightOf(id, learnt.get(id) ?? fresh())), ...insights];
}

function fresh(): Learnt {
  const nothing = { applies: false, works: false, adds: false, met: false, alwaysErrs: true };
  return { ...nothing, overruledBy: new Set(), coveredBy: new Set() };
}

interface Making {
  readonly kind: RequestKind;
  readonly symbols: Symbols;
  readonly learnt: ReadonlyMap<string, Learnt>;
}

function formulasOf(policies: readonly AnalysedPolicy[], { kind, symbols, learnt }: Making): readonly Formula[] {
  const scope = symbolicRequest(kind, symbols);
  return policies.flatMap((policy) => {
    try {
      return [formulaOf(policy, scope)];
    } catch (error) {
      if (!(error instanceof NotAnalysed)) throw error;
      const entry = learnt.get(policy.id);
      if (entry !== undefined) entry.unknown = error.message;
      return [];
    }
  });
}

interface Looking {
  readonly formulas: readonly Formula[];
  readonly ask: (condition: Term) => Promise<'satisfiable' | 'unsatisfiable' | 'unknown'>;
  readonly learnt: ReadonlyMap<string, Learnt>;
}

async function look(formula: Formula, { formulas, ask, learnt: all }: Looking): Promise<void> {
  if (!isInScope(formula)) return;
  const learnt = all.get(formula.policy.id) ?? fresh();
  learnt.met = true;
  const { holds, errs, effect } = formula;
  if ((await ask(holds)) === 'unsatisfiable') {
    if (errs !== no && (await ask(errs)) !== 'unsatisfiable') return;
    learnt.alwaysErrs = false;
    return;
  }
  learnt.applies = true;
  learnt.alwaysErrs = false;
  const others = formulas.filter((one) => one !== formula && isInScope(one));
  const forbids = others.filter((one) => one.effect === 'forbid');
  if (effect === 'permit') {
    const isOverruled = (await ask(and(holds, not(anyOf(forbids))))) === 'unsatisfiable';
    if (!isOverruled) learnt.works = true;
    else await blame(learnt.overruledBy, { holds, ask, among: forbids });
  } else learnt.works = true;
  const rivals = others.filter((one) => one.effect === effect && isRival(one, formula, all));
  if ((await ask(and(holds, not(anyOf(rivals))))) !== 'unsatisfiable') learnt.adds = true;
  else await blame(learnt.coveredBy, { holds, ask, among: rivals });
}

/** Of two that say the same, one is redundant and the other is not; whatever asks for something besides always adds. */
function isRival(rival: Formula, { policy }: Formula, learnt: ReadonlyMap<string, Learnt>): boolean {
  const asks = Object.keys(policy.annotations).some((name) => !plainAnnotations.has(name));
  return !asks && learnt.get(rival.policy.id)?.coveredBy.has(policy.id) !== true;
}

const plainAnnotations: ReadonlySet<string> = new Set(['id', 'reason', 'mode', 'narrow']);

interface Blaming {
  readonly holds: Term;
  readonly ask: Looking['ask'];
  readonly among: readonly Formula[];
}

/** The first that suffices alone, or all of them where none does. */
async function blame(into: Set<string>, { holds, ask, among }: Blaming): Promise<void> {
  for (const one of among) {
    if ((await ask(and(holds, not(one.holds)))) === 'unsatisfiable') {
      into.add(one.policy.id);
      return;
    }
  }
  for (const { policy } of among) into.add(policy.id);
}

function anyOf(formulas: readonly Formula[]): Term {
  return or(...formulas.map(({ holds }) => holds));
}

function isInScope({ holds, errs }: Formula): boolean {
  return holds !== no || errs !== no;
}

function insightOf(policy: string, learnt: Learnt): readonly Insight[] {
  if (learnt.unknown !== undefined) return [{ kind: 'not-analysed', policy, by: [], detail: learnt.unknown }];
  if (!learnt.met) return [{ kind: 'never-applies', policy, by: [] }];
  if (!learnt.applies) return [{ kind: learnt.alwaysErrs ? 'always-errs' : 'never-applies', policy, by: [] }];
  if (!learnt.works) return [{ kind: 'overruled', policy, by: [...learnt.overruledBy] }];
  if (!learnt.adds) return [{ kind: 'redundant', policy, by: [...learnt.coveredBy] }];
  return [];
}
