import { setTimeout } from 'node:timers/promises';
import { type Account, GatewayError } from '@sallyport/core';
import type { JsonObject } from '@sallyport/protocol';
import { isAdminScope } from '../authentication/scope-syntax.ts';
import { drawTotpSecret, hashPassword, type PasswordCost } from '../authserver/index.ts';
import type { Accounts } from '../store/accounts.ts';
import type { RevocationStore } from '../store/revocations.ts';
import type { UserListing, Users } from '../store/users.ts';
import { ownIssuer } from './account-operations.ts';
import { changing, type Operation, reading } from './operation.ts';
import * as schemas from './schemas.ts';

/** What the operations on users lean on. */
export interface UserOperationDeps {
  readonly users: Users;
  readonly accounts: Accounts;
  readonly revocations: RevocationStore;
  /** Other than the standard one only in tests. */
  readonly passwordCost?: PasswordCost | undefined;
  /** Seals the secret of a second factor. */
  readonly sealTotp: (user: string, secret: string) => string;
  /** What this gateway is called in authenticator apps. */
  readonly gatewayName: () => string;
  /** Milliseconds since the epoch. */
  readonly nowMs: () => number;
}

const scope = 'admin:users';
const password: JsonObject = {
  type: 'string',
  minLength: 1,
  maxLength: 1024,
  description: 'The password: 12 to 256 characters. It is kept as a hash (scrypt).',
};
const byName = schemas.strictObject({ name: schemas.accountName });
const userFacts = schemas.strictObject({
  name: { type: 'string' },
  state: { enum: ['active', 'disabled'] },
  scopes: schemas.scopeList,
  secondFactor: { type: 'boolean' },
  changedAt: { type: 'string', format: 'date-time' },
});

/** The people who sign in with a password: made, changed, shut out. What ends a sign-in ends its tokens with the next call. */
export function userOperations(deps: UserOperationDeps): readonly Operation[] {
  return [add(deps), list(deps), allow(deps), ...entry(deps), resetPassword(deps), ...secondFactor(deps), remove(deps)];
}

function add(deps: UserOperationDeps): Operation {
  return {
    tool: changing('users.add', scope, {
      description: 'Makes somebody who can sign in with a password and allow clients what the scopes say.',
      inputSchema: schemas.strictObject({ name: schemas.accountName, password, scopes: schemas.scopeList }),
      outputSchema: userFacts,
    }),
    handler: async ({ name, password: text, scopes }) => {
      const user = String(name);
      if ((await deps.users.find(user)) !== undefined) {
        throw new GatewayError('conflict', { issues: ['/name: there is one'] });
      }
      const allowed = toolScopes(scopes);
      const passwordHash = await hashPassword(String(text), deps.passwordCost);
      const account = await personNamed(deps.accounts, user);
      await deps.users.put({ account, passwordHash, scopes: allowed });
      return shown(await known(deps, user));
    },
  };
}

function list({ users }: UserOperationDeps): Operation {
  return {
    tool: reading('users.list', scope, {
      description: 'Lists all who can sign in, by name.',
      inputSchema: schemas.strictObject({}),
      outputSchema: schemas.strictObject({ users: { type: 'array', items: userFacts } }),
    }),
    handler: async () => ({ users: (await users.list()).map(shown) }),
  };
}

function allow(deps: UserOperationDeps): Operation {
  return {
    tool: changing('users.allow', scope, {
      description: 'Replaces the scopes that a user may allow clients. The user has to sign in again.',
      inputSchema: schemas.strictObject({ name: schemas.accountName, scopes: schemas.scopeList }),
      outputSchema: userFacts,
    }),
    handler: async ({ name, scopes }) => {
      const { account, passwordHash } = await stored(deps, String(name));
      await deps.users.put({ account, passwordHash, scopes: toolScopes(scopes) });
      return ended(deps, account.name);
    },
  };
}

/** Disabling and enabling: of the account, so of its tokens too. */
function entry(deps: UserOperationDeps): readonly Operation[] {
  const { accounts, nowMs } = deps;
  return [
    {
      tool: changing('users.disable', scope, {
        description: 'Shuts a user out from the next call on: no sign-in, no token, until enabled again.',
        inputSchema: byName,
        outputSchema: userFacts,
        sideEffect: 'destructive',
        idempotent: true,
      }),
      handler: async ({ name }) => {
        const { account } = await stored(deps, String(name));
        await accounts.disable(account.name, nowMs());
        return ended(deps, account.name);
      },
    },
    {
      tool: changing('users.enable', scope, {
        description: 'Lets a user in again, with a new sign-in.',
        inputSchema: byName,
        outputSchema: userFacts,
        idempotent: true,
      }),
      handler: async ({ name }) => {
        const { account } = await stored(deps, String(name));
        await accounts.enable(account.name);
        return shown(await known(deps, account.name));
      },
    },
  ];
}

function resetPassword(deps: UserOperationDeps): Operation {
  return {
    tool: changing('users.reset', scope, {
      description: 'Gives a user another password. What was signed in with the one before ends.',
      inputSchema: schemas.strictObject({ name: schemas.accountName, password }),
      outputSchema: userFacts,
    }),
    handler: async ({ name, password: text }) => {
      const { account, scopes } = await stored(deps, String(name));
      await deps.users.put({ account, passwordHash: await hashPassword(String(text), deps.passwordCost), scopes });
      return ended(deps, account.name);
    },
  };
}

function secondFactor(deps: UserOperationDeps): readonly Operation[] {
  return [
    {
      tool: changing('users.totp', scope, {
        description:
          'Draws a secret for an authenticator app; from now on its codes are needed. It is shown this once.',
        inputSchema: byName,
        outputSchema: schemas.strictObject({
          name: { type: 'string' },
          secret: { type: 'string', description: 'For typing, base32.' },
          url: { type: 'string', description: 'For the app: otpauth://totp/…' },
        }),
      }),
      handler: async ({ name }) => {
        const { account } = await stored(deps, String(name));
        const drawn = await drawTotpSecret(account.name, deps.gatewayName());
        await deps.users.setTotp(account.name, deps.sealTotp(account.name, drawn.secret));
        await ended(deps, account.name);
        return { name: account.name, ...drawn };
      },
    },
    {
      tool: changing('users.untotp', scope, {
        description: 'Takes the second factor of a user away: the password is enough again.',
        inputSchema: byName,
        outputSchema: userFacts,
        sideEffect: 'destructive',
        idempotent: true,
      }),
      handler: async ({ name }) => {
        const { account } = await stored(deps, String(name));
        await deps.users.setTotp(account.name, undefined);
        return ended(deps, account.name);
      },
    },
  ];
}

function remove(deps: UserOperationDeps): Operation {
  return {
    tool: changing('users.delete', scope, {
      description: 'Removes a user: no sign-in any more. The account stays, with the tokens that were made for it.',
      inputSchema: byName,
      outputSchema: schemas.strictObject({ name: { type: 'string' }, changed: { type: 'boolean' } }),
      sideEffect: 'destructive',
      idempotent: true,
    }),
    handler: async ({ name }) => {
      const changed = await deps.users.remove(String(name));
      await endTokens(deps, String(name));
      return { name: String(name), changed };
    },
  };
}

/** The account of a person, with whatever it has already; made if there is none. */
async function personNamed(accounts: Accounts, name: string): Promise<Account> {
  const account = (await accounts.find(name)) ?? (await accounts.create({ name, kind: 'person' }));
  if (account.name === name && account.kind === 'person') return account;
  throw new GatewayError('conflict', { issues: ['/name: an account of another kind or spelling has it'] });
}

/** What users allow is for tools. Whoever administers has a token for that, made on purpose. */
function toolScopes(scopes: unknown): readonly string[] {
  const list = scopes as readonly string[];
  if (!list.some(isAdminScope)) return list;
  throw new GatewayError('invalid_input', { issues: ['/scopes: those of administration cannot be given to clients'] });
}

async function stored({ users }: UserOperationDeps, name: string) {
  const user = await users.find(name);
  if (user === undefined) throw new GatewayError('not_found', { issues: ['/name: there is no such user'] });
  return user;
}

async function known(deps: UserOperationDeps, name: string): Promise<UserListing> {
  const { passwordHash: _, totp, ...rest } = await stored(deps, name);
  return { ...rest, hasTotp: totp !== undefined };
}

async function ended(deps: UserOperationDeps, name: string): Promise<JsonObject> {
  await endTokens(deps, name);
  return shown(await known(deps, name));
}

/**
 * Access tokens are good without asking anybody, so that theirs have ended has to be on record. Tokens and sessions know the second
 * they are from: this is over when the next one begins, so that a sign-in that follows it is later, and not ended by it too.
 */
async function endTokens({ revocations, nowMs }: UserOperationDeps, name: string): Promise<void> {
  await revocations.add({ issuer: ownIssuer, kind: 'subject', value: name, atMs: nowMs() });
  await setTimeout(1000 - (nowMs() % 1000));
}

function shown({ account, scopes, hasTotp, changedAtMs }: UserListing): JsonObject {
  return {
    name: account.name,
    state: account.disabledAtMs === undefined ? 'active' : 'disabled',
    scopes: [...scopes],
    secondFactor: hasTotp,
    changedAt: new Date(changedAtMs).toISOString(),
  };
}
