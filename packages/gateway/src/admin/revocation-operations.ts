import { GatewayError } from '@sallyport/core';
import type { JsonObject } from '@sallyport/protocol';
import type { Revocation, RevocationKind, RevocationStore } from '../store/index.ts';
import { changing, type Operation, reading } from './operation.ts';
import * as schemas from './schemas.ts';

/** What the operations on tokens of others lean on. */
export interface RevocationOperationDeps {
  readonly revocations: RevocationStore;
  /** Names of the issuers whose tokens are good here. */
  readonly issuerNames: () => readonly string[];
  /** Milliseconds since the epoch. */
  readonly nowMs: () => number;
}

const scope = 'admin:tokens';

const value: JsonObject = { type: 'string', minLength: 1, maxLength: 1024 };
const revocationFacts: JsonObject = {
  issuer: { type: 'string', description: 'The name of the issuer in the configuration.' },
  kind: {
    enum: ['token', 'subject', 'client', 'session', 'all'],
    description: 'token: one, by its jti. The others: all that were issued until now.',
  },
  value: { type: 'string', maxLength: 1024, description: 'The jti, or the subject, client or session as in records.' },
  at: { type: 'string', format: 'date-time' },
};
const { issuer, kind } = revocationFacts as { readonly issuer: JsonObject; readonly kind: JsonObject };

/** Take back tokens of issuers, and list what was taken back. The gateway's own are revoked by `tokens.revoke`. */
export function revocationOperations(deps: RevocationOperationDeps): readonly Operation[] {
  const { revocations } = deps;
  return [
    {
      tool: changing('revocations.add', scope, {
        description:
          'Takes back tokens of an issuer from the next call on: one by its jti, or all that a subject, a client, a session or anybody was given until now.',
        inputSchema: schemas.strictObject({ issuer, kind }, { value }),
        outputSchema: schemas.strictObject(revocationFacts),
        sideEffect: 'destructive',
        idempotent: true,
        examples: [{ issuer: 'company', kind: 'subject', value: 'company:alice' }],
      }),
      handler: async (args) => {
        const revocation = toRevocation(args as unknown as Wanted, deps);
        await revocations.add(revocation);
        return shown(revocation);
      },
    },
    {
      tool: reading('revocations.list', scope, {
        description: 'Lists what was taken back of tokens of issuers, newest first.',
        inputSchema: schemas.strictObject({}),
        outputSchema: schemas.strictObject({
          revocations: { type: 'array', items: schemas.strictObject(revocationFacts) },
        }),
      }),
      handler: async () => ({ revocations: (await revocations.list()).map(shown) }),
    },
  ];
}

interface Wanted {
  readonly issuer: string;
  readonly kind: RevocationKind;
  readonly value?: string;
}

function toRevocation(wanted: Wanted, { issuerNames, nowMs }: RevocationOperationDeps): Revocation {
  if (!issuerNames().includes(wanted.issuer)) {
    throw new GatewayError('not_found', { issues: ['/issuer: no issuer of this name is configured'] });
  }
  if ((wanted.kind === 'all') !== (wanted.value === undefined)) {
    throw new GatewayError('invalid_input', { issues: ['/value: goes with every kind but all'] });
  }
  return { issuer: wanted.issuer, kind: wanted.kind, value: wanted.value ?? '', atMs: nowMs() };
}

function shown({ atMs, ...rest }: Revocation): JsonObject {
  return { ...rest, at: new Date(atMs).toISOString() };
}
