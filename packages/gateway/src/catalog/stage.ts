import {
  type AccessRequest,
  accessResource,
  accessSubject,
  type Catalog,
  type Decision,
  type Endpoint,
  type Narrowing,
  type Principal,
  type Stages,
  type Target,
  type Tool,
  type View,
} from '@sallyport/core';
import type { JsonObject } from '@sallyport/protocol';
import { narrowedTool } from './narrowed.ts';

interface ViewOptions {
  readonly current: () => Catalog;
  /** The argument-free decision whether a principal may know of a target. */
  readonly decide: (request: AccessRequest) => Decision | Promise<Decision>;
  /** What policies leave of a tool's arguments, exactly. Absent: all of them. */
  readonly narrow?: (request: AccessRequest, schema: JsonObject) => Narrowing | undefined;
  /** Changes whenever the same question might be decided differently. */
  readonly policyRevision: () => string;
  /** What a named view takes in; `undefined` for a name that is none. */
  readonly viewNamed: (name: string) => ((target: Target) => boolean) | undefined;
  readonly nowMs: () => number;
}

const maxViews = 1_000;
/** Policies may look at the clock, so a view is not kept for ever. */
const viewLifeMs = 1_000;

interface CachedView {
  readonly view: View;
  readonly madeAtMs: number;
  readonly catalog: Catalog;
  readonly policyRevision: string;
}

/**
 * Gives each principal its part of the catalog. Views are kept per class of principal (everything that policy may look
 * at), catalog and policy revision; an endpoint shows part of one.
 */
export function createView(options: ViewOptions): Stages['view'] {
  const views = new Map<string, CachedView>();
  return async (principal, endpoint) => {
    const catalog = options.current();
    const policyRevision = options.policyRevision();
    const key = JSON.stringify(accessSubject(principal));
    const cached = views.get(key);
    const nowMs = options.nowMs();
    if (
      cached &&
      cached.catalog === catalog &&
      cached.policyRevision === policyRevision &&
      nowMs - cached.madeAtMs < viewLifeMs
    ) {
      return at(endpoint, cached.view, options);
    }
    const view = await makeView(options, catalog, principal);
    views.delete(key);
    views.set(key, { view, madeAtMs: nowMs, catalog, policyRevision });
    const oldest = views.keys().next().value;
    if (views.size > maxViews && oldest !== undefined) views.delete(oldest);
    return at(endpoint, view, options);
  };
}

function at(endpoint: Endpoint, view: View, { viewNamed }: ViewOptions): View {
  if (endpoint.kind === 'all') return view;
  const isHere =
    endpoint.kind === 'mount'
      ? (target: Target) => target.service === endpoint.service
      : (viewNamed(endpoint.name) ?? (() => false));
  return {
    catalog: view.catalog,
    has: (target) => isHere(target) && view.has(target),
    admits: (target) => isHere(target) && view.admits(target),
    ...(view.shown && { shown: view.shown }),
  };
}

async function makeView({ decide, narrow, nowMs }: ViewOptions, catalog: Catalog, principal: Principal): Promise<View> {
  const subject = accessSubject(principal);
  const visible = new Set<Target>();
  const questionOf = (target: Target): AccessRequest => {
    const context = { timeMs: nowMs(), transport: 'any' };
    return { subject, action: 'discover', resource: accessResource(target), context };
  };
  const ask = (target: Target): Decision | Promise<Decision> => decide(questionOf(target));
  const { tools, prompts, resources, templates, methods, absent } = catalog;
  for (const target of [...tools, ...prompts, ...resources, ...templates, ...methods, ...absent]) {
    const answer = ask(target);
    // Thousands of answers that are there already need no turn of the event loop each.
    const decision = answer instanceof Promise ? await answer : answer;
    if (decision.effect === 'permit') visible.add(target);
  }
  // Policy that hides a template hides what it stands for.
  const isFamilyVisible = (target: Target): boolean => {
    const name = target.capability === 'resource' ? target.template : undefined;
    const template = name === undefined ? undefined : catalog.byName.get(name);
    return name === undefined || (template !== undefined && visible.has(template));
  };
  return {
    catalog,
    has: (target) => visible.has(target),
    admits: async (target) => isFamilyVisible(target) && (await ask(target)).effect === 'permit',
    ...(narrow && { shown: showing((target) => narrow(questionOf(target), target.inputSchema)) }),
  };
}

/** Tools are looked at once in a view, when they are listed. */
function showing(narrowingOf: (tool: Tool) => Narrowing | undefined): (target: Target) => Target {
  const known = new Map<Target, Target>();
  return (target) => {
    if (target.capability !== 'tool') return target;
    const before = known.get(target);
    if (before !== undefined) return before;
    const narrowing = narrowingOf(target);
    const shown = narrowing === undefined ? target : narrowedTool(target, narrowing);
    known.set(target, shown);
    return shown;
  };
}
