import type { AccessRequest, Catalog, PolicyEngine, Verdict } from '@sallyport/core';
import type { JsonObject } from '@sallyport/protocol';
import { loadedCedar } from '../policy/cedar.ts';
import { type CompileForTools, createCompileForTools } from '../policy/compile.ts';
import { compilePolicies } from '../policy/engine/compile.ts';
import { type PolicySet, toRevision } from '../policy/revision.ts';
import type { CedarPolicy, CompiledPolicies, PolicyProblem } from '../policy/types.ts';
import { missingTools } from '../policy/unknown-tools.ts';

/** What the engine leans on. */
export interface CedarEngineDeps {
  /** What is on offer now; replaced whole when it changes. */
  readonly catalog: () => Pick<Catalog, 'tools'>;
  /**
   * Told what of the policies does not fit the tools there are, each time that this changes: rules that cannot be said of a
   * tool, which refuse, and names that no tool has.
   */
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
  let prepared: Prepared | undefined;
  const prepare = createPrepare(catalog);
  const report = createReport(onProblems);
  const listeners = new Set<() => void>();

  function now(): Prepared {
    prepared = prepare(inForce.set, prepared);
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
      const ready = next.revision === inForce.revision ? now() : prepare(policies, undefined);
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

/** Makes policies ready for the tools there are now; `before`: the same policies, for the tools there were. */
type Prepare = (set: PolicySet, before: Prepared | undefined) => Prepared;

function createPrepare(catalog: CedarEngineDeps['catalog']): Prepare {
  let compileForTools: CompileForTools | undefined;
  let schemas: ReadonlyMap<string, JsonObject> = new Map();
  const typing = { inputSchema: (name: string, hash: string) => schemas.get(`${name}\0${hash}`) };
  return ({ source, settings }, before) => {
    const { tools } = catalog();
    if (before?.tools === tools) return before;
    const names = new Set(tools.map(({ name }) => name));
    schemas = new Map(tools.map((tool) => [`${tool.name}\0${tool.definitionHash}`, tool.inputSchema]));
    if (source.files.length === 0) return { tools, names, policies: [], problems: [], compiled: undefined };
    compileForTools ??= createCompileForTools(loadedCedar());
    const { policies, problems: unsaid } = compileForTools(source, tools);
    const problems = [...unsaid, ...missingTools(source, tools)];
    // Catalogs change all the time, and seldom so that policies do.
    const isAsBefore = before !== undefined && areSame(before.policies, policies);
    const compiled = isAsBefore ? before.compiled : compilePolicies({ policies, tools: typing, settings });
    return { tools, names, policies, problems, compiled };
  };
}

function areSame(some: readonly CedarPolicy[], others: readonly CedarPolicy[]): boolean {
  return (
    some.length === others.length &&
    some.every(({ id, text }, at) => id === others[at]?.id && text === others[at]?.text)
  );
}

/** Tells of problems when they are other ones than before. */
function createReport(onProblems: CedarEngineDeps['onProblems']): CedarEngineDeps['onProblems'] {
  let last: readonly PolicyProblem[] = [];
  let told = '[]';
  return (problems) => {
    if (problems === last) return;
    last = problems;
    const text = JSON.stringify(problems);
    if (text !== told) onProblems(problems);
    told = text;
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
