import { z } from 'zod';
import * as field from './fields.ts';

const listOf = <Item extends z.ZodType>(item: Item, error: string) => z.array(item, { error });
const flag = () => z.boolean({ error: 'expected true or false' });
const names = (what: string) => `expected a list of ${what}`;

const tls = z
  .strictObject({
    cert: field.path.describe('Certificate chain, PEM.'),
    key: field.path.describe('Private key, PEM, not encrypted.'),
    clientCa: field.path
      .optional()
      .describe('Authorities for client certificates, PEM. When set, every client must present a certificate.'),
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

const announce = z
  .strictObject({
    socket: field.path
      .optional()
      .describe('Unix socket where services announce themselves. Default: `<data>/hop.sock`.'),
    listen: field.hostPort.optional().describe('TCP address for services elsewhere; always TLS-PSK.'),
    credentials: listOf(
      z.strictObject({ file: field.path.describe('Credential file (0600): `{ "id", "service", "key" }` as JSON.') }),
      names('{ file: … }'),
    )
      .prefault([])
      .describe('Credentials under which services may announce themselves.'),
  })
  .describe('How services announce themselves.');

/** One service of the file; which keys go together is checked by `check.ts`. */
export const serviceSchema = z
  .strictObject(
    {
      command: listOf(
        z.string({ error: 'expected text' }).min(1, { error: 'expected text' }),
        names('words: program, then arguments'),
      )
        .min(1, { error: 'expected at least the program' })
        .optional()
        .describe('Program and arguments that `sallyport run` starts. Never given to a shell.'),
      cwd: field.path.optional().describe('Working directory of `command`. Default: the folder of this file.'),
      env: z
        .record(z.string().regex(/^[A-Za-z_]\w*$/, { error: 'expected a variable name' }), field.environmentValue, {
          error: 'expected variables like { NAME: value }',
        })
        .optional()
        .describe('Environment of `command`, beside the little it gets anyway. Not the place for secrets.'),
      watch: listOf(field.path, names('paths'))
        .optional()
        .describe(
          '`sallyport run` restarts the service when something under these changes; relative to `cwd`. Default: `[.]`.',
        ),
      dependsOn: listOf(field.serviceName, names('service names'))
        .prefault([])
        .describe('Services that must be ready before this one starts.'),
      instances: z
        .int({ error: 'expected a whole number from 1 to 64' })
        .min(1, { error: 'expected a whole number from 1 to 64' })
        .max(64, { error: 'expected a whole number from 1 to 64' })
        .optional()
        .describe('How many processes of `command`. Default: 1.'),
      scopes: listOf(field.scope, names('scopes'))
        .prefault([])
        .describe('What the service itself may call through the gateway.'),
      address: field.address
        .optional()
        .describe(
          'Where a service that runs already listens: `unix:/path` or `tls:host:port` (kit services), or the URL of any MCP server.',
        ),
      credential: field.path.optional().describe('Credential file for a `unix:` or `tls:` address.'),
    },
    { error: 'expected a service: { command: [...] } or { address: ... }' },
  )
  .describe('A service: either `command` or `address`.');

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
      timeout: field.duration.optional().describe('Longest time a call may take.'),
    },
    { error: 'expected an override like { scopes: [posts:admin] }' },
  )
  .describe('What replaces the declaration of every tool that the pattern matches. Later patterns win, key by key.');

const presets = z
  .strictObject({
    read: field.rate.prefault({ rate: 50, burst: 100 }).describe('Tools without side effects.'),
    write: field.rate.prefault({ rate: 10, burst: 20 }).describe('All others.'),
    expensive: field.rate.prefault({ rate: 2, burst: 5 }).describe('Tools declared expensive.'),
    internal: field.rate.prefault({ rate: 100, burst: 200 }).describe('Internal tools.'),
  })
  .describe('Limits of one principal on one tool, by kind of tool.');

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
    maxConnections: z
      .int({ error: 'expected a whole number from 1 to 1000000' })
      .min(1, { error: 'expected a whole number from 1 to 1000000' })
      .max(1_000_000, { error: 'expected a whole number from 1 to 1000000' })
      .prefault(1000)
      .describe('Connections at one time.'),
    headersTimeout: field.duration.prefault('10s').describe('Longest time to receive the headers of a request.'),
    requestTimeout: field.duration.prefault('30s').describe('Longest time to receive a whole request.'),
    presets: presets.prefault({}),
  })
  .describe('How much, how fast, how big.');

/** The whole file as people write it. Strict: a key that nobody reads is an error, not a silent default. */
export const configSchema = z
  .strictObject(
    {
      version: z.literal(1, { error: 'expected 1, the version of this format' }).describe('Version of this format.'),
      data: field.path
        .prefault('.sallyport')
        .describe('Folder of databases and sockets (0700). Relative to this file.'),
      masterKeyFile: field.path
        .optional()
        .describe('Master key (0600), made at the first start. Default: `<data>-keys/master.key`.'),
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
        .record(field.toolPattern, toolOverride, { error: 'expected overrides by tool name or pattern' })
        .prefault({})
        .describe('Overrides by tool name or pattern (`posts.*`, `*.Delete`).'),
      limits: limits.prefault({}),
      auth: z
        .strictObject({
          maxTokenLife: field.duration.prefault('90d').describe('Longest life of a token that is made.'),
        })
        .prefault({})
        .describe('Tokens.'),
      audit: z
        .strictObject({
          refusalsPerPeer: z
            .int({ error: 'expected a whole number from 1 to 10000' })
            .min(1, { error: 'expected a whole number from 1 to 10000' })
            .max(10_000, { error: 'expected a whole number from 1 to 10000' })
            .prefault(20)
            .describe(
              'Refusals before authentication that are recorded one by one, per address and window; the rest is counted.',
            ),
          refusalWindow: field.duration.prefault('60s').describe('Length of that window.'),
        })
        .prefault({})
        .describe('The audit log.'),
    },
    { error: 'expected a configuration: keys and values, starting with version: 1' },
  )
  .meta({ title: 'Sallyport configuration', description: 'sallyport.yaml' });

/** The file as read, before paths are made absolute and derived defaults are filled in. */
export type ConfigFile = z.output<typeof configSchema>;
