import { isJsonObject, type JsonValue } from '@sallyport/protocol';
import type { JWTPayload } from 'jose';
import type { Principal } from '../tool-options.ts';

const kinds = ['person', 'agent', 'service', 'owner'] as const;

/** Reads who is calling from claims whose signature was checked. `undefined` when they do not say it whole. */
export function readPrincipal(claims: JWTPayload): Principal | undefined {
  const { sub, act, client_id: client, sid, tenant, app, scope = '', attributes = {}, intent } = claims;
  const kind = kinds.find((known) => known === claims.kind);
  if (sub === undefined || typeof client !== 'string' || typeof scope !== 'string' || kind === undefined)
    return undefined;
  const actor = act === undefined ? undefined : readActor(act as JsonValue, 0);
  if (actor === 'broken' || !isJsonObject(attributes as JsonValue)) return undefined;
  return {
    subject: sub,
    ...(actor && { actor }),
    client,
    ...(typeof sid === 'string' && { session: sid }),
    ...(typeof tenant === 'string' && { tenant }),
    ...(typeof app === 'string' && { app }),
    kind,
    scopes: scope.split(' ').filter((each) => each !== ''),
    attributes: attributes as Principal['attributes'],
    ...intentIn(intent as JsonValue | undefined),
  };
}

const longestChain = 32;

/** Who stands for whom must not be cut short: a chain with a broken link says nothing. */
function readActor(act: JsonValue, depth: number): NonNullable<Principal['actor']> | 'broken' {
  if (!isJsonObject(act) || typeof act.sub !== 'string' || depth >= longestChain) return 'broken';
  const next = act.act === undefined ? undefined : readActor(act.act, depth + 1);
  if (next === 'broken') return 'broken';
  return { subject: act.sub, ...(next && { actor: next }) };
}

function intentIn(intent: JsonValue | undefined): Pick<Principal, 'intent'> {
  if (!isJsonObject(intent)) return {};
  const { id, message_digest: messageDigest, purpose, exp } = intent;
  if (typeof id !== 'string' || typeof messageDigest !== 'string' || typeof exp !== 'number') return {};
  const known = { id, messageDigest, expiresAtMs: exp * 1000 };
  return { intent: { ...known, ...(typeof purpose === 'string' && { purpose }) } };
}
