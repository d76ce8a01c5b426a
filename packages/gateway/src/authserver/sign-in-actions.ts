import { GatewayError } from '@sallyport/core';
import { nameOf } from './consent.ts';
import { sendTo } from './exchange.ts';
import { codePage, loginPage, type Problem } from './pages.ts';
import type { Parts } from './parts.ts';
import { createSignIn, type SignIn } from './sign-in.ts';
import { levelOf } from './sign-in-level.ts';
import { createUpstream } from './upstream.ts';
import { type Action, type Actions, conclude, leave, show, type Visit } from './visit.ts';

/** How a page is shown again, and what it says when the attempt was wrong. */
interface Again {
  readonly wrong: Problem;
  show(visit: Visit, problem: Problem): Promise<void> | void;
}

const wrongName: Problem = { status: 401, text: 'The name or the password is not right.' };
const unreachable: Problem = {
  status: 503,
  text: 'It does not answer at the moment. Try again in a minute.',
  retryAfterMs: 60_000,
};
const wrongCode: Problem = { status: 401, text: 'The code is not right. Each works once, for half a minute.' };

/** The login page, and what its forms lead to. */
export function signInActions(parts: Parts): Actions & { readonly 'GET login': Action } {
  const { settings, peerOf, log } = parts;
  const desk = createSignIn(parts);
  const upstream = settings.upstream && createUpstream(parts, settings.upstream);
  const showLogin = (visit: Visit, problem?: Problem): Promise<void> => showLoginPage(parts, visit, problem);

  const finish = async (visit: Visit, person: string, factors: readonly string[]): Promise<void> => {
    const { interaction, request } = visit;
    const before = interaction.session?.accountId;
    if (before !== undefined && before !== person) return leave(visit);
    log.info(
      { user: person, peer: peerOf(request), client: String(interaction.params.client_id) },
      'somebody signed in',
    );
    await conclude(visit, { login: { accountId: person, amr: factors, ...levelOf(factors), remember: true } });
  };
  const settle = async (visit: Visit, result: SignIn, again: Again): Promise<void> => {
    if (result.kind === 'in') return finish(visit, result.person, result.factors);
    if (result.kind === 'more') return show(visit, codePage(visit.place, { step: result.step }));
    if (result.kind === 'wrong') return again.show(visit, again.wrong);
    const { retryAfterMs } = result;
    return again.show(visit, { status: 429, text: 'Too many attempts. Wait a minute, then try again.', retryAfterMs });
  };

  return {
    'GET login': (visit) => showLogin(visit),
    'POST login': async (visit) => {
      const { form, interaction, request } = visit;
      const attempt = { interaction: interaction.uid, peer: peerOf(request) };
      const trying = desk.withPassword(form.get('name') ?? '', form.get('password') ?? '', attempt);
      await settle(visit, await trying.catch(busy), { show: showLogin, wrong: wrongName });
    },
    'POST code': async (visit) => {
      const { form, interaction, request } = visit;
      const step = form.get('step') ?? '';
      const result = await desk.withCode(step, form.get('code') ?? '', {
        interaction: interaction.uid,
        peer: peerOf(request),
      });
      const showCode = (_: Visit, problem: Problem): void => show(visit, codePage(visit.place, { step, problem }));
      await settle(visit, result, { show: showCode, wrong: wrongCode });
    },
    'GET upstream': async (visit) => {
      if (upstream === undefined) return showLogin(visit);
      const to = await upstream.begin(visit.interaction.uid);
      if (to === undefined) return showLogin(visit, unreachable);
      sendTo(visit, to);
    },
    'GET arrive': async (visit) => {
      const person = await upstream?.arrive(visit.interaction.uid, visit.request);
      if (person === undefined) return showLogin(visit, { status: 401, text: 'That sign-in did not work.' });
      await finish(visit, person, ['fed']);
    },
  };
}

async function showLoginPage({ settings }: Parts, visit: Visit, problem: Problem | undefined): Promise<void> {
  const { interaction, provider, place } = visit;
  const client = await provider.Client.find(String(interaction.params.client_id));
  const who = interaction.session?.accountId;
  const page = loginPage(place, {
    client: client === undefined ? 'a client' : nameOf(client),
    hasPasswords: settings.passwords,
    ...(settings.upstream && { upstream: settings.upstream.name }),
    ...(who !== undefined && { who }),
    typed: visit.form.get('name') ?? '',
    ...(problem && { problem }),
  });
  show(visit, page);
}

function busy(error: unknown): SignIn {
  if (!(error instanceof GatewayError)) throw error;
  return { kind: 'busy', retryAfterMs: error.details.retryAfterMs ?? 5_000 };
}
