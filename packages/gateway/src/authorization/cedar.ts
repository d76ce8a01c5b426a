import type { AccessRequest, Catalog, PolicyEngine, Verdict } from '@sallyport/core';
import { loadedCedar } from '../policy/cedar.ts';
import { type CompileForTools, createCompileForTools } from '../policy/compile.ts';
import { compilePolicies } from '../policy/engine/compile.ts';
import { type PolicySet, toRevision } from '../policy/revision.ts';
import type { CedarPolicy, CompiledPolicies, PolicyProblem } from '../policy/types.ts';

/** What the engine leans on. */
export interface CedarEngineDeps {
  /** What is on offer now; replaced whole when it changes. */
  readonly catalog: () => Pick<Catalog, 'tools'>;
  /** Told what of the policies cannot be said of the tools there are, each time that this changes: those rules refuse. */
  readonly onProblems: (problems: readonly PolicyProblem[]) => void;
}

/** An engine whose policies can be replaced. */
export interface CedarEngine extends PolicyEngine {
  current(): PolicySet;
  /** Compiles others; what it returns puts them in force. @throws Error when they cannot be compiled */
  prepare(policies: PolicySet): () => void;
  /** All policies as they are now, those that tool policies come to as well. */
  policies(): readonly CedarPolicy[];
}

interface Prepared {
  readonly tools: Catalog['tools'];
  readonly policies: readonly CedarPolicy[];
  readonly names: ReadonlySet<string>;
  readonly problems: readonly PolicyProblem[];
  readonly compiled: CompiledPolicies | undefined;
}

interface InForce {
  readonly set: PolicySet;
  readonly revision: string;
}

/**
 * Decides by policies in Cedar. They are made for the tools of the catalog: when that changes they are made anew at the next
 * question, for the tools that changed.
 */
export function createCedarEngine(first: PolicySet, { catalog, onProblems }: CedarEngineDeps): CedarEngine {
  let inForce: InForce = { set: first, revision: revisionOf(first) };
  let compileForTools: CompileForTools | undefined;
  let prepared: Prepared | undefined;
  let reported = '[]';
  const listeners = new Set<() => void>();
  let lastReported: readonly PolicyProblem[] = [];

  function prepare({ set }: InForce, before: Prepared | undefined): Prepared {
    const { tools } = catalog();
    if (before?.tools === tools) return before;
    const { source, settings } = set;
    const isEmpty = source.files.length === 0;
    if (!isEmpty) compileForTools ??= createCompileForTools(loadedCedar());
    const { policies, problems } = compileForTools?.(source, tools) ?? { policies: [], problems: [] };
    const names = new Set(tools.map(({ name }) => name));
    const schemas = new Map(tools.map((tool) => [`${tool.name}\0${tool.definitionHash}`, tool.inputSchema]));
    const typing = { inputSchema: (name: string, hash: string) => schemas.get(`${name}\0${hash}`) };
    return {
      tools,
      policies,
      problems,
      names,
      compiled: isEmpty ? undefined : compilePolicies({ policies, tools: typing, settings }),
    };
  }

  function report(problems: readonly PolicyProblem[]): void {
    if (problems === lastReported) return;
    lastReported = problems;
    const text = JSON.stringify(problems);
    if (text === reported) return;
    reported = text;
    onProblems(problems);
  }

  function now(): Prepared {
    prepared = prepare(inForce, prepared);
    report(prepared.problems);
    return prepared;
  }

  return {
    decide(request) {
      const { compiled, names } = now();
      if (compiled === undefined) return withoutPolicies(inForce.set);
      return isGone(request, names) ? gone : compiled.decide(request);
    },
    narrow: (request, schema) => now().compiled?.narrow(request, schema),
    revision: () => inForce.revision,
    current: () => inForce.set,
    prepare(policies) {
      const next = { set: policies, revision: revisionOf(policies) };
      const ready = next.revision === inForce.revision ? now() : prepare(next, undefined);
      return () => {
        const isOther = next.revision !== inForce.revision;
        inForce = next;
        prepared = ready;
        report(ready.problems);
        for (const listener of isOther ? [...listeners] : []) listener();
      };
    },
    policies: () => now().policies,
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

function revisionOf(set: PolicySet): string {
  return `cedar/${toRevision(set).id}`;
}

/** Policies are made for the tools there are. A tool that went while its call was on the way has none. */
function isGone({ action, resource }: AccessRequest, names: ReadonlySet<string>): boolean {
  return action === 'invoke' && resource.type === 'tool' && !names.has(resource.id);
}

const gone: Verdict = { effect: 'deny', policies: [], explanation: 'the tool is not on offer any more' };

function withoutPolicies({ settings }: PolicySet): Verdict {
  return settings.default === 'scopes' ? abstains : denies;
}

const abstains: Verdict = { effect: 'abstain', policies: [] };
const denies: Verdict = { effect: 'deny', policies: [], explanation: 'no policy permits it' };
