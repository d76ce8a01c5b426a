import type { JsonObject, JsonValue } from '@sallyport/protocol';
import { changing, type Operation, reading } from './operation.ts';
import * as schemas from './schemas.ts';

/** Keys that can be followed by others. */
export const rotatingKeys = ['master', 'audit-signing', 'assertion', 'sign-in'] as const;

/** One of them. */
export type RotatingKey = (typeof rotatingKeys)[number];

/** What the operations on keys lean on. */
export interface KeyOperationDeps {
  /** Looks after the keys of the gateway. Nothing it tells of is secret. */
  readonly keys: {
    list(): Promise<readonly JsonObject[]>;
    /** @throws GatewayError `invalid_input` where that key cannot be followed by another one here. */
    rotate(key: RotatingKey, options: { readonly now: boolean }): Promise<JsonObject>;
  };
}

/** See what keys there are, and have others follow them. */
export function keyOperations({ keys }: KeyOperationDeps): readonly Operation[] {
  return [
    {
      tool: reading('keys.list', 'admin:keys', {
        description: 'Lists the keys of the gateway: what they are for, since when, and the public halves. No secret.',
        inputSchema: schemas.strictObject({}),
        outputSchema: schemas.strictObject({ keys: { type: 'array', items: { type: 'object' } } }),
      }),
      handler: async () => ({ keys: (await keys.list()) as JsonValue }),
    },
    {
      tool: changing('keys.rotate', 'admin:keys', {
        description:
          'Has a new key follow one: the key that signs the audit log (the old one vouches for it), those that sign statements for services or tokens of users, or the master key, which wraps all others. Nothing that was signed or kept before is lost.',
        inputSchema: schemas.strictObject(
          { key: { enum: [...rotatingKeys] } },
          {
            now: {
              type: 'boolean',
              description: 'For statements: sign at once with a key that services have not been told of before.',
            },
          },
        ),
        outputSchema: { type: 'object' },
        examples: [{ key: 'audit-signing' }],
      }),
      handler: (args) => keys.rotate(args.key as RotatingKey, { now: args.now === true }),
    },
  ];
}
