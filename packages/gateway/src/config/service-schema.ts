import { z } from 'zod';
import { credentialShape, secretShape } from '../credentials/config.ts';
import { count, flag, listOf, names } from '../text/shapes.ts';
import * as field from './fields.ts';

const processes = z
  .strictObject({
    max: count(1, 10_000).prefault(32).describe('Processes at one time; further conversations have to wait.'),
    idle: field.duration.prefault('10m').describe('A process that was not called for so long ends.'),
  })
  .describe('Processes of `stdio` under `isolation: caller`.');

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
      cwd: field.path
        .optional()
        .describe('Working directory of `command` or `stdio`. Default: the folder of this file.'),
      env: z
        .record(
          z.string().regex(/^[A-Za-z_]\w*$/, { error: 'expected a variable name' }),
          z.union([field.environmentValue, secretShape(field)], {
            error: 'expected text, a number, true or false, or a secret as { file: … } or { env: NAME }',
          }),
          {
            error: 'expected variables like { NAME: value }',
          },
        )
        .optional()
        .describe(
          'Environment of `command` or `stdio`, beside the little it gets anyway. Secrets of `stdio` are named, not written: `{ NAME: { file: … } }` or `{ env: … }`.',
        ),
      stdio: listOf(
        z.string({ error: 'expected text' }).min(1, { error: 'expected text' }),
        names('words: program, then arguments'),
      )
        .min(1, { error: 'expected at least the program' })
        .optional()
        .describe(
          'Program and arguments of an MCP server that speaks over its standard input and output; the gateway starts it. Never given to a shell.',
        ),
      isolation: z
        .enum(['shared', 'caller'], { error: 'expected shared or caller' })
        .optional()
        .describe(
          '`shared`: one process of `stdio` serves everybody. `caller`: each conversation has a process of its own. Default: `shared`.',
        ),
      processes: processes.optional(),
      startTimeout: field.duration
        .optional()
        .describe('How long `stdio` may take to introduce itself. Default: `60s`.'),
      methods: listOf(field.vendorMethod, names('methods'))
        .optional()
        .describe('Methods beyond those of MCP that agents may call at `/mcp/<name>`. Default: none.'),
      watch: listOf(field.path, names('paths'))
        .optional()
        .describe(
          '`sallyport run` restarts the service when something under these changes; relative to `cwd`. Default: `[.]`.',
        ),
      dependsOn: listOf(field.serviceName, names('service names'))
        .prefault([])
        .describe('Services that must be ready before this one starts.'),
      instances: count(1, 64).optional().describe('How many processes of `command`. Default: 1.'),
      scopes: listOf(field.scope, names('scopes'))
        .prefault([])
        .describe('What the service itself may call through the gateway.'),
      address: field.address
        .optional()
        .describe(
          'Where a service that runs already listens: `unix:/path` or `tls:host:port` (kit services), or the URL of any MCP server.',
        ),
      certificates: z
        .strictObject({
          cert: field.path.describe('Certificate chain of the gateway, PEM.'),
          key: field.path.describe('Its private key, PEM, not encrypted.'),
          ca: field.path.describe('Authority of the certificate of the service, PEM.'),
          id: field.spiffeId.describe('SPIFFE id of the service. No other one is believed.'),
        })
        .optional()
        .describe('For an `mtls:` address: certificates on both sides, instead of a credential.'),
      assertion: flag()
        .optional()
        .describe(
          'For the URL of an MCP server: each request carries a signed statement of who calls, for whom, and what exactly, which the server can check ([hops](hops.md)). Default: `false`.',
        ),
      credential: z
        .union([field.path, credentialShape(field)], {
          error: 'expected a path (unix: and tls:), or a credential like { kind: bearer, token: { file: … } } (URLs)',
        })
        .optional()
        .describe(
          'For a `unix:` or `tls:` address the path of its credential file; for a URL what the gateway shows there.',
        ),
    },
    { error: 'expected a service: { command: [...] }, { stdio: [...] } or { address: ... }' },
  )
  .describe('A service: `command`, `stdio` or `address`.');
