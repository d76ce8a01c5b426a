import {
  GatewayError,
  type IntentListing,
  type IntentVoucher,
  type Principal,
  type StoredIntent,
  type StoredToken,
} from '@sallyport/core';

/** How far a credential goes that an intent is made from: the intent goes no further. */
export interface Source {
  readonly tokenIds: readonly string[];
  readonly vouchers: readonly IntentVoucher[];
  /** Milliseconds since the epoch. */
  readonly expiresAtMs: number;
  readonly binding: StoredIntent['binding'];
  readonly resource: string | undefined;
  /** The intent it was given for itself, with what is left of it. */
  readonly parent: IntentListing | undefined;
}

/** Where credentials are looked up. */
export interface SourceDeps {
  readonly intents: { look(id: string): Promise<IntentListing | undefined> };
  readonly tokens: { find(id: string): StoredToken | undefined | Promise<StoredToken | undefined> };
  readonly maxTokenLifeMs: () => number;
}

/**
 * What an intent inherits from the credential that somebody was let in with.
 *
 * @throws GatewayError `credential_invalid` when it is of a kind that nothing can be made from.
 */
export async function sourceOf(principal: Principal, deps: SourceDeps): Promise<Source> {
  const { intent, credential, credentialId, subject, client, session } = principal;
  if (intent !== undefined) return fromIntent(await deps.intents.look(intent.id));
  if (credential !== undefined) {
    const { issuer, tokenId, issuedAtMs, expiresAtMs, jkt, certificate } = credential;
    const ids = { ...(tokenId !== undefined && { tokenId }), ...(session !== undefined && { session }) };
    const binding = { ...(jkt !== undefined && { jkt }), ...(certificate !== undefined && { certificate }) };
    return {
      ...{ tokenIds: [], expiresAtMs, resource: undefined, parent: undefined },
      vouchers: [{ issuer, subject, client, issuedAtMs, ...ids }],
      binding: Object.keys(binding).length === 0 ? undefined : binding,
    };
  }
  const token = await deps.tokens.find(credentialId);
  if (token === undefined) throw new GatewayError('credential_invalid');
  return {
    ...{ tokenIds: [token.id], vouchers: [], binding: undefined, resource: undefined, parent: undefined },
    expiresAtMs: Math.min(token.expiresAtMs, token.createdAtMs + deps.maxTokenLifeMs()),
  };
}

function fromIntent(parent: IntentListing | undefined): Source {
  if (parent === undefined) throw new GatewayError('credential_invalid');
  const { intent, tokens, vouchers, binding, resource } = parent.stored;
  return {
    tokenIds: tokens.flatMap((token) => (token === undefined ? [] : [token.id])),
    expiresAtMs: intent.expiresAtMs,
    ...{ vouchers, binding, resource, parent },
  };
}

/** Two credentials as one: what was made from both ends with either, and needs the proofs of both. */
export function joinSources(subject: Source, actor: Source): Source {
  return {
    tokenIds: [...new Set([...subject.tokenIds, ...actor.tokenIds])],
    vouchers: [...subject.vouchers, ...actor.vouchers],
    expiresAtMs: Math.min(subject.expiresAtMs, actor.expiresAtMs),
    binding: joinBindings(subject.binding, actor.binding),
    resource: subject.resource,
    parent: subject.parent,
  };
}

function joinBindings(one: Source['binding'], other: Source['binding']): Source['binding'] {
  if (one === undefined || other === undefined) return one ?? other;
  const differ = (['jkt', 'certificate'] as const).some(
    (kind) => one[kind] !== undefined && other[kind] !== undefined && one[kind] !== other[kind],
  );
  if (differ) throw new GatewayError('invalid_input', { issues: ['/actor_token: is bound to another key'] });
  return { ...one, ...other };
}
