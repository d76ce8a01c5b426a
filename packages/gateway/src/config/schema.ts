import { z } from 'zod';
import { authShape } from '../authentication/config.ts';
import { riskShape, secondFactorShape } from '../authorization/config.ts';
import { authServerShape } from '../authserver/config.ts';
import { secretShape } from '../credentials/config.ts';
import { policyShape } from '../policy/config.ts';
import { count, flag, listOf, names } from '../text/shapes.ts';
import { approvalsSection } from './approvals-section.ts';
import * as field from './fields.ts';
import { mayReturn, outputSection } from './output-schema.ts';
import { serviceSchema } from './service-schema.ts';
import { storeSection } from './store-section.ts';

const tls = z
  .strictObject({
    cert: field.path.describe('Certificate chain, PEM.'),
    key: field.path.describe('Private key, PEM, not encrypted.'),
    clientCa: field.path
      .optional()
      .describe('Authorities for client certificates, PEM. When set, clients are asked for a certificate.'),
    clientAuth: z
      .enum(['required', 'optional'], { error: 'expected required or optional' })
      .prefault('required')
      .describe(
        'Whether clients without a certificate of `clientCa` are turned away, or have to show who they are otherwise.',
      ),
    minVersion: z
      .enum(['TLSv1.2', 'TLSv1.3'], { error: 'expected TLSv1.2 or TLSv1.3' })
      .prefault('TLSv1.2')
      .describe('Oldest TLS version that is spoken.'),
  })
  .describe('Certificate and key of the listener. Read again when the files change.');

const listen = z
  .strictObject({
    host: field.bindHost
      .prefault('127.0.0.1')
      .describe('Address to listen on. Anything but this machine needs `listen.tls` or `trustedProxies`.'),
    port: field.port.prefault(3000).describe('Port of MCP, REST and health.'),
    tls: tls.optional(),
  })
  .describe('Where agents connect.');

const admin = z
  .strictObject({
    host: field.bindHost.prefault('127.0.0.1').describe('Address of administration; this machine only.'),
    port: field.port.prefault(3001).describe('Port of administration.'),
  })
  .describe('Where administration over HTTP connects. The Unix socket `<data>/admin.sock` is always there.');

const announceMtls = z
  .strictObject({
    listen: field.hostPort.describe('TCP address; always TLS 1.3 with certificates on both sides.'),
    cert: field.path.describe('Certificate chain of the gateway, PEM.'),
    key: field.path.describe('Its private key, PEM, not encrypted.'),
    clientCa: field.path.describe('Authorities for the certificates of services, PEM.'),
    services: z
      .record(field.serviceName, listOf(field.certificateName, names('SPIFFE ids or subjects')).min(1), {
        error: 'expected names like { posts: [spiffe://acme.example/posts] }',
      })
      .describe(
        'Which certificates may announce which service: SPIFFE ids, or whole subjects like `CN=posts,O=Acme`. No other name can be claimed.',
      ),
  })
  .describe(
    'Where services announce themselves with a certificate instead of a key. Files are read again when they change.',
  );

const announce = z
  .strictObject({
    socket: field.path
      .optional()
      .describe('Unix socket where services announce themselves. Default: `<data>/hop.sock`.'),
    listen: field.hostPort.optional().describe('TCP address for services elsewhere; always TLS-PSK.'),
    mtls: announceMtls.optional(),
    credentials: listOf(
      z.strictObject({ file: field.path.describe('Credential file (0600): `{ "id", "service", "key" }` as JSON.') }),
      names('{ file: … }'),
    )
      .prefault([])
      .describe('Credentials under which services may announce themselves.'),
  })
  .describe('How services announce themselves.');

/** The names of the built-in limits. */
export const presetNames = ['read', 'write', 'expensive', 'internal'] as const;

const toolLimit = z
  .strictObject(
    {
      preset: z
        .enum(presetNames, { error: `expected one of ${presetNames.join(', ')}` })
        .optional()
        .describe('Use the limits of this preset.'),
      rate: field.rateFields.rate.optional().describe('Calls per second of one principal, on average.'),
      burst: field.rateFields.burst.describe(
        'Calls of one principal at once. Default: one second of `rate`, at least 1.',
      ),
      perTool: field.rate.optional().describe('Limit of all principals together. Default: ten times that of one.'),
    },
    { error: 'expected a limit: { preset: write } or { rate: 5, burst: 10 }' },
  )
  .describe('How often one principal may call it: a preset, or `rate` and `burst`.');

const toolOverride = z
  .strictObject(
    {
      scopes: listOf(field.scope, names('scopes'))
        .optional()
        .describe(
          'Replaces the scopes that the service declares. Any one of them is enough; none means any authenticated caller.',
        ),
      limit: toolLimit.optional(),
      internal: flag()
        .optional()
        .describe('Reachable only by services and the owner; others are told it does not exist.'),
      auditRequired: flag().optional().describe('The intent to call must be durable before the call leaves.'),
      task: flag()
        .optional()
        .describe('For clients that know MCP tasks, its calls go on in the background and are asked for later.'),
      timeout: field.duration.optional().describe('Longest time a call may take.'),
      mayReturn: mayReturn
        .optional()
        .describe(
          'Rules, or groups of rules, of the output filter that do not apply to its answers: they are what it is for. "*": none does.',
        ),
    },
    { error: 'expected an override like { scopes: [posts:admin] }' },
  )
  .describe('What replaces the declaration of every tool that the pattern matches. Later patterns win, key by key.');

const classification = z.enum(['public', 'internal', 'confidential', 'restricted'], {
  error: 'expected public, internal, confidential or restricted',
});

const webhook = z.strictObject({
  url: z
    .url({ protocol: /^https?$/, error: 'expected the address of a witness' })
    .describe('Where to. `http` only on this machine.'),
  token: secretShape(field).optional().describe('Shown to it as a bearer token.'),
  networks: listOf(field.cidr, names('address ranges')).prefault([]).describe('Where it may be, beside the internet.'),
});

const keepingTimes = () => ({
  sealed: field.duration.optional().describe('Arguments and access requests: then their keys are destroyed.'),
  records: field.duration
    .optional()
    .describe('Records: then only their hashes stay. Whole days, by the time of calls.'),
});

const durability = () => z.enum(['async', 'process', 'disk'], { error: 'expected async, process or disk' });

const presets = z
  .strictObject({
    read: field.rate.prefault({ rate: 50, burst: 100 }).describe('Tools without side effects.'),
    write: field.rate.prefault({ rate: 10, burst: 20 }).describe('All others.'),
    expensive: field.rate.prefault({ rate: 2, burst: 5 }).describe('Tools declared expensive.'),
    internal: field.rate.prefault({ rate: 100, burst: 200 }).describe('Internal tools.'),
  })
  .describe('Limits of one principal on one tool, by kind of tool.');

const sessions = z
  .strictObject({
    max: count(1, 1_000_000).prefault(10_000).describe('Sessions at one time.'),
    perPrincipal: count(1, 1_000_000).prefault(1_000).describe('Sessions of one principal at one time.'),
    idle: field.duration.prefault('30m').describe('A session that was not used for so long ends.'),
  })
  .describe('Sessions of clients that speak MCP 2025-11-25 or older.');

const parked = z
  .strictObject({
    max: count(1, 100_000).prefault(1_000).describe('Calls that wait at one time.'),
    perPrincipal: count(1, 100_000).prefault(50).describe('Calls of one principal that wait at one time.'),
    time: field.duration.prefault('10m').describe('Longest time to wait for an answer.'),
  })
  .describe('Calls that wait for the answer to a question of their service.');

const limits = z
  .strictObject({
    denied: field.rate
      .prefault({ rate: 5, burst: 20 })
      .describe('Refused attempts of one principal: unknown tools, missing scopes.'),
    peer: field.rate
      .prefault({ rate: 200, burst: 400 })
      .describe(
        'Requests of one address (IPv6: one /64) before anybody is known. This machine gets 100 times as much.',
      ),
    maxRequestBytes: field.size.prefault(4_194_304).describe('Longest request body.'),
    maxConnections: count(1, 1_000_000).prefault(1000).describe('Connections at one time.'),
    headersTimeout: field.duration.prefault('10s').describe('Longest time to receive the headers of a request.'),
    requestTimeout: field.duration.prefault('30s').describe('Longest time to receive a whole request.'),
    presets: presets.prefault({}),
    sessions: sessions.prefault({}),
    parked: parked.prefault({}),
  })
  .describe('How much, how fast, how big.');

const view = z
  .strictObject(
    {
      tools: patterns('tools', 'posts.*'),
      prompts: patterns('prompts', 'posts.prompts/*'),
      resources: patterns('resources and templates', 'posts.resources/*'),
      names: z
        .enum(['dotted', 'safe'], { error: 'expected dotted or safe' })
        .prefault('dotted')
        .describe('`safe` shows names that every model takes, `posts_Get` instead of `posts.Get`.'),
    },
    { error: "expected a view like { tools: ['posts.*'] }" },
  )
  .describe(
    'What is to be seen at `/mcp/views/<name>`. It grants nothing: who may not call a tool does not see it here.',
  );

function patterns(what: string, example: string) {
  return listOf(field.namePattern, names(`names or patterns of ${what}, like ${example}`))
    .prefault([])
    .describe(`Names or patterns of ${what}, like \`${example}\`.`);
}

const longestIntentMs = 15 * 60_000;

const resource = z
  .strictObject({
    scopes: listOf(field.scope, names('scopes'))
      .prefault([])
      .describe('Scopes to ask for at first. What a call needs beyond these, its refusal says.'),
    name: z.string({ error: 'expected text' }).min(1).optional().describe('What the gateway is called, for people.'),
    documentation: z
      .url({ protocol: /^https?$/, error: 'expected the URL of a page' })
      .optional()
      .describe('A page for people.'),
  })
  .describe('What OAuth clients are told of the gateway (RFC 9728), where issuers are configured.');

const intents = z
  .strictObject({
    maxLife: field.duration
      .prefault('15m')
      .refine((ms) => ms <= longestIntentMs, { error: 'expected at most 15m' })
      .describe('Longest life of an intent, at most 15 minutes.'),
    maxCalls: count(1, 1_000_000).prefault(1_000).describe('Most calls that an intent may be given.'),
    countRefused: flag()
      .prefault(false)
      .describe('Whether refused calls count too: who tries what it was not let in for uses its intent up.'),
  })
  .describe('Tokens that are good for one thing a user asked for, made of other tokens at `/oauth/token`.');

/** The whole file as people write it. Strict: a key that nobody reads is an error, not a silent default. */
export const configSchema = z
  .strictObject(
    {
      version: z.literal(1, { error: 'expected 1, the version of this format' }).describe('Version of this format.'),
      data: field.path
        .prefault('.sallyport')
        .describe('Folder of databases and sockets (0700). Relative to this file.'),
      store: storeSection,
      masterKeyFile: field.path
        .optional()
        .describe('Master key (0600), made at the first start. Default: `<data>-keys/master.key`.'),
      masterKey: secretShape(field)
        .optional()
        .describe('Where the master key is instead: 32 bytes, as they are or in hexadecimal or base64.'),
      keyRing: field.path
        .optional()
        .describe(
          'All other keys, wrapped under the master key. Default: keyring.json beside `masterKeyFile`, or where that would be.',
        ),
      listen: listen.prefault({}),
      admin: admin.prefault({}),
      publicUrl: field.publicUrl.optional().describe('The address under which agents know this gateway.'),
      trustedProxies: listOf(field.cidr, names('address ranges'))
        .prefault([])
        .describe('Proxies whose `X-Forwarded-For` is believed. From all others forwarded headers are ignored.'),
      allowedHosts: listOf(field.host, names('hosts'))
        .prefault([])
        .describe('More values of the `Host` header, beside the bound address, this machine and `publicUrl`.'),
      allowedOrigins: listOf(field.origin, names('origins'))
        .prefault([])
        .describe('Web pages that may call from a browser.'),
      announce: announce.prefault({}),
      services: z
        .record(field.serviceName, serviceSchema, { error: 'expected services by name' })
        .prefault({})
        .describe('The services, by name.'),
      tools: z
        .record(field.namePattern, toolOverride, { error: 'expected overrides by tool name or pattern' })
        .prefault({})
        .describe(
          'Overrides by name or pattern (`posts.*`, `*.Delete`), of tools, and of prompts (`posts.prompts/Digest`) and resources (`posts.resources/*`) alike.',
        ),
      views: z
        .record(field.viewName, view, { error: 'expected views by name' })
        .prefault({})
        .describe('Parts of all there is, by name, each with an address of its own.'),
      policy: policyShape({ ...field, secret: secretShape(field) }).prefault({}),
      catalog: z
        .strictObject({
          serverCards: flag()
            .prefault(false)
            .describe('Publish MCP server cards, which are experimental. They name only what anybody may see.'),
        })
        .prefault({})
        .describe('How what there is can be looked up.'),
      limits: limits.prefault({}),
      auth: z
        .strictObject({
          maxTokenLife: field.duration.prefault('90d').describe('Longest life of a token that is made.'),
          ...authShape({ ...field, name: field.viewName }),
          resource: resource.prefault({}),
          server: authServerShape({ ...field, name: field.viewName }).optional(),
          intents: intents.prefault({}),
        })
        .prefault({})
        .describe('How callers prove who they are.'),
      approvals: approvalsSection,
      risk: riskShape(field),
      secondFactor: secondFactorShape,
      output: outputSection,
      telemetry: z
        .strictObject({
          baggage: listOf(
            z
              .string()
              .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$/, { error: 'expected the key of a W3C baggage member' }),
            names('keys'),
          )
            .prefault([])
            .describe("Keys of callers' W3C baggage that go on to services. All else stays behind."),
        })
        .prefault({})
        .describe('What traces take along. Where they are sent is said by the `OTEL_*` variables.'),
      audit: z
        .strictObject({
          refusalsPerPeer: count(1, 10_000)
            .prefault(20)
            .describe(
              'Refusals before authentication that are recorded one by one, per address and window; the rest is counted.',
            ),
          refusalWindow: field.duration.prefault('60s').describe('Length of that window.'),
          durability: z
            .strictObject({
              reads: durability().prefault('process').describe('Calls without side effects, lists, refusals.'),
              writes: durability()
                .prefault('disk')
                .describe('Calls with side effects. What is `auditRequired` is always on the disk.'),
            })
            .prefault({})
            .describe(
              'What a record outlives before its answer goes out: `process` the death of the gateway, `disk` the loss of power, `async` nothing (up to 1,000 records can be lost).',
            ),
          sealOutput: listOf(classification, names('classifications'))
            .prefault([])
            .describe(
              'Answers of tools of these classifications are kept too, sealed like their arguments: public, internal, confidential, restricted.',
            ),
          retention: z
            .strictObject({
              ...keepingTimes(),
              classes: z
                .strictObject({
                  public: z.strictObject(keepingTimes()).optional().describe('Of public targets.'),
                  internal: z.strictObject(keepingTimes()).optional().describe('Of internal ones.'),
                  confidential: z.strictObject(keepingTimes()).optional().describe('Of confidential ones.'),
                  restricted: z.strictObject(keepingTimes()).optional().describe('Of restricted ones.'),
                })
                .prefault({})
                .describe(
                  'In place of these, for targets of a classification. A record that is kept keeps all after it.',
                ),
            })
            .prefault({})
            .describe('How long what is kept at least; without these, for ever.'),
          store: z
            .enum(['sqlite', 'postgres'], { error: 'expected sqlite or postgres' })
            .optional()
            .describe(
              'Where the log is: in a file in `data`, or in the PostgreSQL database of `store`. Default: where `store` is.',
            ),
          name: z
            .string()
            .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, {
              error: 'expected letters, digits, ".", "_" and "-", beginning with a letter or digit',
            })
            .optional()
            .describe(
              "In PostgreSQL: what this gateway's log is called, each its own. Default: a random name, kept in `data`.",
            ),
          witness: field.path
            .optional()
            .describe(
              'Signed checkpoints are kept here as well. Default: audit-checkpoints.log beside the master key.',
            ),
          webhooks: listOf(webhook, names('{ url: … }'))
            .prefault([])
            .describe(
              'Signed checkpoints are sent here as well: each a POST of the note, at most one every ten seconds.',
            ),
        })
        .prefault({})
        .describe('The audit log.'),
    },
    { error: 'expected a configuration: keys and values, starting with version: 1' },
  )
  .meta({ title: 'Sallyport configuration', description: 'sallyport.yaml' });

/** The file as read, before paths are made absolute and derived defaults are filled in. */
export type ConfigFile = z.output<typeof configSchema>;
