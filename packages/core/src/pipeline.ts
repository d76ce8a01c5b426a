import type { AnyRequest, Call } from './call.ts';
import type { AccessRequest } from './decision.ts';
import { GatewayError } from './error.ts';
import { findTarget, listTargets, unknown } from './listing.ts';
import type { Answer, Answered, ListenEvent, Listing, Outcome, Refused, Subscription, Suspended } from './outcome.ts';
import { type Grounds, grantPermit, type Permit } from './permit.ts';
import type { Hold } from './ports/hold.ts';
import type { Topic } from './ports/registry.ts';
import type { Principal } from './principal.ts';
import type { CallOf, Stages } from './stages.ts';
import type { Target, View } from './tool.ts';
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
  const request = accessRequest({ call, principal, target, input });
  trail.request = request;
  const decision = await stages.authorize(request);
  trail.decision = decision;
  if (decision.effect !== 'permit') throw new GatewayError('policy_denied');
  const permit = grantPermit({ call, principal, target, input, decision });

  trail.stage = 'approve';
  const approval = await stages.approve(permit);
  if ('kind' in approval) return approval;

  return held(approval, trail, async () => {
    trail.stage = 'budget';
    const reservation = await stages.budget(permit);
    return held(reservation, trail, async () => {
      const answer = await send(stages, { call, permit, trail });
      trail.fate = 'answered';
      return { kind: 'answered', content: answer };
    });
  });
}

/** The target a caller named. A task stands for the tool that made it. */
async function resolve(stages: Stages, call: CallOf<'invoke'>, principal: Principal): Promise<Target> {
  const { endpoint, request } = call;
  const { capability, name } = request;
  const view = await stages.view(principal, endpoint);
  if (capability !== 'task') return findTarget(view, { endpoint, capability, name });
  return taskTool(view, stages.toolOfTask(principal, name));
}

function taskTool({ catalog, has }: View, name: string | undefined): Target {
  const tool = name === undefined ? undefined : catalog.byName.get(name);
  if (tool?.capability !== 'tool' || !has(tool)) throw unknown('task');
  return tool;
}

interface Departure {
  readonly call: CallOf<'invoke'>;
  readonly permit: Permit;
  readonly trail: Trail;
}

async function send(stages: Stages, { call, permit, trail }: Departure): Promise<Answer> {
  trail.stage = 'credential';
  const credential = await stages.credential(permit);
  if (permit.target.auditRequired) {
    trail.stage = 'record';
    await stages.record(trail.intent(stages.nowMs()));
  }

  trail.stage = 'dispatch';
  const { trace, signal, origin } = call;
  const { timeoutMs, client, onProgress, onNotification, onPause } = call.request;
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
    timeoutMs: Math.min(timeoutMs ?? permit.target.timeoutMs, permit.target.timeoutMs),
    ...(onProgress && { onProgress }),
    ...(onNotification && {
      onNotification: (method, paramsText) => onNotification({ service: permit.target.service, method, paramsText }),
    }),
    ...(onPause && { onPause }),
  });

  trail.stage = 'filter';
  const cleaned: Answer | undefined = await stages.filter(permit, answer);
  // A filter of an embedder's that forgets to return must not leave its caller without an answer.
  if (typeof cleaned?.text !== 'string') throw new Error('the output filters returned no answer');
  trail.answer = cleaned;
  return cleaned;
}

async function list(stages: Stages, call: CallOf<'list'>, trail: Trail): Promise<Answered<Listing>> {
  const principal = await identify(stages, call, trail);
  trail.stage = 'resolve';
  const view = await stages.view(principal, call.endpoint);
  trail.stage = 'entitle';
  const listing = listTargets(view, (target) => stages.entitle(principal, target) === undefined, call.request);
  // To be told that a service or a view is there is to know of something in it.
  if (call.endpoint.kind !== 'all' && call.request.capability === 'any' && listing.services.length === 0) {
    throw new GatewayError('unknown_endpoint');
  }
  return { kind: 'answered', content: listing };
}

async function listen(stages: Stages, call: CallOf<'listen'>, trail: Trail): Promise<Answered<Subscription>> {
  const principal = await identify(stages, call, trail);
  trail.stage = 'resolve';
  const watched = await watchable(stages, call, principal);
  const stops: (() => void)[] = [];
  const close = (): void => {
    for (const stop of stops.splice(0)) stop();
  };
  const tell = (event: ListenEvent, target?: Target): void => {
    // A revoked token, or a scope that was taken away, must not go on learning that something changed.
    Promise.resolve(call)
      .then(stages.authenticate)
      .then(
        (now) => {
          if (target === undefined || stages.entitle(now, target) === undefined) call.request.onEvent(event);
        },
        () => {
          close();
          call.request.onClosed();
        },
      );
  };
  const { tools, prompts, resources } = call.request.filter;
  stops.push(
    stages.onCatalogChange(() => {
      if (tools) tell({ kind: 'tools' });
      if (prompts) tell({ kind: 'prompts' });
      if (resources) tell({ kind: 'resources' });
    }),
  );
  for (const { target, topic, told } of watched) {
    stops.push(stages.watch({ principal, target, topic }, (paramsText) => tell({ ...told, paramsText }, target)));
  }
  const named = (kind: 'resource' | 'task'): string[] =>
    watched.flatMap(({ told }) => (told.kind === kind ? [told.kind === 'resource' ? told.uri : told.taskId] : []));
  return { kind: 'answered', content: { close, resourceUris: named('resource'), taskIds: named('task') } };
}

type Told = { readonly kind: 'resource'; readonly uri: string } | { readonly kind: 'task'; readonly taskId: string };

interface Watched {
  readonly target: Target;
  readonly topic: Topic;
  /** In the subscriber's names. */
  readonly told: Told;
}

/** What of a filter this principal may know of and is entitled to; the rest is left out without a word. */
async function watchable(stages: Stages, call: CallOf<'listen'>, principal: Principal): Promise<readonly Watched[]> {
  const { endpoint, request } = call;
  const { resourceUris, taskIds } = request.filter;
  if (resourceUris.length === 0 && taskIds.length === 0) return [];
  const view = await stages.view(principal, endpoint);
  const found = await Promise.allSettled([
    ...resourceUris.map(async (uri): Promise<Watched> => {
      const target = await findTarget(view, { endpoint, capability: 'resource', name: uri });
      return { target, topic: { kind: 'resource', uri: target.remoteName }, told: { kind: 'resource', uri } };
    }),
    ...taskIds.map(async (taskId): Promise<Watched> => {
      const target = taskTool(view, stages.toolOfTask(principal, taskId));
      return { target, topic: { kind: 'task', taskId }, told: { kind: 'task', taskId } };
    }),
  ]);
  return found.flatMap((one) =>
    one.status === 'fulfilled' && stages.entitle(principal, one.value.target) === undefined ? [one.value] : [],
  );
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

async function identify(stages: Stages, call: Call, trail: Trail): Promise<Principal> {
  trail.stage = 'admit';
  await stages.admit(call);
  trail.stage = 'authenticate';
  const principal = await stages.authenticate(call);
  trail.principal = principal;
  // Another principal's session is no session at all.
  if (call.session && !call.session.admits(principal)) throw new GatewayError('unknown_session');
  return principal;
}

/** The bracket round everything: one record for each call, whatever happens inside; and no answer without its record. */
async function recorded<Content>(
  stages: Stages,
  call: Call<AnyRequest>,
  body: (trail: Trail) => Promise<Outcome<Content>>,
): Promise<Outcome<Content>> {
  const trail = new Trail(call);
  let outcome: Outcome<Content>;
  try {
    outcome = await body(trail);
  } catch (thrown) {
    outcome = { kind: 'refused', error: await refusalFor(stages, trail, thrown) };
  }
  try {
    await stages.record(trail.outcome(outcome, stages.nowMs()));
    return outcome;
  } catch (thrown) {
    return { kind: 'refused', error: new GatewayError('audit_unavailable', {}, { cause: thrown, stage: 'record' }) };
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
  const { method } = call.request;
  return {
    subject: accessSubject(principal),
    action: 'invoke',
    resource: accessResource(target),
    context: { method, timeMs: call.receivedAtMs, transport: call.origin.transport, arguments: input.value },
  };
}

/** The policy-relevant part of a principal. */
export function accessSubject(principal: Principal): AccessRequest['subject'] {
  const { subject, client, kind, scopes, attributes, actor, session, tenant } = principal;
  return {
    subject,
    client,
    kind,
    scopes,
    attributes,
    ...(actor && { actor }),
    ...(session !== undefined && { session }),
    ...(tenant !== undefined && { tenant }),
  };
}

/** Tells principals apart: what is kept for one is found by this key, and by nobody else's. */
export function principalKey({ subject, actor, client, session, tenant, method }: Principal): string {
  return JSON.stringify([method, subject, actor ?? null, client, session ?? null, tenant ?? null]);
}

/** The policy-relevant part of a target. */
export function accessResource(target: Target): AccessRequest['resource'] {
  const { capability, name, service, definitionHash, sideEffect, classification, risk, internal } = target;
  return { type: capability, id: name, service, definitionHash, sideEffect, classification, risk, internal };
}
