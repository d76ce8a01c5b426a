import { setImmediate } from 'node:timers/promises';
import {
  type Approver,
  type AttributeSource,
  type AuditRecord,
  GatewayError,
  type Intent,
  noHold,
  type Obligation,
  obligationsForPeople,
  type Principal,
} from '@sallyport/core';
import type { JsonValue } from '@sallyport/protocol';
import type { CaseTool, PolicyCase } from '../policy/cases.ts';
import type { PolicySet } from '../policy/revision.ts';
import { fixedRegistry, inProcessService } from '../registry/in-process.ts';
import { createLogger } from '../telemetry/index.ts';
import { callbackAuditLog, createGateway, type Gateway } from './embed.ts';

/** What became of one case. */
export interface CaseResult {
  readonly case: PolicyCase;
  /** What is other than wanted, one sentence each; empty: nothing. */
  readonly differences: readonly string[];
  /** What was decided, in the words of a case. */
  readonly found: FoundDecision;
}

/** What was decided. */
export interface FoundDecision {
  readonly decision: 'permit' | 'approval' | 'deny' | 'hidden';
  readonly refusal?: string;
  readonly policies: readonly string[];
  readonly reasons: readonly string[];
  readonly obligations: readonly Obligation[];
  readonly errors: readonly string[];
  readonly shadow?: { readonly decision: 'permit' | 'deny'; readonly policies: readonly string[] };
}

/** What cases are tried on. */
export interface CaseGround {
  readonly policies: PolicySet;
  readonly tools: readonly CaseTool[];
}

/**
 * Tries cases on a gateway like any other, with these tools (which do nothing) and policies: each is a call over the whole
 * path, and what is looked at is the answer, the record and the list.
 */
export async function runPolicyCases(ground: CaseGround, cases: readonly PolicyCase[]): Promise<readonly CaseResult[]> {
  const stage = createStage(ground);
  const results = new Map<PolicyCase, CaseResult>();
  try {
    // In the order of their clocks: time does not run backwards for a gateway.
    for (const one of cases.toSorted((a, b) => a.at - b.at)) results.set(one, await stage.play(one));
  } finally {
    await stage.gateway.close();
  }
  return cases.flatMap((one) => results.get(one) ?? []);
}

interface Stage {
  readonly gateway: Gateway;
  play(one: PolicyCase): Promise<CaseResult>;
}

function createStage({ policies, tools }: CaseGround): Stage {
  let now: PolicyCase | undefined;
  let record: AuditRecord | undefined;
  let obligations: readonly Obligation[] = [];
  let isWaiting = false;
  const approver: Approver = {
    approve(permit) {
      ({ obligations } = permit);
      isWaiting = obligationsForPeople(permit).length > 0;
      return isWaiting ? { kind: 'suspended', question: 'case', reason: 'people have to agree' } : noHold;
    },
  };
  const source: AttributeSource = {
    contextOf: () => ({
      ...(now?.risk !== undefined && { risk: { score: now.risk, factors: {} } }),
      ...(now?.facts && { facts: now.facts }),
    }),
  };
  const gateway = createGateway({
    registry: fixedRegistry(servicesOf(tools)),
    authenticators: [{ authenticate: () => principalOf(now) }],
    audit: callbackAuditLog((one) => {
      if (one.kind === 'outcome' && one.verb === 'invoke') record = one;
    }),
    ...{ policies, approvers: [approver], attributeSources: [source], nowMs: () => now?.at ?? 0 },
    ...{ tools: [unlimited], denied: much, peer: much, log: createLogger({ level: 'silent' }) },
  });
  return {
    gateway,
    async play(one) {
      now = one;
      record = undefined;
      obligations = [];
      isWaiting = false;
      const visible = await gateway.listTools({ token: 'case' });
      const error = await gateway.call({ token: 'case', tool: one.tool, input: one.arguments }).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      // Records of embedded calls are there when they are answered; a turn of the loop makes sure.
      await setImmediate();
      const found = foundOf({
        error,
        record,
        obligations,
        isWaiting,
        isVisible: visible.some(({ name }) => name === one.tool),
      });
      return { case: one, found, differences: differencesOf(one, found) };
    },
  };
}

const much = { rate: 1_000_000, burst: 1_000_000 };
const unlimited = { pattern: '*', limit: { perPrincipal: much, perTool: much } };

function servicesOf(tools: readonly CaseTool[]) {
  const byService = Map.groupBy(tools, ({ name }) => name.split('.')[0] ?? name);
  return [...byService].map(([service, own]) => {
    const declared = own.map(({ name, inputSchema, definitionHash: _, ...rest }) => ({
      ...{ name: name.slice(service.length + 1), description: 'A tool of cases.', inputSchema },
      ...Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined)),
    }));
    const handlers = Object.fromEntries(declared.map(({ name }) => [name, () => ({})]));
    return inProcessService({ service, version: '1.0.0', tools: declared }, handlers);
  });
}

function principalOf(one: PolicyCase | undefined): Principal {
  if (one === undefined) throw new GatewayError('credential_missing');
  const { subject, kind, scopes, actor, client, app, tenant, intent, purpose, attributes } = one.caller;
  const actors = actor === undefined ? [] : [actor].flat();
  const acting = actors.reduceRight<Principal['actor']>(
    (behind, name) => ({ subject: name, ...(behind && { actor: behind }) }),
    undefined,
  );
  return {
    ...{ subject, kind, scopes, client, attributes, method: 'case', credentialId: 'case' },
    ...(acting && { actor: acting }),
    ...(app !== undefined && { app }),
    ...(tenant !== undefined && { tenant }),
    ...((intent || purpose !== undefined) && { intent: intentOf(one) }),
  };
}

function intentOf({ at, caller: { purpose } }: PolicyCase): Intent {
  const made = { id: 'case', messageDigest: 'case', expiresAtMs: at + 60_000 };
  return { ...made, ...(purpose !== undefined && { purpose }) };
}

/** What happens to a call after it was decided on is not for policies: budgets, what an intent has left. */
const afterwards: ReadonlySet<string | undefined> = new Set(['approve', 'budget', 'credential', 'dispatch', 'filter']);

interface Played {
  readonly error: unknown;
  readonly record: AuditRecord | undefined;
  readonly obligations: readonly Obligation[];
  readonly isWaiting: boolean;
  readonly isVisible: boolean;
}

function foundOf({ error, record, obligations, isWaiting, isVisible }: Played): FoundDecision {
  if (error !== undefined && !(error instanceof GatewayError)) throw error;
  const refused = error === undefined || afterwards.has(error.stage) ? undefined : error;
  const denied = isVisible ? 'deny' : 'hidden';
  const { policies = [], policyErrors = [], shadow } = record ?? {};
  return {
    decision: refused !== undefined ? denied : isWaiting ? 'approval' : 'permit',
    ...(refused && refused.reason !== 'policy_denied' && { refusal: refused.reason }),
    ...{ policies, reasons: refused?.details.reasons ?? [], obligations, errors: policyErrors },
    ...(shadow && { shadow: { decision: shadow.effect, policies: shadow.policies } }),
  };
}

function differencesOf({ want }: PolicyCase, found: FoundDecision): readonly string[] {
  const differences: string[] = [];
  const compare = (what: string, [wanted, got]: readonly [unknown, unknown]): void => {
    if (JSON.stringify(wanted) !== JSON.stringify(got)) {
      differences.push(`${what}: wanted ${JSON.stringify(wanted)}, found ${JSON.stringify(got)}`);
    }
  };
  compare('decision', [want.decision, found.decision]);
  const usual = want.decision === 'hidden' ? 'unknown_tool' : undefined;
  compare('refusal', [want.refusal ?? usual, found.refusal]);
  if (want.policies !== undefined) compare('policies', [sorted(want.policies), sorted(found.policies)]);
  if (want.reasons !== undefined) compare('reasons', [want.reasons, found.reasons]);
  compare('errors', [sorted(want.errors ?? []), sorted(found.errors)]);
  if (want.obligations !== undefined && !sameObligations(want.obligations, found.obligations)) {
    compare('obligations', [want.obligations, found.obligations]);
  }
  if (want.shadow !== undefined || found.shadow !== undefined) {
    compare('shadow', [want.shadow?.decision, found.shadow?.decision]);
    if (want.shadow?.policies)
      compare('policies of shadow', [sorted(want.shadow.policies), sorted(found.shadow?.policies ?? [])]);
  }
  return differences;
}

function sorted(ids: readonly string[]): readonly string[] {
  return [...ids].sort();
}

function sameObligations(
  wanted: readonly Readonly<Record<string, JsonValue>>[],
  found: readonly Obligation[],
): boolean {
  if (wanted.length !== found.length) return false;
  const left = [...found];
  return wanted.every((one) => {
    const at = left.findIndex((obligation) =>
      Object.entries(one).every(
        ([key, value]) => JSON.stringify(value) === JSON.stringify(obligation[key as keyof Obligation]),
      ),
    );
    if (at !== -1) left.splice(at, 1);
    return at !== -1;
  });
}
