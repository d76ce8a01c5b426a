import type { JsonObject } from '@sallyport/protocol';
import type { AnyRequest, Call, JsonText } from './call.ts';
import type { AccessRequest, Decision } from './decision.ts';
import { GatewayError } from './error.ts';
import { identify } from './identify.ts';
import { listen } from './listen.ts';
import { listTargets } from './listing.ts';
import type { Answer, Answered, Listing, Outcome, Refused, Subscription, Suspended } from './outcome.ts';
import { type Grounds, grantPermit, type Permit } from './permit.ts';
import type { Hold } from './ports/hold.ts';
import type { Hop } from './ports/upstream.ts';
import { accountKey, type Principal } from './principal.ts';
import { resolve } from './resolve.ts';
import { cleanSaid } from './said.ts';
import type { CallOf, Stages } from './stages.ts';
import type { Target } from './tool.ts';
import { Trail } from './trail.ts';

/** The four verbs, and the refusal of what is none of them. Every transport ends here and nowhere else. */
export interface Pipeline {
  invoke(call: CallOf<'invoke'>): Promise<Outcome<Answer>>;
  list(call: CallOf<'list'>): Promise<Outcome<Listing>>;
  listen(call: CallOf<'listen'>): Promise<Outcome<Subscription>>;
  reply(call: CallOf<'reply'>): Promise<Outcome<null>>;
  /** Authenticates, records and refuses a request that could not be read. */
  decline(call: CallOf<'unreadable'>): Promise<Refused>;
}

/** Puts the stages in their order. Nothing thrown inside comes out: every call ends as an outcome, and is recorded. */
export function createPipeline(stages: Stages): Pipeline {
  return {
    invoke: (call) => recorded(stages, call, (trail) => invoke(stages, call, trail)),
    list: (call) => recorded(stages, call, (trail) => list(stages, call, trail)),
    listen: (call) => recorded(stages, call, (trail) => listen(stages, call, trail)),
    reply: (call) => recorded(stages, call, (trail) => reply(stages, call, trail)),
    decline: (call) => recorded<never>(stages, call, (trail) => decline(stages, call, trail)) as Promise<Refused>,
  };
}

/** The one path. Facts are local variables: a stage cannot run before what it needs is known. */
async function invoke(stages: Stages, call: CallOf<'invoke'>, trail: Trail): Promise<Answered<Answer> | Suspended> {
  const principal = await identify(stages, call, trail);

  trail.stage = 'resolve';
  const target = await resolve(stages, call, principal);
  trail.target = target;

  trail.stage = 'entitle';
  const refusal = stages.entitle(principal, target);
  if (refusal) throw refusal;

  trail.stage = 'rate';
  await stages.rate(call, principal, target);

  trail.stage = 'validate';
  const input = await stages.validate(call, target);
  trail.input = input;

  trail.stage = 'authorize';
  const plain = accessRequest({ call, principal, target, input });
  const request = stages.enrich === undefined ? plain : await stages.enrich(plain);
  trail.request = request;
  const decision = await stages.authorize(request);
  trail.decision = decision;
  if (decision.effect !== 'permit') throw decision.refusal ?? denied(call, decision);
  const permit = grantPermit({ call, principal, target, input, decision });

  trail.stage = 'approve';
  const approval = await stages.approve(permit, request);
  trail.approval = 'kind' in approval ? approval.question : approval.approval;
  if ('kind' in approval) return approval;

  return held(approval, trail, async () => {
    trail.stage = 'budget';
    const reservation = await stages.budget(permit);
    return held(reservation, trail, async () => {
      const answer = await send(stages, { call, permit, trail });
      trail.fate = answer.resultType === 'input_required' ? 'asked' : 'answered';
      return { kind: 'answered', content: answer };
    });
  });
}

/** The same shape whatever denied: what the caller may know beyond that is for the owners of the policies to say. */
function denied({ id }: Call, { reasons = [] }: Decision): GatewayError {
  return new GatewayError('policy_denied', { decision: id, ...(reasons.length > 0 && { reasons }) });
}

interface Departure {
  readonly call: CallOf<'invoke'>;
  readonly permit: Permit;
  readonly trail: Trail;
}

async function send(stages: Stages, { call, permit, trail }: Departure): Promise<Answer> {
  trail.stage = 'credential';
  const credential = await stages.credential(permit);
  if (permit.target.auditRequired || permit.obligations.some(({ kind }) => kind === 'audit')) {
    trail.stage = 'record';
    await stages.record(trail.intent(stages.nowMs()));
  }

  trail.stage = 'dispatch';
  const { trace, signal, origin } = call;
  const { timeoutMs, client, onPause } = call.request;
  const answer = await stages.dispatch(permit, {
    credential,
    trace,
    signal,
    client: { ...client, conversation: client.conversation ?? principalKey(permit.principal) },
    era: origin.era,
    sent: () => {
      trail.fate = 'unknown';
    },
    transport: origin.transport,
    timeoutMs: Math.min(timeoutMs ?? permit.target.timeoutMs, permit.target.timeoutMs, timeLeft(stages, permit)),
    ...onTheWay(stages, { call, permit, trail }),
    ...(onPause && { onPause }),
  });

  trail.stage = 'filter';
  const cleaned: Answer | undefined = await stages.filter(permit, answer);
  // A filter of an embedder's that forgets to return must not leave its caller without an answer.
  if (typeof cleaned?.text !== 'string') throw new Error('the output filters returned no answer');
  trail.answer = cleaned;
  trail.addRedacted(cleaned.redacted);
  return cleaned;
}

/** What the service says before it answers goes through the filters, too, piece by piece. */
function onTheWay(stages: Stages, { call, permit, trail }: Departure): Partial<Hop> {
  const { onProgress, onNotification } = call.request;
  const { target } = permit;
  const clean = (text: JsonText): JsonText | undefined => {
    const cleaned = cleanSaid(stages, target, text);
    trail.addRedacted(cleaned.redacted);
    return cleaned.text;
  };
  return {
    ...(onProgress && {
      onProgress: ({ message, ...progress }) => {
        if (message === undefined) return onProgress(progress);
        const cleaned = textIn(clean(JSON.stringify(message) as JsonText));
        if (cleaned !== undefined) onProgress({ ...progress, message: cleaned });
      },
    }),
    ...(onNotification && {
      onNotification: (method, paramsText) => {
        const cleaned = clean(paramsText);
        if (cleaned !== undefined) onNotification({ service: target.service, method, paramsText: cleaned });
      },
    }),
  };
}

/** The text that a JSON string holds; `undefined` for what is none, whatever a filter made of it. */
function textIn(json: JsonText | undefined): string | undefined {
  if (json === undefined) return undefined;
  try {
    return String(JSON.parse(json));
  } catch {
    return undefined;
  }
}

/** What was allowed until a deadline does not go on after it. In milliseconds. @throws GatewayError `credential_expired` */
function timeLeft({ nowMs }: Stages, { principal: { intent } }: Permit): number {
  if (intent === undefined) return Number.POSITIVE_INFINITY;
  const leftMs = intent.expiresAtMs - nowMs();
  if (!(leftMs > 0)) throw new GatewayError('credential_expired');
  return leftMs;
}

async function list(stages: Stages, call: CallOf<'list'>, trail: Trail): Promise<Answered<Listing>> {
  const principal = await identify(stages, call, trail);
  trail.stage = 'resolve';
  const view = await stages.view(principal, call.endpoint);
  trail.stage = 'entitle';
  const listing = listTargets(view, (target) => stages.entitle(principal, target) === undefined, call);
  // To be told that a service or a view is there is to know of something in it.
  const isNowhere = listing.services.length === 0 && listing.absent.length === 0;
  if (call.endpoint.kind !== 'all' && call.request.capability === 'any' && isNowhere) {
    throw new GatewayError('unknown_endpoint');
  }
  return { kind: 'answered', content: { ...listing, account: accountKey(principal) } };
}

async function reply(stages: Stages, call: CallOf<'reply'>, trail: Trail): Promise<Answered<null>> {
  await identify(stages, call, trail);
  trail.stage = 'resolve';
  if (!call.request.deliver()) throw new GatewayError('unknown_question');
  return { kind: 'answered', content: null };
}

async function decline(stages: Stages, call: CallOf<'unreadable'>, trail: Trail): Promise<never> {
  await identify(stages, call, trail);
  trail.stage = 'read';
  throw call.request.error;
}

/** The bracket round everything: one record for each call, whatever happens inside; and no answer without its record. */
async function recorded<Content>(
  stages: Stages,
  call: Call<AnyRequest>,
  body: (trail: Trail) => Promise<Outcome<Content>>,
): Promise<Outcome<Content>> {
  const observation = stages.observe?.(call);
  const trail = new Trail(call, observation);
  let outcome: Outcome<Content>;
  try {
    outcome = await body(trail);
  } catch (thrown) {
    outcome = { kind: 'refused', error: await refusalFor(stages, trail, thrown) };
  }
  const record = trail.outcome(outcome, stages.nowMs());
  observation?.stage('record');
  try {
    await stages.record(record);
    observation?.end(record);
    return outcome;
  } catch (thrown) {
    const error = new GatewayError('audit_unavailable', {}, { cause: thrown, stage: 'record' });
    observation?.end({ ...record, outcome: 'refused', code: error.code, reason: error.reason, stage: 'record' });
    return { kind: 'refused', error };
  }
}

async function refusalFor(stages: Stages, trail: Trail, thrown: unknown): Promise<GatewayError> {
  const { stage, principal } = trail;
  const error = GatewayError.from(thrown, stage);
  if (principal === undefined || (stage !== 'resolve' && stage !== 'entitle')) return error;
  try {
    return GatewayError.from(await stages.rateDenied(principal, error), stage);
  } catch (failed) {
    return GatewayError.from(failed, stage);
  }
}

/** Runs the body under a hold and settles it by what became of the call, whatever happens. */
async function held<T>(hold: Hold, trail: Trail, body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } finally {
    await hold.settle(trail.fate);
  }
}

/** The complete question for policy: everything it may look at, and nothing it may not. */
function accessRequest({ call, principal, target, input }: Omit<Grounds, 'decision'>): AccessRequest {
  const { method, restText } = call.request;
  const rest = restText === undefined ? {} : { rest: JSON.parse(restText) as JsonObject };
  return {
    subject: accessSubject(principal),
    action: 'invoke',
    resource: accessResource(target),
    context: { method, timeMs: call.receivedAtMs, transport: call.origin.transport, arguments: input.value, ...rest },
  };
}

/** The policy-relevant part of a principal. */
export function accessSubject(principal: Principal): AccessRequest['subject'] {
  const { subject, client, kind, scopes, attributes, actor, session, tenant, app, intent } = principal;
  return {
    subject,
    client,
    kind,
    scopes,
    attributes,
    ...(actor && { actor }),
    ...(session !== undefined && { session }),
    ...(tenant !== undefined && { tenant }),
    ...(app !== undefined && { app }),
    ...(intent && { intent }),
  };
}

/** Tells principals apart: what is kept for one is found by this key, and by nobody else's. */
export function principalKey({ subject, actor, client, session, tenant, app, method, intent }: Principal): string {
  const key = [method, subject, actor ?? null, client, session ?? null, tenant ?? null];
  if (app !== undefined) return JSON.stringify([...key, intent?.id ?? null, app]);
  return JSON.stringify(intent === undefined ? key : [...key, intent.id]);
}

/** The policy-relevant part of a target. */
export function accessResource(target: Target): AccessRequest['resource'] {
  const { capability, name, service, definitionHash, sideEffect, classification, risk, internal, owner } = target;
  return { type: capability, id: name, service, definitionHash, sideEffect, classification, risk, internal, owner };
}
