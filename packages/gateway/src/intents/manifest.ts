import type { ArgumentBound } from '@sallyport/core';
import type { JsonObject, ServiceManifest } from '@sallyport/protocol';

/** The service that exchange is, and its one tool. No service of anybody's can have this name. */
export const exchangeService = 'sallyport';
export const exchangeTool = 'intents.exchange';

/** Longest message of a user, in characters. */
export const longestMessage = 32_768;

const pattern: JsonObject = { type: 'string', pattern: '^\\S+$', maxLength: 2000 };
const patterns: JsonObject = { type: 'array', items: pattern, minItems: 1, maxItems: 64 };

const bound: JsonObject = {
  type: 'object',
  properties: {
    tool: { ...pattern, description: 'Which targets it is about. Default: all.' },
    pointer: {
      type: 'string',
      pattern: '^(/([^~/]|~[01])*)*$',
      maxLength: 500,
      description: 'JSON pointer into the arguments. What it points at has to be there.',
    },
    const: { description: 'It is this.' },
    enum: { type: 'array', minItems: 1, maxItems: 100, description: 'It is one of these.' },
    minimum: { type: 'number' },
    maximum: { type: 'number' },
  },
  required: ['pointer'],
  anyOf: [{ required: ['const'] }, { required: ['enum'] }, { required: ['minimum'] }, { required: ['maximum'] }],
  additionalProperties: false,
};

const details: JsonObject = {
  type: 'object',
  properties: {
    type: { const: 'intent' },
    message_digest: {
      type: 'string',
      pattern: '^[A-Za-z0-9_-]{43}$',
      description: "SHA-256 of the user's message in UTF-8, base64url without padding.",
    },
    purpose: {
      type: 'string',
      pattern: '^[a-z][a-z0-9-]{0,62}$',
      description: 'What it is for, in one word that policies know.',
    },
    tools: { ...patterns, description: 'Names or patterns of what may be called.' },
    bounds: { type: 'array', items: bound, maxItems: 64, description: 'What arguments have to be.' },
    calls: { type: 'integer', minimum: 1, maximum: 1_000_000, description: 'How many calls; one, if it is not said.' },
    expires_in: {
      type: 'integer',
      minimum: 1,
      maximum: 900,
      description: 'Seconds; as long as may be, if it is not said.',
    },
    serving: {
      type: 'array',
      items: pattern,
      maxItems: 64,
      description: 'Names or patterns of what services may call in order to serve these calls.',
    },
    seal_message: { type: 'boolean', description: "Whether the user's message is kept, sealed." },
  },
  required: ['type', 'tools'],
  additionalProperties: false,
};

/** What the exchange of a token takes, as a tool: so it goes down the same path as every call, and is on record like one. */
export const exchangeManifest: ServiceManifest = {
  service: exchangeService,
  version: '1.0.0',
  owner: exchangeService,
  tools: [
    {
      name: exchangeTool,
      description: 'Exchanges a token for one that is good for one intent of its user.',
      scopes: [],
      sideEffect: 'write',
      classification: 'restricted',
      inputSchema: {
        type: 'object',
        properties: {
          scope: { type: 'string', maxLength: 8000 },
          resource: { type: 'string', maxLength: 2000 },
          authorization_details: { type: 'array', items: details, minItems: 1, maxItems: 1 },
        },
        required: ['authorization_details'],
        additionalProperties: false,
      },
    },
  ],
};

/** The arguments of the exchange, once they have been checked. */
export interface ExchangeArguments {
  readonly scope?: string;
  /** Path of the only endpoint that the new token is to be good at. */
  readonly resource?: string;
  readonly authorization_details: readonly [IntentDetails];
}

/** RFC 9396 `authorization_details` of the type `intent`. */
export interface IntentDetails {
  readonly type: 'intent';
  readonly message_digest?: string;
  readonly purpose?: string;
  readonly tools: readonly string[];
  readonly bounds?: readonly ArgumentBound[];
  readonly calls?: number;
  readonly expires_in?: number;
  readonly serving?: readonly string[];
  readonly seal_message?: boolean;
}
