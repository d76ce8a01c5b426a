import type { Principal } from '@sallyport/core';
import {
  actorIn,
  attributesIn,
  ClaimError,
  type Claims,
  firstTextAt,
  scopesAt,
  signInAttributes,
  textAt,
} from './claims.ts';
import type { IssuerSettings } from './settings.ts';
import { tokenHash } from './verdict-cache.ts';

/** The name under which principals from access tokens are known to have been let in. */
export const jwtMethod = 'jwt';

/** First parts of names that other ways in have for themselves. */
export const reservedNames: ReadonlySet<string> = new Set([
  ...['anonymous', 'certificate', 'issuer', 'local-owner', 'service', 'spiffe', 'token'],
]);

const plainScope = /^[\x21\x23-\x5b\x5d-\x7e]{1,200}$/;
const plainTokenId = /^[\w.:~+/=-]{1,128}$/;

/** What a principal is made of. */
export interface Verified {
  readonly claims: Claims;
  readonly token: string;
  readonly settings: IssuerSettings;
  /** What stands in front of the names of each issuer that is configured. */
  readonly prefixes: readonly string[];
}

/**
 * Makes the principal that verified claims speak of.
 *
 * Names are unique over all issuers: each has a prefix of its own, and where it is configured to have none, or one that another
 * could be made from, its subjects must not look like those of another. Scopes count as far as this issuer may give them; those of administration, and
 * patterns, only where the configuration says so.
 *
 * @throws ClaimError when a claim that is needed is missing or is not what it has to be.
 */
export function toPrincipal({ claims, token, settings, prefixes }: Verified): Principal {
  const { claims: names, prefix, issuer } = settings;
  const toName = (text: string): string => nameOf(text, prefix, prefixes);
  const subject = required(textAt(claims, names.subject), 'subject');
  const client = firstTextAt(claims, names.client);
  const session = textAt(claims, names.session);
  const tenant = settings.tenant ?? (names.tenant && textAt(claims, names.tenant));
  const app = names.app && textAt(claims, names.app);
  const actor = actorIn(claims, (sub, iss) =>
    iss === undefined || iss === issuer ? toName(sub) : nameOf(sub, `${iss}#`, prefixes),
  );
  return {
    subject: toName(subject),
    ...(actor && { actor }),
    client: client === undefined ? `issuer:${settings.name}` : toName(client),
    ...(session !== undefined && { session }),
    ...(tenant !== undefined && { tenant }),
    ...(app !== undefined && { app }),
    kind: settings.kind ?? (client === subject ? 'agent' : 'person'),
    scopes: scopesAt(claims, names.scopes).filter((scope) => mayGive(settings.scopes, scope)),
    attributes: { ...signInAttributes(claims), ...attributesIn(claims, names.attributes) },
    method: jwtMethod,
    credentialId: credentialId(settings.name, claims, token),
  };
}

function nameOf(text: string, prefix: string, prefixes: readonly string[]): string {
  const name = prefix + text;
  const [first = ''] = name.split(':', 1);
  const isReserved = first !== name && reservedNames.has(first);
  if (isReserved || prefixes.some((one) => one !== '' && one !== prefix && name.startsWith(one))) {
    throw new ClaimError('a name that looks like that of somebody else');
  }
  return name;
}

function mayGive(allowed: readonly string[] | undefined, scope: string): boolean {
  if (!plainScope.test(scope)) return false;
  const isPlain = scope !== 'admin' && !scope.startsWith('admin:');
  if (allowed === undefined) return isPlain && !scope.includes('*');
  const covers = (one: string): boolean => one === scope || (one.endsWith(':*') && scope.startsWith(one.slice(0, -1)));
  return allowed.some((one) => covers(one) || (one === '*' && isPlain));
}

/** Names the token in records: by its `jti`, or by its hash where it has none. Neither is a secret. */
function credentialId(issuerName: string, { jti }: Claims, token: string): string {
  const id = typeof jti === 'string' && plainTokenId.test(jti) ? jti : `sha256:${tokenHash(token)}`;
  return `${jwtMethod}:${issuerName}/${id}`;
}

function required(text: string | undefined, what: string): string {
  if (text === undefined) throw new ClaimError(`no ${what}`);
  return text;
}
