import type { AttributeSource, Catalog, Obligation, PolicyEngine } from '@sallyport/core';
import type { Logger } from 'pino';
import { type CedarEngine, createCedarEngine } from '../authorization/cedar.ts';
import type { GatewayConfig } from '../config/index.ts';
import { createNewsRedaction } from '../output/index.ts';
import { obligationsOf } from '../policy/obligations.ts';
import type { PolicySet } from '../policy/revision.ts';
import type { PolicyProblem } from '../policy/types.ts';
import type { ExtraKinds } from './stages.ts';

/** Everything about policies, for one gateway. Only what agents call is under them; administration is not. */
export interface Policies {
  readonly engine: CedarEngine;
  /** For the plane of agents. */
  readonly kinds: Pick<ExtraKinds, 'policyEngines' | 'attributeSources' | 'outputFilters'>;
  /** What cannot be said of the tools there are now. */
  problems(): readonly PolicyProblem[];
}

/** What policies lean on. */
export interface PolicyParts {
  readonly policies: PolicySet;
  /** Asked when the first question comes, and after. */
  readonly catalog: () => Catalog;
  readonly log: Logger;
  /** More that is added to requests, behind what the gateway itself adds: the risk of a call, say. */
  readonly sources?: readonly AttributeSource[];
  /** More that decide. */
  readonly engines?: readonly PolicyEngine[];
}

/** Policies, and what they look at. They have been read: Cedar is loaded. */
export function createPolicies({ policies, catalog, log, sources = [], engines = [] }: PolicyParts): Policies {
  let problems: readonly PolicyProblem[] = [];
  const engine = createCedarEngine(policies, {
    catalog,
    onProblems(found) {
      problems = found;
      for (const { file, line, column, message } of found) {
        log.error({ place: `${file}:${line}:${column}` }, `a policy does not fit the tools there are: ${message}`);
      }
    },
  });
  const surroundings: AttributeSource = {
    contextOf: () => {
      const { environment } = engine.current().settings;
      return { catalogRevision: catalog().revision, ...(environment !== undefined && { environment }) };
    },
  };
  return {
    engine,
    kinds: {
      policyEngines: [engine, ...engines],
      attributeSources: [surroundings, ...sources],
      outputFilters: [createNewsRedaction((tool) => redactionsOf(engine, tool))],
    },
    problems: () => problems,
  };
}

/** What policies in force may want taken from answers of a tool, for some caller. */
function redactionsOf(engine: CedarEngine, tool: string): readonly Obligation[] {
  return engine
    .policies()
    .filter(({ annotations, shadow }) => !shadow && Object.hasOwn(annotations, 'redact'))
    .filter(({ json: { action } }) => action.op !== '==' || JSON.stringify(action).includes(JSON.stringify(tool)))
    .flatMap(obligationsOf);
}

/** What of a configuration decides. */
export function policySetOf({ policy: { source, settings } }: GatewayConfig): PolicySet {
  return { source, settings };
}
