import { type AccessRequest, compilePattern, GatewayError, type PolicyEngine, type Verdict } from '@sallyport/core';
import { isJsonObject, type JsonObject, type JsonValue, parseStrict } from '@sallyport/protocol';
import type { ExternalPoint } from '../policy/config.ts';

/** Asks a decision point. Bounded in time and size, and reaches no address that it must not. */
export type AskPoint = (
  point: ExternalPoint,
  request: { readonly method: 'POST'; readonly headers: Readonly<Record<string, string>>; readonly body: string },
) => Promise<Response>;

/** What the engine leans on. */
export interface ExternalDeps {
  /** As they are configured now. */
  readonly points: () => readonly ExternalPoint[];
  readonly ask: AskPoint;
  /** What a point is shown. @throws Error when there is no such secret */
  readonly tokenOf: (point: ExternalPoint) => string | undefined;
  /** Told why a point could not be asked. */
  readonly onTrouble: (point: ExternalPoint, error: unknown) => void;
}

/**
 * Asks policy decision points outside, by AuthZEN 1.0 or the data API of Open Policy Agent. All that a call is about have to
 * permit it. One that does not answer in time, or says something else than yes or no, refuses with `policy_unavailable`. What may
 * be seen they are asked only where they are configured to be: each answer is an exchange of messages.
 */
export function createExternalEngine(deps: ExternalDeps): PolicyEngine {
  const matchers = new WeakMap<ExternalPoint, (name: string) => boolean>();
  const isAbout = (point: ExternalPoint, name: string): boolean => {
    const known = matchers.get(point);
    if (known !== undefined) return known(name);
    const patterns = point.tools.map(compilePattern);
    const matches = (one: string): boolean => patterns.some((matchesOne) => matchesOne(one));
    matchers.set(point, matches);
    return matches(name);
  };
  return {
    decide(request) {
      const asked = deps
        .points()
        .filter((point) => (request.action === 'invoke' || point.discover) && isAbout(point, request.resource.id));
      if (asked.length === 0) return abstains;
      return Promise.all(asked.map((point) => verdictOf(point, request, deps))).then(joined);
    },
    revision: () =>
      deps
        .points()
        .map(({ kind, name }) => `external/${kind}/${name}`)
        .join(' ') || 'external/none',
  };
}

const abstains: Verdict = { effect: 'abstain', policies: [] };

async function verdictOf(point: ExternalPoint, request: AccessRequest, deps: ExternalDeps): Promise<Verdict> {
  const policies = [`external/${point.name}`];
  try {
    const token = deps.tokenOf(point);
    const response = await deps.ask(point, {
      method: 'POST',
      headers: {
        ...{ 'content-type': 'application/json', accept: 'application/json' },
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(point.kind === 'authzen' ? question(request) : { input: question(request) }),
    });
    if (response.status !== 200) throw new Error(`it answers with status ${response.status}`);
    const { allows, reasons } = answers[point.kind](parseStrict(await response.text()).value);
    if (allows) return { effect: 'permit', policies };
    return { effect: 'deny', policies, explanation: `${policies[0]} denies`, ...(reasons.length > 0 && { reasons }) };
  } catch (error) {
    deps.onTrouble(point, error);
    const refusal = new GatewayError('policy_unavailable', {}, { cause: error });
    return { effect: 'deny', policies, errors: policies, explanation: `${policies[0]} does not answer`, refusal };
  }
}

function joined(verdicts: readonly Verdict[]): Verdict {
  const denies = verdicts.filter(({ effect }) => effect === 'deny');
  const deciding = denies.length > 0 ? denies : verdicts;
  const reasons = denies.flatMap((one) => one.reasons ?? []);
  const errors = denies.flatMap((one) => one.errors ?? []);
  const explanations = denies.flatMap(({ explanation }) => explanation ?? []);
  // One that said no has said so, whoever else was silent.
  const refusal = denies.every((one) => one.refusal !== undefined) ? denies[0]?.refusal : undefined;
  return {
    effect: denies.length > 0 ? 'deny' : 'permit',
    policies: deciding.flatMap(({ policies }) => policies),
    ...(reasons.length > 0 && { reasons }),
    ...(errors.length > 0 && { errors }),
    ...(explanations.length > 0 && { explanation: explanations.join('; ') }),
    ...(refusal && { refusal }),
  };
}

/** An access request in the words of AuthZEN. Everything that policies here may look at is in it, arguments too. */
function question({ subject, action, resource, context }: AccessRequest): JsonObject {
  const { subject: id, kind, ...more } = subject;
  const { type, id: target, ...facts } = resource;
  const { timeMs, ...around } = context;
  return plain({
    subject: { type: kind, id, properties: more },
    action: { name: action, properties: { ...(around.method !== undefined && { method: around.method }) } },
    resource: { type, id: target, properties: facts },
    context: { ...around, time: new Date(timeMs).toISOString() },
  });
}

/** Without members that are not there. */
function plain(value: unknown): JsonObject {
  return JSON.parse(JSON.stringify(value)) as JsonObject;
}

interface PointAnswer {
  readonly allows: boolean;
  readonly reasons: readonly string[];
}

const answers: Readonly<Record<ExternalPoint['kind'], (answer: JsonValue) => PointAnswer>> = {
  authzen(answer) {
    if (!isJsonObject(answer) || typeof answer.decision !== 'boolean') throw new Error('its answer has no decision');
    const context = isJsonObject(answer.context) ? answer.context : {};
    return { allows: answer.decision, reasons: reasonsIn(context.reason_user) };
  },
  opa(answer) {
    if (!isJsonObject(answer)) throw new Error('its answer is no object');
    const { result } = answer;
    // Undefined: no rule of it permits.
    if (result === undefined) return { allows: false, reasons: [] };
    if (typeof result === 'boolean') return { allows: result, reasons: [] };
    if (!isJsonObject(result) || typeof result.allow !== 'boolean') throw new Error('its result is no decision');
    return { allows: result.allow, reasons: reasonsIn(result.reasons) };
  },
};

const mostReasons = 5;
const longestReason = 500;

/** Texts for the caller, of a list or by language. */
function reasonsIn(value: JsonValue | undefined): readonly string[] {
  const texts =
    typeof value === 'string' ? [value] : typeof value === 'object' && value !== null ? Object.values(value) : [];
  return texts
    .filter((text) => typeof text === 'string')
    .slice(0, mostReasons)
    .map((text) => text.slice(0, longestReason));
}
