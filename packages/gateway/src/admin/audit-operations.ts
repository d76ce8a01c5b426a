import { GatewayError } from '@sallyport/core';
import type { JsonObject } from '@sallyport/protocol';
import { changing, type Operation } from './operation.ts';
import * as schemas from './schemas.ts';

/** What the operations on the audit log lean on. */
export interface AuditOperationDeps {
  /** Destroys the keys of what was sealed for a tenant (`null`: for none), on one UTC day or on all before one. */
  readonly eraseAudit: (erasure: {
    readonly tenant: string | null;
    readonly day?: string;
    readonly before?: string;
  }) => Promise<number>;
}

const day: JsonObject = {
  type: 'string',
  pattern: '^\\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\\d|3[01])$',
  examples: ['2027-01-02'],
};
const tenant: JsonObject = {
  type: ['string', 'null'],
  maxLength: 1024,
  description: 'The tenant as in records; null for callers that have none.',
};

/** Erase what the log keeps sealed. */
export function auditOperations({ eraseAudit }: AuditOperationDeps): readonly Operation[] {
  return [
    {
      tool: changing('audit.erase', 'admin:audit', {
        description:
          'Destroys the keys of arguments and access requests in the audit log, for good: those of one tenant, on one day (UTC) or on all days before one. The records stay, and the log verifies as before.',
        inputSchema: schemas.strictObject({ tenant }, { day, before: day }),
        outputSchema: schemas.strictObject({ keys: { type: 'integer', minimum: 0 } }),
        sideEffect: 'destructive',
        idempotent: true,
        examples: [{ tenant: 'acme', day: '2027-01-02' }],
      }),
      handler: async (args) => {
        if ((args.day === undefined) === (args.before === undefined)) {
          throw new GatewayError('invalid_input', { issues: ['/day: it or /before says which days, and not both'] });
        }
        return { keys: await eraseAudit(args as unknown as Parameters<typeof eraseAudit>[0]) };
      },
    },
  ];
}
