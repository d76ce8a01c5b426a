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
  /** The lists that were asked for and show this caller something else now that policies are others. */
  afterPolicies(principal: Principal): Promise<readonly ListKind[]>;
}

const listKinds: readonly ListKind[] = ['tools', 'prompts', 'resources'];

/**
 * Tells which changes are news to a caller: those of services of which it sees something in the list, or saw something
 * before. That something changed which it may not know of would tell that it is there.
 */
export function createListNews(stages: Stages, { endpoint, request }: CallOf<'listen'>): ListNews {
  const asked = listKinds.filter((kind) => request.filter[kind]);
  let before: Seen | undefined;
  const look = async (principal: Principal): Promise<Seen> => {
    const view = await stages.view(principal, endpoint);
    return { view, lists: new Map(asked.map((kind) => [kind, shownIn(stages, { view, principal, kind })])) };
  };
  return {
    async begin(principal) {
      if (asked.length > 0) before = await look(principal);
    },
    mayBe: (changes) => asked.some((kind) => changes[kind].length > 0),
    async of(principal, changes) {
      const now = await look(principal);
      const views = before === undefined ? [now.view] : [before.view, now.view];
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
    async afterPolicies(principal) {
      if (asked.length === 0) return [];
      const now = await look(principal);
      const then = before;
      before = now;
      return asked.filter((kind) => then?.lists.get(kind) !== now.lists.get(kind));
    },
  };
}

/** What a caller saw. Its lists are made at once: a view is asked what it shows when policies are others already. */
interface Seen {
  readonly view: View;
  readonly lists: ReadonlyMap<ListKind, string>;
}

interface Asked {
  readonly view: View;
  readonly principal: Principal;
  readonly kind: ListKind;
}

/** The same text for the same list. */
function shownIn(stages: Stages, { view, principal, kind }: Asked): string {
  return listed(view.catalog, kind)
    .filter((target) => view.has(target) && stages.entitle(principal, target) === undefined)
    .map((target) => {
      const shown = view.shown?.(target) ?? target;
      const narrowed = shown === target || shown.capability !== 'tool' ? '' : JSON.stringify(shown.inputSchema);
      return `${target.name}\0${target.definitionHash}\0${narrowed}`;
    })
    .join('\n');
}

function listed({ tools, prompts, resources, templates }: Catalog, kind: ListKind): readonly Target[] {
  if (kind === 'tools') return tools;
  return kind === 'prompts' ? prompts : [...resources, ...templates];
}
