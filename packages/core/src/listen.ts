import { GatewayError } from './error.ts';
import { identify } from './identify.ts';
import { createListNews } from './list-news.ts';
import { findTarget, unknown } from './listing.ts';
import type { Answered, ListenEvent, Subscription } from './outcome.ts';
import type { Topic } from './ports/registry.ts';
import { accountKey, type Principal } from './principal.ts';
import { taskTool } from './resolve.ts';
import { cleanSaid } from './said.ts';
import type { CallOf, Stages } from './stages.ts';
import { isStillKnown } from './still-known.ts';
import type { ListKind, Target } from './tool.ts';
import type { Trail } from './trail.ts';

/** The verb `listen`: tells of changes until the caller, or what lets it in, is gone. */
export async function listen(stages: Stages, call: CallOf<'listen'>, trail: Trail): Promise<Answered<Subscription>> {
  const principal = await identify(stages, call, trail);
  trail.stage = 'entitle';
  refuseContained(stages, principal);
  trail.stage = 'resolve';
  const watched = await watchable(stages, call, principal);
  const news = createListNews(stages, call);
  await news.begin(principal);
  const stops: (() => void)[] = [];
  const close = (): void => {
    for (const stop of stops.splice(0)) stop();
  };
  // A revoked token, or a scope that was taken away, must not go on learning that something changed.
  const recheck = (allowed: (now: Principal) => void | Promise<void>): void => {
    Promise.resolve(call)
      .then(stages.authenticate)
      .then((now) => refuseContained(stages, now))
      .then(allowed, (error: unknown) => {
        if (!isOver(error)) return;
        close();
        call.request.onClosed();
      })
      // What cannot be decided is not told.
      .catch(() => undefined);
  };
  const tell = (event: ListenEvent, target: Target): void =>
    recheck(async (now) => {
      if (await isStillKnown(stages, { principal: now, endpoint: call.endpoint }, target)) call.request.onEvent(event);
    });
  // Also while nothing happens: a stream that says nothing must not stay open on a token that ended.
  stops.push(stages.onRecheck?.(() => recheck(() => undefined)) ?? (() => undefined));
  const tellOf = (kinds: readonly ListKind[]): void => {
    for (const kind of kinds) call.request.onEvent({ kind });
  };
  stops.push(
    stages.onCatalogChange((changes) => {
      if (news.mayBe(changes)) recheck(async (now) => tellOf(await news.of(now, changes)));
    }),
    stages.onPoliciesChange?.(() => recheck(async (now) => tellOf(await news.afterPolicies(now)))) ?? (() => undefined),
  );
  const watch = (one: Watched): readonly Told[] => {
    const { target, topic } = one;
    const stop = stages.watch({ principal, target, topic }, (said) => {
      const { text: paramsText } = cleanSaid(stages, target, said);
      if (paramsText !== undefined) tell({ ...one.told, service: target.service, paramsText }, target);
    });
    if (stop === undefined && call.request.isWhole) throw unknown('resource');
    if (stop !== undefined) stops.push(stop);
    return stop === undefined ? [] : [one.told];
  };
  const told = orElse(() => watched.flatMap(watch), close);
  const named = (kind: 'resource' | 'task'): string[] =>
    told.flatMap((one) => (one.kind === kind ? [one.kind === 'resource' ? one.uri : one.taskId] : []));
  const account = accountKey(principal);
  return { kind: 'answered', content: { close, account, resourceUris: named('resource'), taskIds: named('task') } };
}

/** Whoever may be told nothing at all hears nothing, and its stream ends. */
function refuseContained({ isContained }: Stages, principal: Principal): Principal {
  if (isContained?.(principal) === true) throw new GatewayError('contained');
  return principal;
}

/** What was begun ends where it cannot be finished. */
function orElse<T>(work: () => T, undo: () => void): T {
  try {
    return work();
  } catch (error) {
    undo();
    throw error;
  }
}

/** Whether a credential is no good any more. That it cannot be judged now ends nothing: what happened is not told, and that is all. */
function isOver(error: unknown): boolean {
  return !(error instanceof GatewayError) || (error.code !== 'unavailable' && error.code !== 'resource_exhausted');
}

type Told = { readonly kind: 'resource'; readonly uri: string } | { readonly kind: 'task'; readonly taskId: string };

interface Watched {
  readonly target: Target;
  readonly topic: Topic;
  /** In the subscriber's names. */
  readonly told: Told;
}

/**
 * What of a filter this principal may know of and is entitled to; the rest is left out without a word, or is the reason to
 * refuse where it is all or nothing.
 */
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
  return found.flatMap((one) => {
    const refusal = one.status === 'fulfilled' ? stages.entitle(principal, one.value.target) : one.reason;
    if (one.status === 'fulfilled' && refusal === undefined) return [one.value];
    if (request.isWhole) throw refusal;
    return [];
  });
}
