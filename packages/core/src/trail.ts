import { type AuditRecord, auditSchemaVersion } from './audit-record.ts';
import type { Call, Input, Origin } from './call.ts';
import type { AccessRequest, Decision } from './decision.ts';
import type { StageName } from './error.ts';
import type { Intent } from './intent.ts';
import type { Observation } from './observation.ts';
import { type Answer, addRedactions, type Outcome, type Redactions } from './outcome.ts';
import type { Fate } from './ports/hold.ts';
import type { Principal } from './principal.ts';
import type { Target } from './tool.ts';

/**
 * What became known on the way, for the record. The pipeline writes it; only `record` reads it. Stages never see it:
 * they get what they need as parameters.
 */
export class Trail {
  /** Whether anything left for the service: what was held for the call is settled by it. */
  fate: Fate = 'unsent';
  principal: Principal | undefined;
  target: Target | undefined;
  input: Input | undefined;
  request: AccessRequest | undefined;
  decision: Decision | undefined;
  answer: Answer | undefined;
  /** The approval that it waits for, or went by. */
  approval: string | undefined;
  /** What was taken out of what the service said, so far. */
  redacted: Redactions | undefined;
  /** For lists and other answers that are not a service's. */
  outputBytes = 0;
  readonly call: Call;
  readonly #observation: Observation | undefined;
  #stage: StageName = 'admit';

  constructor(call: Call, observation?: Observation) {
    this.call = call;
    this.#observation = observation;
  }

  get stage(): StageName {
    return this.#stage;
  }

  set stage(name: StageName) {
    this.#stage = name;
    this.#observation?.stage(name);
  }

  /** Adds to what was taken out. */
  addRedacted(more: Redactions | undefined): void {
    this.redacted = addRedactions(this.redacted, more);
  }

  /** The record of how the call ended. */
  outcome(outcome: Outcome<unknown>, nowMs: number): AuditRecord {
    const error = outcome.kind === 'refused' ? outcome.error : undefined;
    return {
      ...this.#facts(nowMs),
      kind: 'outcome',
      outcome: outcome.kind,
      ...(this.answer && { toolError: this.answer.isError, instance: this.answer.instance }),
      ...(this.answer?.spanId !== undefined && { upstreamSpanId: this.answer.spanId }),
      ...(this.answer?.resultType !== undefined && { resultType: this.answer.resultType.slice(0, 100) }),
      ...(error && { code: error.code, reason: error.reason, stage: error.stage ?? this.stage }),
      ...(error?.details.approval !== undefined && { approval: error.details.approval }),
      outputBytes: this.answer?.text.length ?? this.outputBytes,
      ...(this.answer && { outputText: this.answer.text }),
      ...(this.redacted && { redacted: this.redacted }),
    };
  }

  /** The record that the call is about to leave. */
  intent(nowMs: number): AuditRecord {
    return { ...this.#facts(nowMs), kind: 'intent', outcome: 'intended', outputBytes: 0 };
  }

  #facts(nowMs: number): Omit<AuditRecord, 'kind' | 'outcome' | 'outputBytes'> {
    const { call, principal, target, decision } = this;
    const { request } = call;
    return {
      schema: auditSchemaVersion,
      callId: call.id,
      traceId: call.trace.traceId,
      spanId: call.trace.spanId,
      ...callerFacts(call),
      timeMs: call.receivedAtMs,
      durationMs: Math.max(0, nowMs - call.receivedAtMs),
      verb: request.verb,
      origin: withoutProofs(call.origin),
      inputBytes: call.receivedBytes,
      ...(principal && identityFacts(principal)),
      ...(request.verb === 'invoke' && {
        tool: target?.name ?? request.name,
        argumentsText: request.argumentsText,
        ...(request.method !== 'tools/call' && { operation: request.method }),
      }),
      ...(target && targetFacts(target)),
      ...(decision && decisionFacts(decision)),
      ...(this.approval !== undefined && { approval: this.approval }),
      ...(this.request && { ...requestFacts(this.request), request: this.request }),
    };
  }
}

/** Proofs of possession let somebody in: whoever keeps records or listens to them has no use for one. */
function withoutProofs(origin: Origin): Origin {
  const { http } = origin;
  return http === undefined || http.proofs.length === 0 ? origin : { ...origin, http: { ...http, proofs: [] } };
}

function identityFacts(principal: Principal): Partial<AuditRecord> {
  return {
    subject: principal.subject,
    client: principal.client,
    method: principal.method,
    credentialId: principal.credentialId,
    ...(principal.intent && { intent: intentFacts(principal.intent) }),
    ...(principal.actor && { actor: principal.actor }),
    ...(principal.session !== undefined && { session: principal.session }),
    ...(principal.tenant !== undefined && { tenant: principal.tenant }),
    ...(principal.app !== undefined && { app: principal.app }),
  };
}

function intentFacts({ id, messageDigest, purpose }: Intent): NonNullable<AuditRecord['intent']> {
  return { id, messageDigest, ...(purpose !== undefined && { purpose }) };
}

/** What the caller says of the call: which of its requests it is, and inside of what. */
function callerFacts({ trace, wire, presented }: Call): Partial<AuditRecord> {
  return {
    ...(trace.parentSpanId !== undefined && { parentSpanId: trace.parentSpanId }),
    ...(presented.kind === 'service' && presented.parentCall && { parentCall: presented.parentCall }),
    ...(wire?.requestId !== undefined && { requestId: wire.requestId.slice(0, longestRequestId) }),
  };
}

/** Ids are numbers or short names; nobody's own text belongs here. */
const longestRequestId = 128;

function requestFacts({ context: { environment, risk } }: AccessRequest): Partial<AuditRecord> {
  return { ...(environment !== undefined && { environment }), ...(risk && { risk }) };
}

function decisionFacts({ effect, policies, revision, obligations, errors, shadow }: Decision): Partial<AuditRecord> {
  return {
    effect,
    policies,
    policyRevision: revision,
    ...(obligations && obligations.length > 0 && { obligations: [...new Set(obligations.map(({ kind }) => kind))] }),
    ...(errors && errors.length > 0 && { policyErrors: errors }),
    ...(shadow && { shadow }),
  };
}

function targetFacts(target: Target): Partial<AuditRecord> {
  return {
    service: target.service,
    toolVersion: target.version,
    definitionHash: target.definitionHash,
    sideEffect: target.sideEffect,
    classification: target.classification,
    toolRisk: target.risk,
    ...(target.codeHash !== undefined && { codeHash: target.codeHash }),
    ...(target.dataCategories && target.dataCategories.length > 0 && { dataCategories: target.dataCategories }),
    ...(target.auditRequired && { auditRequired: true }),
    scopesRequired: target.scopes,
  };
}
