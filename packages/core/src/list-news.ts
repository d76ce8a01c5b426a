import type { Principal } from './principal.ts';
import type { CallOf, Stages } from './stages.ts';
import type { Catalog, ListChanges, ListKind, Target, View } from './tool.ts';

/** What a listener is told of lists. */
export interface ListNews {
  /** Looks at what the caller sees now. Nothing is looked at where no list was asked for. */
  begin(principal: Principal): Promise<void>;
  /** Whether any list that was asked for changed, for anybody. */
  mayBe(changes: ListChanges): boolean;
  /** The lists that were asked for and changed for this caller. */
  of(principal: Principal, changes: ListChanges): Promise<readonly ListKind[]>;
}

const listKinds: readonly ListKind[] = ['tools', 'prompts', 'resources'];

/**
 * Tells which changes are news to a caller: those of services of which it sees something in the list, or saw something
 * before. That something changed which it may not know of would tell that it is there.
 */
export function createListNews(stages: Stages, { endpoint, request }: CallOf<'listen'>): ListNews {
  const asked = listKinds.filter((kind) => request.filter[kind]);
  let before: View | undefined;
  return {
    async begin(principal) {
      if (asked.length > 0) before = await stages.view(principal, endpoint);
    },
    mayBe: (changes) => asked.some((kind) => changes[kind].length > 0),
    async of(principal, changes) {
      const now = await stages.view(principal, endpoint);
      const views = before === undefined ? [now] : [before, now];
      before = now;
      const sees = (view: View, kind: ListKind): boolean =>
        listed(view.catalog, kind).some(
          (target) =>
            changes[kind].includes(target.service) &&
            view.has(target) &&
            stages.entitle(principal, target) === undefined,
        );
      return asked.filter((kind) => changes[kind].length > 0 && views.some((view) => sees(view, kind)));
    },
  };
}

function listed({ tools, prompts, resources, templates }: Catalog, kind: ListKind): readonly Target[] {
  if (kind === 'tools') return tools;
  return kind === 'prompts' ? prompts : [...resources, ...templates];
}
