import {
  type AccessRequest,
  accessResource,
  accessSubject,
  type Catalog,
  type Decision,
  type Principal,
  type Stages,
  type Tool,
  type View,
} from '@sallyport/core';

interface ViewOptions {
  readonly current: () => Catalog;
  /** The argument-free decision whether a principal may know of a tool. */
  readonly decide: (request: AccessRequest) => Decision | Promise<Decision>;
  /** Changes whenever the same question might be decided differently. */
  readonly policyRevision: () => string;
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
 * at), catalog and policy revision.
 */
export function createView(options: ViewOptions): Stages['view'] {
  const views = new Map<string, CachedView>();
  return async (principal) => {
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
      return cached.view;
    }
    const view = await makeView(options, catalog, principal);
    views.delete(key);
    views.set(key, { view, madeAtMs: nowMs, catalog, policyRevision });
    const oldest = views.keys().next().value;
    if (views.size > maxViews && oldest !== undefined) views.delete(oldest);
    return view;
  };
}

async function makeView({ decide, nowMs }: ViewOptions, catalog: Catalog, principal: Principal): Promise<View> {
  const subject = accessSubject(principal);
  const context = { timeMs: nowMs(), transport: 'any' };
  const visible = new Set<Tool>();
  for (const tool of catalog.tools) {
    const decision = await decide({ subject, action: 'discover', resource: accessResource(tool), context });
    if (decision.effect === 'permit') visible.add(tool);
  }
  return { catalog, has: (tool) => visible.has(tool) };
}
