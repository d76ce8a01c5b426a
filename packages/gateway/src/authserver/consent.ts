import type { Client, Interaction, Provider } from 'oidc-provider';
import { isNative } from './clients.ts';
import type { ConsentPage } from './pages.ts';
import type { Parts } from './parts.ts';
import type { Person } from './people.ts';
import { defaultResource } from './resources.ts';
import { describeScope, holds, isToolScope, serverScopes } from './scopes.ts';

/** What a client asks for, seen from the person who is asked. */
export interface Wanted {
  readonly resources: readonly string[];
  /** Scopes this person can give. */
  readonly possible: readonly string[];
  /** Scopes this person cannot give. */
  readonly withheld: readonly string[];
  /** Those between client and server. */
  readonly server: readonly string[];
}

/** Reads it from a request that waits for an answer. */
export function wantedBy(parts: Parts, { params }: Interaction, person: Person): Wanted {
  const asked = typeof params.scope === 'string' ? params.scope.split(' ').filter((scope) => scope !== '') : [];
  const tools = [...new Set(asked)].filter(isToolScope);
  const { resource = defaultResource(parts) } = params;
  return {
    resources: (Array.isArray(resource) ? resource : [resource]).map(String),
    possible: tools.filter((scope) => holds(person.scopes, scope)),
    withheld: tools.filter((scope) => !holds(person.scopes, scope)),
    server: asked.filter((scope) => serverScopes.has(scope)),
  };
}

/** What the page says of it. */
export function describeWanted(
  parts: Parts,
  { params }: Interaction,
  { client, person, wanted }: { readonly client: Client; readonly person: Person; readonly wanted: Wanted },
): ConsentPage {
  const offered = new Map(parts.scopesOnOffer().map((one) => [one.scope, one]));
  const redirect = String(params.redirect_uri ?? '');
  const document = client.clientId.startsWith('https://') ? URL.parse(client.clientId)?.host : undefined;
  return {
    client: nameOf(client),
    isConfigured: parts.settings.clients.some(({ id }) => id === client.clientId),
    ...(document !== undefined && { publishedBy: document }),
    back: backOf(redirect),
    howLong: inWords(parts.settings.refreshTokenLifeMs),
    who: person.id,
    scopes: wanted.possible.map((scope) => ({ scope, ...describeScope(scope, offered.get(scope)) })),
    withheld: wanted.withheld,
  };
}

function backOf(redirect: string): ConsentPage['back'] {
  const url = URL.parse(redirect);
  if (!isNative(redirect)) return { kind: 'host', text: url?.host ?? redirect };
  return { kind: 'program', text: url?.protocol === 'http:' ? url.host : (url?.protocol ?? redirect) };
}

function inWords(ms: number): string {
  const units = [
    [86_400_000, 'day'],
    [3_600_000, 'hour'],
    [60_000, 'minute'],
  ] as const;
  const [length, name] = units.find(([one]) => ms >= one) ?? [1_000, 'second'];
  const count = Math.round(ms / length);
  return `${count} ${name}${count === 1 ? '' : 's'}`;
}

/** What people know a client by. */
export function nameOf({ clientName, clientId }: Client): string {
  return clientName === undefined || clientName.trim() === '' ? clientId : clientName;
}

/** Keeps what was allowed. Returns the id of the grant. */
export async function keepGrant(
  provider: Provider,
  interaction: Interaction,
  allowed: { readonly person: string; readonly wanted: Wanted; readonly scopes: readonly string[] },
): Promise<string> {
  const { person, wanted, scopes } = allowed;
  const found = interaction.grantId === undefined ? undefined : await provider.Grant.find(interaction.grantId);
  const owner = { accountId: person, clientId: String(interaction.params.client_id) };
  const grant = found ?? new provider.Grant(owner);
  if (wanted.server.length > 0) grant.addOIDCScope(wanted.server.join(' '));
  const given = wanted.possible.filter((scope) => scopes.includes(scope));
  for (const resource of wanted.resources) if (given.length > 0) grant.addResourceScope(resource, given.join(' '));
  return grant.save();
}
