import { type AttributeSource, accountKey, type PolicyEngine, type Stages } from '@sallyport/core';
import type { Logger } from 'pino';
import { createRiskEngine } from '../authorization/risk.ts';
import type { RiskSettings } from '../authorization/risk-settings.ts';
import { createRiskSource, type Familiarity } from '../authorization/risk-source.ts';
import type { GatewayConfig } from '../config/index.ts';
import type { PolicySet } from '../policy/revision.ts';
import type { AnsweredStore } from '../store/index.ts';
import type { Lifetime } from './lifetime.ts';
import type { ExtraKinds } from './stages.ts';

/** Risk, for the plane of agents. */
export interface Risk {
  /** To be asked behind what the gateway itself adds to requests. */
  readonly source: AttributeSource;
  /** These kinds, and the engine that asks for what thresholds say. */
  behind(kinds: Kinds): Kinds;
  /** The record stage, learning from each answer who has had one of what. */
  learning<Record extends Stages['record']>(record: Record): Stages['record'];
}

type Kinds = Pick<ExtraKinds, 'policyEngines' | 'attributeSources' | 'outputFilters'>;

interface RiskParts {
  readonly answered: AnsweredStore;
  /** As it is now: a reload counts from the next call on. */
  readonly config: () => Pick<GatewayConfig, 'risk' | 'policy'>;
  /** Those in force, which need not be those of the configuration. */
  readonly policies: () => PolicySet;
  readonly nowMs: () => number;
  readonly log: Logger;
  readonly life: Lifetime;
}

/** Computes the risk of calls wherever a policy or a threshold may look at it, and asks for what thresholds say. */
export function createRisk({ config, policies, ...parts }: RiskParts): Risk {
  const familiarity = createFamiliarity(parts);
  const made = createCurrent((settings: RiskSettings) => {
    const environment = () => policies().settings.environment;
    return {
      source: createRiskSource({ settings, familiarity, environment }),
      engine: createRiskEngine(settings),
    };
  });
  const current = () => made(config().risk);
  const engine: PolicyEngine = {
    decide: (request) => current().engine.decide(request),
    revision: () => current().engine.revision(),
  };
  return {
    source: {
      contextOf(request) {
        return isWanted(config(), policies()) ? current().source.contextOf(request) : {};
      },
    },
    behind: (kinds) => ({ ...kinds, policyEngines: [...(kinds.policyEngines ?? []), engine] }),
    learning: familiarity.learning,
  };
}

/** Where nobody would look at it, nothing is looked up. */
function isWanted({ risk, policy }: Pick<GatewayConfig, 'risk' | 'policy'>, { source }: PolicySet): boolean {
  const hasThresholds = Object.keys(risk.thresholds).length > 0;
  return hasThresholds || source.cedar.length > 0 || source.tools.length > 0 || policy.external.length > 0;
}

/** What was made of the settings stays as long as they are the same. */
function createCurrent<Settings extends object, Made>(
  make: (settings: Settings) => Made,
): (settings: Settings) => Made {
  const made = new WeakMap<Settings, Made>();
  return (settings) => {
    const known = made.get(settings);
    if (known !== undefined) return known;
    const fresh = make(settings);
    made.set(settings, fresh);
    return fresh;
  };
}

/** Pairs that are remembered here, and in the store. */
const mostRemembered = 100_000;
const mostStored = 1_000_000;
/** What was learnt is written together, off the way of calls. */
const writeAfterMs = 1_000;
const mostWaiting = 10_000;

type FamiliarityParts = Omit<RiskParts, 'config' | 'policies'>;

/** Remembers who was answered by what, here at once and in the store soon. What is lost only makes a call look new again. */
function createFamiliarity({ answered, nowMs, log, life }: FamiliarityParts): Familiarity & Pick<Risk, 'learning'> {
  const known = new Set<string>();
  const waiting = new Map<string, { readonly account: string; readonly tool: string }>();
  const remember = (key: string): void => {
    known.add(key);
    const [oldest] = known;
    if (known.size > mostRemembered && oldest !== undefined) known.delete(oldest);
  };
  let writing: Promise<void> = Promise.resolve();
  const write = (): Promise<void> => {
    const pairs = [...waiting.values()];
    waiting.clear();
    if (pairs.length > 0) {
      writing = writing
        .then(() => answered.add(pairs, nowMs()))
        .catch((err: unknown) => log.warn({ err }, 'who was answered by what cannot be kept'));
    }
    return writing;
  };
  const timer = setInterval(() => void write(), writeAfterMs).unref();
  life.onClose(async () => {
    clearInterval(timer);
    await write();
    await answered.keep(mostStored).catch(() => undefined);
  });
  return {
    knows(account, tool) {
      const key = keyOf(account, tool);
      if (known.has(key)) return true;
      return answered.has({ account, tool }).then((isThere) => {
        if (isThere) remember(key);
        return isThere;
      });
    },
    learning: (record) => (entry) => {
      const { kind, outcome, verb, subject, tenant, tool, operation } = entry;
      const isAnswer = kind === 'outcome' && outcome === 'answered' && verb === 'invoke' && operation === undefined;
      if (isAnswer && subject !== undefined && tool !== undefined) {
        const account = accountKey({ subject, tenant });
        const key = keyOf(account, tool);
        if (!known.has(key) && waiting.size < mostWaiting) waiting.set(key, { account, tool });
        remember(key);
      }
      return record(entry);
    },
  };
}

function keyOf(account: string, tool: string): string {
  return `${account}\n${tool}`;
}
