import type { Account } from '@sallyport/core';
import type { JsonObject } from '@sallyport/protocol';
import type { Accounts } from '../store/accounts.ts';
import type { RevocationStore } from '../store/revocations.ts';
import { changing, type Operation, reading } from './operation.ts';
import * as schemas from './schemas.ts';

/** What the operations on accounts lean on. */
export interface AccountOperationDeps {
  readonly accounts: Accounts;
  /** Access tokens of the built-in authorization server are good without asking; that theirs have ended has to be on record. */
  readonly revocations: Pick<RevocationStore, 'add'>;
  /** Milliseconds since the epoch. */
  readonly nowMs: () => number;
}

const scope = 'admin:accounts';
/** What the issuer of the built-in authorization server is called in records, and among revocations. */
export const ownIssuer = 'built-in';

/** List, disable and enable accounts. They are made when their first token is. */
export function accountOperations({ accounts, revocations, nowMs }: AccountOperationDeps): readonly Operation[] {
  const byName = schemas.strictObject({ name: schemas.accountName });
  const outputSchema = schemas.strictObject(schemas.accountFacts);
  return [
    {
      tool: reading('accounts.list', scope, {
        description: 'Lists all accounts by name.',
        inputSchema: schemas.strictObject({}),
        outputSchema: schemas.strictObject({ accounts: { type: 'array', items: outputSchema } }),
      }),
      handler: async () => ({ accounts: (await accounts.list()).map(shown) }),
    },
    {
      tool: changing('accounts.disable', scope, {
        description: 'Ends all tokens of an account from the next call on, until it is enabled again.',
        inputSchema: byName,
        outputSchema,
        sideEffect: 'destructive',
        idempotent: true,
      }),
      handler: async ({ name }) => {
        const account = await accounts.disable(String(name), nowMs());
        // A client of the configuration has an account too: what people allowed it ends as well.
        for (const kind of ['subject', 'client'] as const)
          await revocations.add({ issuer: ownIssuer, kind, value: account.name, atMs: nowMs() });
        return shown(account);
      },
    },
    {
      tool: changing('accounts.enable', scope, {
        description: 'Makes the tokens of an account valid again, except those revoked or expired.',
        inputSchema: byName,
        outputSchema,
        idempotent: true,
      }),
      handler: async ({ name }) => shown(await accounts.enable(String(name))),
    },
  ];
}

function shown({ name, kind, disabledAtMs }: Account): JsonObject {
  return { name, kind, state: disabledAtMs === undefined ? 'active' : 'disabled' };
}
