import { resolve } from 'node:path';
import { z } from 'zod';
import type { AuthServerSettings, ConfiguredClient, SecretSource, UpstreamProvider } from './settings.ts';

/** The types of a configuration that are read the same everywhere; whoever reads the whole file has them. */
export interface ConfigFields {
  /** `30s` → 30 000. */
  readonly duration: z.ZodType<number, string>;
  readonly scope: z.ZodType<string, string>;
  readonly path: z.ZodType<string, string>;
  /** An https URL, or http on this machine. */
  readonly publicUrl: z.ZodType<string, string>;
  /** Names of clients and, here, of the upstream provider. */
  readonly name: z.ZodType<string, string>;
}

const text = (what: string) => z.string({ error: `expected ${what}` }).min(1, { error: `expected ${what}` });
const list = <Item extends z.ZodType>(item: Item, what: string) =>
  z.array(item, { error: `expected a list of ${what}` });
const flag = () => z.boolean({ error: 'expected true or false' });

/** What a life may be at most: nobody notices a token that is good for a year. */
const atMost = (duration: ConfigFields['duration'], ms: number, said: string) =>
  duration.refine((value) => value <= ms, { error: `expected at most ${said}` });

const day = 86_400_000;

const secret = (field: ConfigFields) =>
  z.union(
    [
      z.strictObject({ file: field.path.describe('A file that only its owner can read (0600).') }),
      z.strictObject({ env: text('the name of a variable').describe('A variable of the environment.') }),
    ],
    { error: 'expected { file: … } or { env: NAME }; secrets do not stand in this file' },
  );

const client = (field: ConfigFields) =>
  z
    .strictObject(
      {
        name: text('a name')
          .max(80, { error: 'expected at most 80 characters' })
          .optional()
          .describe('For people. Default: its id.'),
        keys: field.path.optional().describe('Its public keys, a JWK set; it signs who it is (`private_key_jwt`).'),
        secret: secret(field).optional().describe('Its secret, in place of keys: `{ file: … }` or `{ env: NAME }`.'),
        redirectUris: list(text('a URL'), 'URLs')
          .prefault([])
          .describe('Where it sends people back to; exactly these.'),
        scopes: list(field.scope, 'scopes')
          .prefault([])
          .describe('What it may do for itself (client credentials); needs `keys` or `secret`.'),
      },
      { error: 'expected a client like { keys: ci.jwks.json, scopes: [posts:read] }' },
    )
    .refine(
      ({ keys, secret: own, redirectUris }) => keys !== undefined || own !== undefined || redirectUris.length > 0,
      {
        error:
          'expected keys or secret, for a program that acts for itself, or redirectUris, for one that people allow something',
      },
    )
    .refine(({ keys, secret: own }) => keys === undefined || own === undefined, {
      error: 'expected keys or secret, not both',
    })
    .refine(({ keys, secret: own, scopes }) => keys !== undefined || own !== undefined || scopes.length === 0, {
      error: 'expected keys or secret: without them nobody could tell who uses these scopes',
    });

const upstream = (field: ConfigFields) =>
  z
    .strictObject({
      name: field.name.describe('Shown to people; in front of its subjects, with a colon.'),
      issuer: field.publicUrl.describe('Exactly as in its metadata.'),
      clientId: text('a client id').describe('What this gateway is called there.'),
      clientSecret: secret(field).optional().describe('Its secret there: `{ file: … }` or `{ env: NAME }`.'),
      scopes: list(z.union([field.scope, z.literal('*')]), 'scopes')
        .prefault([])
        .describe('What its users may allow clients: names, `posts:*`, or `*`.'),
      assertions: flag()
        .prefault(false)
        .describe('Take its identity assertions (ID-JAG) of configured clients: their people need no page here.'),
      requestScopes: list(field.scope, 'scopes').prefault([]).describe('Scopes to ask it for beside `openid`.'),
      require: z
        .strictObject({
          claim: text('the name of a claim').describe('The claim.'),
          anyOf: list(text('a value'), 'values').min(1).describe('Its values; one is enough.'),
        })
        .optional()
        .describe('Let in only those whose ID token has one of these values in this claim.'),
    })
    .describe('Sign in with another OpenID provider (redirect URI: `/oauth/upstream/callback`).');

/** The keys under `auth.server:`. */
export function authServerShape(field: ConfigFields) {
  return z
    .strictObject(
      {
        accessTokenLife: atMost(field.duration, 3_600_000, '1h').prefault('5m').describe('Life of an access token.'),
        refreshTokenLife: atMost(field.duration, 365 * day, '365d')
          .prefault('30d')
          .describe('How long a client can go on without asking its person again.'),
        sessionLife: atMost(field.duration, 30 * day, '30d')
          .prefault('12h')
          .describe('How long a browser stays signed in.'),
        keyLife: field.duration.prefault('90d').describe('A new signing key is made after this long.'),
        registration: flag().prefault(true).describe('Clients may register themselves (RFC 7591).'),
        metadataDocuments: flag()
          .prefault(true)
          .describe('Clients may be known by a document at their own address (client id metadata documents).'),
        passwords: flag()
          .prefault(true)
          .describe('Users of this gateway (`sallyport user add`) sign in with their password.'),
        clients: z
          .record(field.name, client(field), { error: 'expected clients by id' })
          .prefault({})
          .describe('Clients that are known beforehand, by id.'),
        upstream: upstream(field).optional(),
      },
      { error: 'expected settings, or {} for the usual ones' },
    )
    .refine(({ passwords, upstream: other }) => passwords || other !== undefined, {
      error: 'expected passwords or upstream: nobody could sign in',
    })
    .describe('The built-in authorization server. Absent: it does not run.');
}

/** `auth.server:` as it is read. */
export type AuthServerFile = z.output<ReturnType<typeof authServerShape>>;

/** Makes the settings from what was read. Relative paths start at `folder`. */
export function toAuthServerSettings(file: AuthServerFile, folder: string): AuthServerSettings {
  const { accessTokenLife, refreshTokenLife, sessionLife, keyLife, clients, upstream: other, ...rest } = file;
  return {
    ...rest,
    accessTokenLifeMs: accessTokenLife,
    refreshTokenLifeMs: refreshTokenLife,
    sessionLifeMs: sessionLife,
    keyLifeMs: keyLife,
    clients: Object.entries(clients).map(([id, one]) => toClient(id, one, folder)),
    ...(other && { upstream: toUpstream(other, folder) }),
  };
}

function toClient(id: string, file: AuthServerFile['clients'][string], folder: string): ConfiguredClient {
  const { name = id, keys, secret: own, redirectUris, scopes } = file;
  return {
    ...{ id, name, redirectUris, scopes },
    ...(keys !== undefined && { keys: resolve(folder, keys) }),
    ...(own && { secret: sourceFrom(own, folder) }),
  };
}

function toUpstream(file: NonNullable<AuthServerFile['upstream']>, folder: string): UpstreamProvider {
  const { clientSecret, require: needed, ...rest } = file;
  return {
    ...rest,
    ...(clientSecret && { clientSecret: sourceFrom(clientSecret, folder) }),
    ...(needed && { require: needed }),
  };
}

function sourceFrom(source: SecretSource, folder: string): SecretSource {
  return 'file' in source ? { file: resolve(folder, source.file) } : source;
}
