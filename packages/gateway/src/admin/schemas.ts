import type { JsonObject } from '@sallyport/protocol';

/** An object with exactly these members, the first ones required. */
export function strictObject(required: JsonObject, optional: JsonObject = {}): JsonObject {
  return {
    type: 'object',
    properties: { ...required, ...optional },
    required: Object.keys(required),
    additionalProperties: false,
  };
}

export const accountName: JsonObject = {
  type: 'string',
  pattern: '^[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}$',
  description: 'The name of the account.',
};

export const accountKind: JsonObject = {
  enum: ['person', 'agent', 'service', 'owner'],
  description: 'What kind of account. Service and owner reach internal tools, so only the owner may make these.',
};

export const tokenId: JsonObject = {
  type: 'string',
  pattern: '^[0-9A-Za-z]{16}$',
  description: 'The id of the token: its first 16 characters after sp_.',
};

export const scopeList: JsonObject = {
  type: 'array',
  items: { type: 'string', pattern: '^([a-z0-9_.-]+(:[a-z0-9_.*-]+)*|\\*)$', maxLength: 128 },
  maxItems: 100,
  description: 'Scopes: one as tools name it, a pattern as posts:*, or * for all tools.',
};

export const tokenLabel: JsonObject = {
  type: 'string',
  pattern: '^[A-Za-z0-9][A-Za-z0-9 ._@+-]{0,63}$',
  description: 'For people, to tell tokens apart.',
};

/** A number of seconds, a whole one. */
export function seconds(minimum: number, maximum: number, description: string): JsonObject {
  return { type: 'integer', minimum, maximum, description };
}

const timestamp: JsonObject = { type: 'string', format: 'date-time' };

export const tokenFacts: JsonObject = {
  id: tokenId,
  account: { type: 'string' },
  kind: accountKind,
  label: { type: 'string' },
  scopes: { type: 'array', items: { type: 'string' } },
  createdAt: timestamp,
  expiresAt: timestamp,
  state: { enum: ['active', 'revoked', 'expired', 'disabled'] },
};

export const accountFacts: JsonObject = {
  name: { type: 'string' },
  kind: accountKind,
  state: { enum: ['active', 'disabled'] },
};

/** The secret, beside what is told of every token. */
export const mintedToken: JsonObject = strictObject({
  token: { type: 'string', description: 'The token itself. It is shown this once.' },
  ...tokenFacts,
});
