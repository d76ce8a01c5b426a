import type { Interaction, Provider } from 'oidc-provider';
import { type Exchange, sendPage, sendTo } from './exchange.ts';
import type { Page } from './html.ts';
import type { FormPlace } from './pages.ts';
import { mountPath } from './parts.ts';

/** A sign-in under way, in the browser that began it. */
export interface Visit extends Exchange {
  readonly provider: Provider;
  readonly interaction: Interaction;
  readonly place: FormPlace;
  /** What was sent; empty for a page that was only asked for. */
  readonly form: URLSearchParams;
  readonly isSecure: boolean;
}

/** Answers one form or page of a sign-in. */
export type Action = (visit: Visit) => Promise<void>;

/** Actions by method and last part of the path: `POST login`. */
export type Actions = Readonly<Record<string, Action>>;

/** Shows a page of it. */
export function show(visit: Visit, page: Page): void {
  sendPage(visit, page, visit.isSecure);
}

/** Hands what came of it to the provider, and the browser with it. */
export async function conclude(visit: Visit, result: object): Promise<void> {
  const { provider, request, response } = visit;
  const mergeWithLastSubmission = !('error' in result);
  sendTo(visit, await provider.interactionResult(request, response, result, { mergeWithLastSubmission }));
}

/** Ends the session here and begins the same request anew, so that somebody else can sign in. */
export async function leave(visit: Visit): Promise<void> {
  const { interaction, provider } = visit;
  const session = interaction.session && (await provider.Session.findByUid(interaction.session.uid));
  await session?.destroy();
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(interaction.params)) {
    const values: readonly unknown[] = Array.isArray(value) ? value : [value];
    for (const one of values) if (one !== undefined && one !== null) query.append(name, String(one));
  }
  sendTo(visit, `${mountPath}/authorize?${query}`);
}
