import type { IncomingMessage } from 'node:http';
import type { Provider } from 'oidc-provider';
import { consentActions } from './consent-actions.ts';
import { type Exchange, isOwnForm, proofFor, readForm, sendPage } from './exchange.ts';
import { leadsTo } from './html.ts';
import { errorPage, type Problem } from './pages.ts';
import { mountPath, type Parts } from './parts.ts';
import { signInActions } from './sign-in-actions.ts';
import type { Action } from './visit.ts';

/** What happens at the pages of one sign-in. @param path below `/oauth/interaction`: `<id>` or `<id>/<action>`. */
export type ServeInteraction = (provider: Provider, exchange: Exchange, path: string) => Promise<void>;

const lost: Problem = { status: 400, text: 'This sign-in has ended, or was begun in another browser.' };
const foreign: Problem = { status: 403, text: 'This form was not sent by our own page.' };
const unknown: Problem = { status: 404, text: 'There is no such page.' };

/** Makes what serves the pages. */
export function createInteractions(parts: Parts): ServeInteraction {
  const { origin, name: gateway } = parts;
  const isSecure = origin.startsWith('https:');
  const { 'GET login': login, ...signIn } = signInActions(parts);
  const { 'GET consent': consent, ...consenting } = consentActions(parts);
  const first: Action = (visit) => (visit.interaction.prompt.name === 'consent' ? consent(visit) : login(visit));
  const actions = new Map<string, Action>(Object.entries({ 'GET ': first, ...signIn, ...consenting }));

  return async (provider, exchange, path) => {
    const fail = (problem: Problem): void => sendPage(exchange, errorPage(gateway, problem), isSecure);
    const { request, response } = exchange;
    const [id = '', action = '', ...more] = path.split('/');
    const act = more.length === 0 ? actions.get(`${methodOf(request)} ${action}`) : undefined;
    if (act === undefined) return fail(unknown);
    const interaction = await provider.interactionDetails(request, response).catch(() => undefined);
    if (interaction?.uid !== id) return fail(lost);
    const form = await formOf(parts, request, id);
    if (form === undefined) return fail(foreign);
    const redirect = String(interaction.params.redirect_uri ?? '');
    const place = {
      path: `${mountPath}/interaction/${id}`,
      proof: proofFor(parts, id),
      gateway,
      leadsTo: leadsTo(redirect),
    };
    await act({ ...exchange, provider, interaction, place, form, isSecure });
  };
}

function methodOf({ method }: IncomingMessage): string | undefined {
  return method === 'HEAD' ? 'GET' : method;
}

/** The form that was sent, if our own page sent it; an empty one for a page that is asked for. */
async function formOf(parts: Parts, request: IncomingMessage, id: string): Promise<URLSearchParams | undefined> {
  if (request.method !== 'POST') return new URLSearchParams();
  const form = await readForm(request);
  return form !== undefined && isOwnForm(parts, { request, form, interaction: id }) ? form : undefined;
}
