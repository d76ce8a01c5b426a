import { z } from 'zod';
import { secretShape, toSecretPlace } from '../credentials/config.ts';
import type { SecretPlace } from '../credentials/settings.ts';
import { readPostgresUrl } from '../store/postgres-url.ts';
import { count } from '../text/shapes.ts';
import * as field from './fields.ts';

const form = 'postgres://user@host:5432/database';

/** Written in the file only when nothing in it is secret. */
const plainUrl = z.string().superRefine((text, context) => {
  const message = faultIn(text);
  if (message !== undefined) context.addIssue({ code: 'custom', message });
});

function faultIn(text: string): string | undefined {
  try {
    if (readPostgresUrl(text).password === undefined) return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return 'a password does not stand in this file: name it under password, or the whole URL as { file: … } or { env: NAME }';
}

/** The section `store`. */
export const storeSection = z
  .strictObject({
    kind: z
      .enum(['sqlite', 'postgres'], { error: 'expected sqlite or postgres' })
      .prefault('sqlite')
      .describe(
        'SQLite: files in `data`. PostgreSQL, 13 or newer: many gateways share it. The other keys go with that.',
      ),
    url: z
      .union([plainUrl, secretShape(field)], { error: `expected a URL like ${form}, or { file: … } or { env: NAME }` })
      .optional()
      .describe(
        `\`${form}\`, with the parameters \`sslmode\`, \`sslrootcert\`, \`sslcert\`, \`sslkey\`, \`host\`, \`user\` and \`options\` as in libpq; or where such a URL stands, if it holds the password. For other machines TLS with the whole certificate checked is the default.`,
      ),
    password: secretShape(field)
      .optional()
      .describe('Where the password stands. Read at each new connection, so it can be changed without a restart.'),
    connections: count(1, 1_000)
      .optional()
      .describe('Most connections at a time, beside those that listen and write the audit log. Default: 10.'),
  })
  .superRefine((store, context) => {
    const issue = (key: string, message: string) => context.addIssue({ code: 'custom', path: [key], message });
    if (store.kind === 'postgres' && store.url === undefined) issue('url', `missing; expected a URL like ${form}`);
    if (store.kind === 'postgres') return;
    for (const key of ['url', 'password', 'connections'] as const) {
      if (store[key] !== undefined) issue(key, 'goes with kind: postgres');
    }
  })
  .prefault({})
  .describe('Where tokens, intents, approvals, users and everything else that is remembered is kept.');

/** Where the state is kept. */
export type StoreConfig =
  | { readonly kind: 'sqlite' }
  | {
      readonly kind: 'postgres';
      /** Text that holds no secret, or where such a text with the password in it stands. */
      readonly url: string | SecretPlace;
      readonly password?: SecretPlace;
      readonly connections: number;
    };

const usualConnections = 10;

/** Paths of secrets are relative to the folder of the file. The section has passed its schema. */
export function toStore(section: z.output<typeof storeSection>, folder: string): StoreConfig {
  const { url, password, connections = usualConnections } = section;
  if (section.kind === 'sqlite' || url === undefined) return { kind: 'sqlite' };
  return {
    ...{ kind: section.kind, connections },
    url: typeof url === 'string' ? url : toSecretPlace(url, folder),
    ...(password && { password: toSecretPlace(password, folder) }),
  };
}
