import { z } from 'zod';
import { isIssuerUrl } from './issuer-documents.ts';
import { reservedNames } from './jwt-principal.ts';
import { type AuthSettings, defaultDpop } from './settings.ts';

/** The types of a configuration that are read the same everywhere; whoever reads the whole file has them. */
export interface ConfigFields {
  /** `30s` → 30 000. */
  readonly duration: z.ZodType<number, string>;
  readonly cidr: z.ZodType<string, string>;
  readonly scope: z.ZodType<string, string>;
  /** Names of views and, here, of issuers. */
  readonly name: z.ZodType<string, string>;
}

const asymmetric = [
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519', 'PS256', 'PS384', 'PS512', 'RS256', 'RS384', 'RS512'],
  ...['ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87'],
] as const;
const longestSkewMs = 300_000;
const kinds = ['person', 'agent', 'service'] as const;

const text = (what: string) => z.string({ error: `expected ${what}` }).min(1, { error: `expected ${what}` });
const list = <Item extends z.ZodType>(item: Item, what: string) =>
  z.array(item, { error: `expected a list of ${what}` });
const flag = () => z.boolean({ error: 'expected true or false' });

const algorithms = list(
  z.enum(asymmetric, { error: `expected one of ${asymmetric.join(', ')}` }),
  'signature algorithms',
).min(1, { error: 'expected at least one signature algorithm' });

const url = text('an https URL (http only for this machine)').refine(isIssuerUrl, {
  error: 'expected an https URL (http only for this machine), without a password',
});

const kind = z.enum(kinds, { error: `expected one of ${kinds.join(', ')}` });

/** A claim: its name, or the names on the way to it. */
const claim = z.union([text('the name of a claim'), z.array(text('the name of a claim')).min(1)], {
  error: 'expected the name of a claim, or the path to it as a list',
});

const claims = z
  .strictObject({
    subject: claim.prefault('sub').describe('On whose behalf the call is.'),
    client: list(claim, 'claims').prefault(['client_id', 'azp']).describe('The program; the first that is there.'),
    session: claim.prefault('sid').describe('The session of the subject.'),
    tenant: claim.optional().describe('The tenant. Default: tokens say nothing of tenants.'),
    app: claim.optional().describe('The application that the program is a part of. Default: tokens say nothing of it.'),
    scopes: list(claim, 'claims')
      .prefault(['scope', 'scp'])
      .describe('Text with spaces or a list; the first that is there.'),
    attributes: z
      .record(text('the name of an attribute'), claim, { error: 'expected claims by attribute' })
      .prefault({})
      .describe('Attributes for policies, by name: the claim each is taken from.'),
  })
  .describe('Which claims say what. Who acts for the subject is always `act` (RFC 8693).');

const keys = ({ duration }: ConfigFields) =>
  z
    .strictObject({
      refresh: duration
        .prefault('10m')
        .describe('Looked for anew after this long: a key that was taken away counts for at most twice as long.'),
      keep: duration.prefault('12h').describe('Used for so long while the issuer does not answer.'),
      cooldown: duration.prefault('5s').describe('Unknown key ids make the gateway look at most this often.'),
      timeout: duration.prefault('5s').describe('Longest time to wait for the issuer.'),
    })
    .refine(({ refresh, keep, cooldown }) => cooldown <= refresh && refresh <= keep, {
      error: 'expected cooldown to be at most refresh, and refresh at most keep',
    })
    .describe('How its keys are looked after.');

const issuer = (field: ConfigFields) =>
  z.strictObject(
    {
      issuer: url.describe('Exactly as in the `iss` of its tokens; its metadata is found from here.'),
      jwksUri: url.optional().describe('Where its keys are. Default: where its metadata says.'),
      audiences: list(text('an audience'), 'audiences')
        .prefault([])
        .describe('Audiences that mean this gateway, beside `publicUrl` and the addresses of its endpoints.'),
      algorithms: algorithms
        .prefault(['ES256', 'EdDSA', 'PS256', 'RS256'])
        .describe('Signature algorithms it may use.'),
      types: list(text('a type like at+jwt').toLowerCase(), 'types')
        .prefault(['at+jwt'])
        .describe('Types of its access tokens (`typ`); `jwt` or `absent` for issuers that do not follow RFC 9068.'),
      clockSkew: field.duration
        .prefault('30s')
        .refine((ms) => ms <= longestSkewMs, { error: 'expected at most 5m' })
        .describe('How much clocks may differ.'),
      maxTokenAge: field.duration.prefault('24h').describe('Tokens older than this are no good, whatever they say.'),
      prefix: z
        .string({ error: 'expected text' })
        .optional()
        .describe('Put in front of its subjects, actors and clients. Default: its name here and a colon.'),
      kind: kind
        .optional()
        .describe('What its subjects are. Default: persons; agents where the client is its own subject.'),
      tenant: text('a tenant').optional().describe('The tenant of all its subjects.'),
      scopes: list(z.union([field.scope, z.literal('*')]), 'scopes')
        .optional()
        .describe(
          'Scopes it may give: names, `posts:*`, or `*` for all but `admin`. Default: all without `*`, but `admin`.',
        ),
      requireBinding: flag().prefault(false).describe('Refuse tokens that are bound to no key of their holder.'),
      claims: claims.prefault({}),
      keys: keys(field).prefault({}),
    },
    { error: 'expected an issuer like { issuer: https://login.example.com }' },
  );

const dpop = ({ duration }: ConfigFields) =>
  z
    .strictObject({
      algorithms: algorithms
        .prefault([...defaultDpop.algorithms] as (typeof asymmetric)[number][])
        .describe('Signature algorithms of proofs.'),
      maxAge: duration.prefault('5m').describe('A proof is good for so long after its date.'),
      clockSkew: duration
        .prefault('5m')
        .refine((ms) => ms <= longestSkewMs, { error: 'expected at most 5m' })
        .describe('How far ahead of this clock a proof may be dated.'),
      requireNonce: flag().prefault(false).describe('Each proof has to hold a nonce that the gateway handed out.'),
      maxRemembered: z
        .int({ error: 'expected a whole number' })
        .min(1000)
        .max(100_000_000)
        .prefault(defaultDpop.maxRemembered)
        .describe('Proofs that are remembered, about 100 bytes each. When that is not enough, more are refused.'),
    })
    .describe('Proofs that a token belongs to who shows it (RFC 9449).');

const certificate = ({ scope }: ConfigFields) =>
  z
    .strictObject(
      {
        spiffe: text('a SPIFFE id')
          .startsWith('spiffe://')
          .optional()
          .describe('A SPIFFE id; `*` stands for a part of the path, and at the end for all the rest.'),
        subject: text('a subject').optional().describe('The whole subject, as RFC 2253 writes it: `CN=ci,O=Acme`.'),
        dns: text('a DNS name').optional().describe('A DNS name.'),
        as: text('a subject').optional().describe('What the holder is called. Default: what was matched.'),
        kind: kind.prefault('agent').describe('What the holder is.'),
        tenant: text('a tenant').optional().describe('The tenant of the holder.'),
        scopes: list(scope, 'scopes').prefault([]).describe('What the holder may do.'),
      },
      { error: 'expected a rule like { spiffe: spiffe://acme.example/agents/* }' },
    )
    .refine(({ spiffe, subject, dns }) => [spiffe, subject, dns].filter((one) => one !== undefined).length === 1, {
      error: 'expected exactly one of spiffe, subject and dns',
    });

function prefixesOf(issuers: Readonly<Record<string, { readonly prefix?: string | undefined }>>): readonly string[] {
  return Object.entries(issuers).map(([name, { prefix = `${name}:` }]) => prefix);
}

/** The keys under `auth:` that say how callers may prove who they are. */
export function authShape(field: ConfigFields) {
  return {
    issuers: z
      .record(field.name, issuer(field), { error: 'expected issuers by name' })
      .prefault({})
      .refine((all) => new Set(Object.values(all).map((one) => one.issuer)).size === Object.keys(all).length, {
        error: 'expected each issuer once',
      })
      .refine((all) => new Set(prefixesOf(all)).size === Object.keys(all).length, {
        error: 'expected another prefix for each issuer: else one could speak of the subjects of another',
      })
      .refine((all) => Object.keys(all).every((name) => !reservedNames.has(name)), {
        error: `expected a name that is none of ${[...reservedNames].join(', ')}`,
      })
      .describe('OAuth and OpenID Connect issuers whose access tokens are good here, by name.'),
    issuerNetworks: list(field.cidr, 'address ranges')
      .prefault([])
      .describe('Address ranges of the own network where issuers may be; others are looked for on the internet only.'),
    dpop: dpop(field).prefault({}),
    certificates: list(certificate(field), 'rules')
      .prefault([])
      .describe(
        'Who holders of client certificates are, where they present no token. The first rule that fits counts.',
      ),
    certificateProxies: list(field.cidr, 'address ranges')
      .prefault([])
      .describe('Proxies that end TLS for clients with certificates and tell of them in `X-Forwarded-Client-Cert`.'),
    anonymous: list(
      z.strictObject(
        {
          view: field.name.describe('A view of this configuration.'),
          scopes: list(field.scope, 'scopes').prefault([]).describe('What everybody may do there.'),
        },
        { error: 'expected a view like { view: public }' },
      ),
      'views',
    )
      .prefault([])
      .describe('Views that let in whoever presents nothing.'),
  };
}

/** `auth:` as it is read. */
export type AuthFile = {
  readonly [Key in keyof ReturnType<typeof authShape>]: z.output<ReturnType<typeof authShape>[Key]>;
};

/** Makes the settings of authenticators from what was read. */
export function toAuthSettings({ issuers, dpop: proofs, certificates, anonymous }: AuthFile): AuthSettings {
  return {
    issuers: Object.entries(issuers).map(([name, { clockSkew, maxTokenAge, keys: kept, claims: names, ...rest }]) => ({
      ...defined(rest),
      name,
      prefix: rest.prefix ?? `${name}:`,
      clockSkewMs: clockSkew,
      maxTokenAgeMs: maxTokenAge,
      claims: { ...defined(names) },
      keys: { refreshMs: kept.refresh, keepMs: kept.keep, cooldownMs: kept.cooldown, timeoutMs: kept.timeout },
    })),
    dpop: {
      algorithms: proofs.algorithms,
      maxAgeMs: proofs.maxAge,
      clockSkewMs: proofs.clockSkew,
      requireNonce: proofs.requireNonce,
      maxRemembered: proofs.maxRemembered,
    },
    certificates: certificates.map((rule) => defined(rule)),
    anonymous,
  };
}

type Defined<Values> = { [Key in keyof Values]: Exclude<Values[Key], undefined> };

/** Without the keys that were left out, so that they are absent and not undefined. */
function defined<Values extends object>(values: Values): Defined<Values> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Defined<Values>;
}
