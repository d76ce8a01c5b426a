import { resolve } from 'node:path';
import { z } from 'zod';
import type { ClientSettings, CredentialSettings, OauthSettings, SecretPlace, SubjectSettings } from './settings.ts';

/** The types of a configuration that are read the same everywhere; whoever reads the whole file has them. */
export interface ConfigFields {
  readonly path: z.ZodType<string, string>;
  readonly cidr: z.ZodType<string, string>;
  readonly scope: z.ZodType<string, string>;
}

const text = (what: string) => z.string({ error: `expected ${what}` }).min(1, { error: `expected ${what}` });
const list = <Item extends z.ZodType>(item: Item, what: string) =>
  z.array(item, { error: `expected a list of ${what}` });

const algorithms = ['ES256', 'ES384', 'ES512', 'EdDSA', 'PS256', 'PS384', 'PS512', 'RS256', 'RS384', 'RS512'] as const;
const algorithm = () =>
  z
    .enum(algorithms, { error: `expected one of ${algorithms.join(', ')}` })
    .prefault('ES256')
    .describe('Signature algorithm of `key`.');

/** What these say is not for a configuration to say. */
const protocolHeader =
  /^(accept.*|connection|content-.*|cookie|dpop|expect|host|keep-alive|last-event-id|mcp-.*|te|trace.*|trailer|transfer-encoding|upgrade)$/i;
const variable = /^[A-Za-z_]\w*$/;
const loopbackName = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

const url = (what: string) =>
  text(what).refine(
    (value) => {
      const parsed = URL.parse(value);
      if (parsed === null || parsed.username !== '' || parsed.password !== '' || parsed.hash !== '') return false;
      return parsed.protocol === 'https:' || (parsed.protocol === 'http:' && loopbackName.test(parsed.hostname));
    },
    { error: `expected ${what}, an https URL (http only for this machine) without a password` },
  );

/** A secret is named, never written. */
export const secretShape = ({ path }: Pick<ConfigFields, 'path'>) =>
  z
    .strictObject(
      {
        file: path.optional().describe('A file (0600) that holds nothing else.'),
        env: text('the name of a variable')
          .regex(variable, { error: 'expected the name of a variable' })
          .optional()
          .describe('A variable of the environment.'),
      },
      { error: 'expected { file: … } or { env: NAME }; secrets do not stand in this file' },
    )
    .refine(({ file, env }) => (file === undefined) !== (env === undefined), { error: 'expected either file or env' })
    .meta({ title: 'secret' });

const methods = ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'] as const;

const client = (field: ConfigFields) =>
  z
    .strictObject(
      {
        id: text('the id of a client').describe('Its id at the authorization server.'),
        method: z
          .enum(methods, { error: `expected one of ${methods.join(', ')}` })
          .optional()
          .describe('How it shows itself. Default: by what it has: `secret`, `key`, or neither.'),
        secret: secretShape(field).optional().describe('Its secret.'),
        key: secretShape(field).optional().describe('Its private key, PEM.'),
        algorithm: algorithm(),
        keyId: text('the id of a key').optional().describe('Named in what is signed.'),
      },
      { error: 'expected a client like { id: gateway, secret: { file: … } }' },
    )
    .superRefine((one, context) => {
      const method = methodOf(one);
      const needs = method === 'private_key_jwt' ? 'key' : method === 'none' ? undefined : 'secret';
      for (const name of ['secret', 'key'] as const) {
        const isThere = one[name] !== undefined;
        if (isThere === (name === needs)) continue;
        const message = isThere ? `${name} does not go with ${method}` : `${method} needs it`;
        context.addIssue({
          code: 'custom',
          path: [name],
          message: `expected ${isThere ? `no ${name}` : name}: ${message}`,
        });
      }
    });

const subject = (field: ConfigFields) =>
  z
    .strictObject({
      token: secretShape(field).optional().describe('A token that names the subject, the same for all calls.'),
      type: text('a token type')
        .prefault('urn:ietf:params:oauth:token-type:id_token')
        .describe('What `token` is (RFC 8693 §3).'),
      issuer: url('the issuer')
        .optional()
        .describe('Who the gateway is in the statements that it signs about callers.'),
      key: secretShape(field).optional().describe('The private key it signs them with, PEM.'),
      algorithm: algorithm(),
      keyId: text('the id of a key').optional().describe('Named in what is signed.'),
    })
    .refine(({ token, issuer, key }) => (token === undefined) === (issuer !== undefined && key !== undefined), {
      error: 'expected either token, or issuer and key',
    })
    .describe('Whom the token is asked for: who `token` names, or each caller, in a statement that the gateway signs.');

const kinds = [
  ...(['none', 'bearer', 'header', 'client-credentials', 'token-exchange', 'cross-app', 'workload', 'oauth'] as const),
] as const;
const common = ['issuer', 'resource', 'scopes', 'dpop', 'allow'] as const;

/** What each kind has to have, and what it may have besides. */
const keysOf: Readonly<Record<(typeof kinds)[number], readonly [needed: readonly string[], more: readonly string[]]>> =
  {
    none: [[], []],
    bearer: [['token'], []],
    header: [['name', 'value'], []],
    'client-credentials': [['client'], common],
    'token-exchange': [
      ['client', 'subject'],
      [...common, 'audience'],
    ],
    'cross-app': [['client', 'subject', 'provider'], common],
    workload: [['client', 'assertion'], common],
    oauth: [[], [...common, 'client', 'account', 'clientMetadataUrl']],
  };

/** The keys of kinds that show a secret as it is. */
const staticKeys = (field: ConfigFields) => ({
  token: secretShape(field).optional().describe('Of `bearer`: the token.'),
  name: text('the name of a header')
    .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$/, { error: 'expected the name of a header' })
    .refine((name) => !protocolHeader.test(name), { error: 'expected a header that is not one of HTTP or MCP itself' })
    .optional()
    .describe('Of `header`: its name.'),
  value: secretShape(field).optional().describe('Of `header`: its value.'),
});

/** The keys that say which client the gateway is, and for whom it asks. */
const clientKeys = (field: ConfigFields) => ({
  account: z
    .enum(['user', 'shared'], { error: 'expected user or shared' })
    .optional()
    .describe('Of `oauth`: each user consents (`user`), or the owner once for all. Default: `user`.'),
  client: client(field)
    .optional()
    .describe('The client that the gateway is at the authorization server. `oauth` can do without.'),
  clientMetadataUrl: url('the URL of a document')
    .optional()
    .describe('Of `oauth`: where the metadata document of the client is. Default: at the gateway itself.'),
  subject: subject(field).optional(),
  audience: text('an audience').optional().describe('Of `token-exchange`: whom the token is for.'),
  provider: z
    .strictObject({
      issuer: url('the issuer').describe('Its issuer.'),
      client: client(field).describe('The client that the gateway is there.'),
    })
    .optional()
    .describe("Of `cross-app`: the company's identity provider."),
  assertion: secretShape(field)
    .optional()
    .describe('Of `workload`: the token that the platform gives to this program.'),
});

/** The keys of all kinds that ask an authorization server. */
const oauthKeys = (field: ConfigFields) => ({
  issuer: url('the issuer')
    .optional()
    .describe('The authorization server whose tokens are used. Default: the one that the service names.'),
  resource: url('the resource').optional().describe('What tokens are for. Default: what the service says it is.'),
  scopes: list(field.scope, 'scopes').optional().describe('Default: what the service asks for.'),
  dpop: z
    .enum(['auto', 'always', 'never'], { error: 'expected auto, always or never' })
    .optional()
    .describe('Bind tokens to a key (RFC 9449). Default: `auto`, where the service wants that.'),
  allow: z
    .strictObject({
      loopback: z
        .boolean({ error: 'expected true or false' })
        .prefault(false)
        .describe('This machine, over plain http too: for development.'),
      ranges: list(field.cidr, 'address ranges').prefault([]).describe('Address ranges of the own network.'),
    })
    .optional()
    .describe('Where authorization servers may be, beside the internet.'),
});

/** `credential` of a service with a URL. */
export function credentialShape(field: ConfigFields) {
  return z
    .strictObject(
      {
        kind: z
          .enum(kinds, { error: `expected one of ${kinds.join(', ')}` })
          .describe('What is shown; see credentials.md.'),
        ...staticKeys(field),
        ...clientKeys(field),
        ...oauthKeys(field),
      },
      { error: 'expected a credential like { kind: bearer, token: { file: … } }' },
    )
    .superRefine((one, context) => {
      const [needed, more] = keysOf[one.kind];
      for (const key of needed) {
        if (one[key as keyof typeof one] !== undefined) continue;
        context.addIssue({ code: 'custom', path: [key], message: `expected ${key}: kind ${one.kind} needs it` });
      }
      if (one.issuer === undefined && showsSecret(one)) {
        const message = 'expected issuer: it is not for the service to say who is shown a secret of the gateway';
        context.addIssue({ code: 'custom', path: ['issuer'], message });
      }
      for (const key of Object.keys(one)) {
        if (key === 'kind' || needed.includes(key) || more.includes(key)) continue;
        context.addIssue({ code: 'custom', path: [key], message: `expected nothing: kind ${one.kind} has no ${key}` });
      }
    });
}

/** Whether the authorization server gets something that it could use elsewhere. A signed statement is for itself alone. */
function showsSecret({
  client: own,
  assertion,
  kind,
  subject: whom,
}: {
  readonly kind: (typeof kinds)[number];
  readonly client?: { readonly secret?: unknown } | undefined;
  readonly assertion?: unknown;
  readonly subject?: { readonly token?: unknown } | undefined;
}): boolean {
  const isToken = kind === 'token-exchange' && whom?.token !== undefined;
  return own?.secret !== undefined || assertion !== undefined || isToken;
}

/** `credential` as it is read. */
export type CredentialFile = z.output<ReturnType<typeof credentialShape>>;

type ClientFile = NonNullable<CredentialFile['client']>;
type SecretFile = NonNullable<CredentialFile['token']>;

/** Makes settings of what was read, and passed its checks. Relative paths start at `folder`. */
export function toCredentialSettings(file: CredentialFile, folder: string): CredentialSettings {
  const { kind, token, name = '', value, account = 'user', subject: whom, audience, provider, assertion } = file;
  const place = (one: SecretFile | undefined): SecretPlace => toSecretPlace(one, folder);
  const shared = commonOf(file);
  const own = file.client && toClient(file.client, folder);
  const known: ClientSettings = own ?? { id: '', method: 'none', algorithm: 'ES256' };
  switch (kind) {
    case 'none':
      return { kind };
    case 'bearer':
      return { kind, token: place(token) };
    case 'header':
      return { kind, name, value: place(value) };
    case 'client-credentials':
      return { kind, client: known, ...shared };
    case 'workload':
      return { kind, client: known, assertion: place(assertion), ...shared };
    case 'token-exchange':
      return {
        ...{ kind, client: known, subject: toSubject(whom, folder), ...shared },
        ...(audience !== undefined && { audience }),
      };
    case 'cross-app': {
      const idp = { issuer: provider?.issuer ?? '', client: provider ? toClient(provider.client, folder) : known };
      return { kind, client: known, subject: toSubject(whom, folder), provider: idp, ...shared };
    }
    case 'oauth':
      return {
        ...{ kind, account, ...shared, ...(own && { client: own }) },
        ...(file.clientMetadataUrl !== undefined && { clientMetadataUrl: file.clientMetadataUrl }),
      };
    default:
      return kind satisfies never;
  }
}

function commonOf({ issuer, resource, scopes, dpop = 'auto', allow }: CredentialFile): OauthSettings {
  return {
    ...(issuer !== undefined && { issuer }),
    ...(resource !== undefined && { resource }),
    ...(scopes && { scopes }),
    dpop,
    allow: allow ?? { loopback: false, ranges: [] },
  };
}

function toClient(file: ClientFile, folder: string): ClientSettings {
  const { id, secret: hidden, key, algorithm: signs, keyId } = file;
  return {
    ...{ id, method: methodOf(file), algorithm: signs },
    ...(hidden && { secret: toSecretPlace(hidden, folder) }),
    ...(key && { key: toSecretPlace(key, folder) }),
    ...(keyId !== undefined && { keyId }),
  };
}

function methodOf({ method, secret: hidden, key }: Pick<ClientFile, 'method' | 'secret' | 'key'>) {
  if (method !== undefined) return method;
  return key !== undefined ? 'private_key_jwt' : hidden !== undefined ? 'client_secret_basic' : 'none';
}

function toSubject(file: CredentialFile['subject'], folder: string): SubjectSettings {
  const { token, type = '', issuer = '', key, algorithm: signs = 'ES256', keyId } = file ?? {};
  if (token) return { kind: 'token', token: toSecretPlace(token, folder), type };
  const signed = { kind: 'signed' as const, issuer, key: toSecretPlace(key, folder), algorithm: signs };
  return { ...signed, ...(keyId !== undefined && { keyId }) };
}

/** Where a secret is that was read and passed its checks. */
export function toSecretPlace(file: SecretFile | undefined, folder: string): SecretPlace {
  return file?.file === undefined ? { env: file?.env ?? '' } : { file: resolve(folder, file.file) };
}
