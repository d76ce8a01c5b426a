import { describeWanted, keepGrant, wantedBy } from './consent.ts';
import { consentPage } from './pages.ts';
import type { Parts } from './parts.ts';
import { type Action, type Actions, conclude, leave, show } from './visit.ts';

/** The consent page, and what its forms lead to. */
export function consentActions(parts: Parts): Actions & { readonly 'GET consent': Action } {
  const { findPerson, log } = parts;
  return {
    'GET consent': async (visit) => {
      const { interaction, provider, place } = visit;
      const person = await findPerson(interaction.session?.accountId ?? '');
      const client = await provider.Client.find(String(interaction.params.client_id));
      if (person === undefined || client === undefined) return leave(visit);
      const wanted = wantedBy(parts, interaction, person);
      show(visit, consentPage(place, describeWanted(parts, interaction, { client, person, wanted })));
    },
    'POST consent': async (visit) => {
      const { interaction, provider, form } = visit;
      const person = await findPerson(interaction.session?.accountId ?? '');
      if (interaction.prompt.name !== 'consent' || person === undefined) return leave(visit);
      const scopes = form.getAll('scope');
      const wanted = wantedBy(parts, interaction, person);
      const grantId = await keepGrant(provider, interaction, { person: person.id, wanted, scopes });
      const client = String(interaction.params.client_id);
      log.info({ user: person.id, client, scopes }, 'somebody allowed a client something');
      await conclude(visit, { consent: { grantId } });
    },
    'POST refuse': (visit) =>
      conclude(visit, { error: 'access_denied', error_description: 'the person did not allow it' }),
    'POST leave': leave,
  };
}
