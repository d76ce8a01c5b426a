import { type Account, GatewayError, type Principal, type StoredToken } from '@sallyport/core';
import type { JsonObject, JsonValue } from '@sallyport/protocol';
import { draftToken, type MintDeps, type MintedToken, mintToken } from '../authentication/mint-token.ts';
import { isAdminScope } from '../authentication/scope-syntax.ts';
import type { Accounts } from '../store/accounts.ts';
import type { TokenListing, TokenStore } from '../store/tokens.ts';
import { changing, type Operation, reading } from './operation.ts';
import * as schemas from './schemas.ts';

/** What the operations on tokens lean on. */
export interface TokenOperationDeps extends Omit<MintDeps, 'tokens'> {
  readonly tokens: TokenStore;
  readonly accounts: Accounts;
}

const scope = 'admin:tokens';
const defaultLifeSeconds = 30 * 86_400;
const longestOverlapSeconds = 7 * 86_400;
const anyLife = 10 * 365 * 86_400;

/** Create, list, revoke and rotate tokens. */
export function tokenOperations(deps: TokenOperationDeps): readonly Operation[] {
  return [create(deps), list(deps), revoke(deps), rotate(deps)];
}

function create(deps: TokenOperationDeps): Operation {
  return {
    tool: changing('tokens.create', scope, {
      description: 'Creates a token, and the account it belongs to if there is none. The secret is shown this once.',
      inputSchema: schemas.strictObject(
        { account: schemas.accountName, scopes: schemas.scopeList },
        {
          kind: { ...schemas.accountKind, default: 'agent' },
          label: { ...schemas.tokenLabel, default: 'token' },
          lifeSeconds: schemas.seconds(1, anyLife, 'How long it is valid; 30 days, or the longest allowed if shorter.'),
        },
      ),
      outputSchema: schemas.mintedToken,
      examples: [{ account: 'writer', kind: 'agent', scopes: ['posts:write'], lifeSeconds: 3600 }],
    }),
    handler: async (args, { principal }) => {
      const {
        account: name,
        kind = 'agent',
        label = 'token',
        scopes,
        lifeSeconds,
      } = args as unknown as CreateArguments;
      refuseEscalation(principal, { kind, scopes });
      const lifeMs = lifeSeconds === undefined ? defaultLifeMs(deps) : lifeSeconds * 1000;
      const account = await accountFor(deps.accounts, name, kind);
      return shownOnce(await mintToken(deps, { account, scopes, label, lifeMs }), deps);
    },
  };
}

interface CreateArguments {
  readonly account: string;
  readonly kind?: Account['kind'];
  readonly scopes: readonly string[];
  readonly label?: string;
  readonly lifeSeconds?: number;
}

function list(deps: TokenOperationDeps): Operation {
  return {
    tool: reading('tokens.list', scope, {
      description: 'Lists all tokens, newest first, without their secrets: nobody has those.',
      inputSchema: schemas.strictObject({}),
      outputSchema: schemas.strictObject({
        tokens: { type: 'array', items: schemas.strictObject(schemas.tokenFacts) },
      }),
    }),
    handler: async () => ({ tokens: (await deps.tokens.list()).map((token) => shown(token, deps)) }),
  };
}

function revoke(deps: TokenOperationDeps): Operation {
  return {
    tool: changing('tokens.revoke', scope, {
      description: 'Ends a token for ever, from the next call on. Revoking it again changes nothing.',
      inputSchema: schemas.strictObject({ id: schemas.tokenId }),
      outputSchema: schemas.strictObject({ id: schemas.tokenId, changed: { type: 'boolean' } }),
      sideEffect: 'destructive',
      idempotent: true,
    }),
    handler: async ({ id }) => {
      const token = await known(deps.tokens, String(id));
      return { id: token.id, changed: await deps.tokens.revoke(token.id, deps.nowMs()) };
    },
  };
}

function rotate(deps: TokenOperationDeps): Operation {
  return {
    tool: changing('tokens.rotate', scope, {
      description:
        'Creates a token like an existing one, with a new id and secret; the old one stays valid for the overlap. The secret is shown this once.',
      inputSchema: schemas.strictObject(
        { id: schemas.tokenId },
        {
          overlapSeconds: schemas.seconds(
            0,
            longestOverlapSeconds,
            'How long the old one stays valid; 0 if not given.',
          ),
        },
      ),
      outputSchema: schemas.mintedToken,
    }),
    handler: async ({ id, overlapSeconds = 0 }, { principal }) => {
      const old = await known(deps.tokens, String(id));
      // Its new secret is told to whoever asks, so rotating asks for as much as creating it would.
      refuseEscalation(principal, { kind: old.account.kind, scopes: old.scopes });
      if (stateOf(old, deps) !== 'active')
        throw new GatewayError('conflict', { issues: ['/id: is not valid any more'] });
      const lifeMs = Math.min(old.expiresAtMs - old.createdAtMs, deps.maxTokenLifeMs());
      const next = draftToken(deps, { account: old.account, scopes: old.scopes, label: old.label, lifeMs });
      const oldExpiresAtMs = deps.nowMs() + Number(overlapSeconds) * 1000;
      await deps.tokens.rotate({ oldId: old.id, next: next.stored, oldExpiresAtMs });
      return shownOnce(next, deps);
    },
  };
}

/**
 * Nobody gives away more than tool scopes without holding `admin:*`: not administration, and not the kinds of account
 * that reach internal tools.
 */
function refuseEscalation(
  principal: Principal,
  wanted: { readonly kind: Account['kind']; readonly scopes: readonly string[] },
): void {
  if (principal.scopes.includes('admin:*')) return;
  const privileged = wanted.kind === 'owner' || wanted.kind === 'service' || wanted.scopes.some(isAdminScope);
  if (privileged) throw new GatewayError('insufficient_scope', { scopes: ['admin:*'] });
}

async function accountFor(accounts: Accounts, name: string, kind: Account['kind']): Promise<Account> {
  const account = (await accounts.find(name)) ?? (await accounts.create({ name, kind }));
  const issue = account.name !== name || account.kind !== kind ? 'exists with another kind or spelling' : 'is disabled';
  if (account.name === name && account.kind === kind && account.disabledAtMs === undefined) return account;
  throw new GatewayError('conflict', { issues: [`/account: ${issue}`] });
}

async function known(tokens: TokenStore, id: string): Promise<StoredToken> {
  const token = await tokens.find(id);
  if (token === undefined) throw new GatewayError('not_found', { issues: ['/id: there is no such token'] });
  return token;
}

function defaultLifeMs({ maxTokenLifeMs }: TokenOperationDeps): number {
  return Math.min(defaultLifeSeconds * 1000, maxTokenLifeMs());
}

function shownOnce({ text, stored }: MintedToken, deps: TokenOperationDeps): JsonValue {
  return { token: text, ...shown(stored, deps) };
}

function shown(token: TokenListing, deps: TokenOperationDeps): JsonObject {
  const { id, account, label, scopes, createdAtMs } = token;
  return {
    id,
    account: account.name,
    kind: account.kind,
    label,
    scopes,
    createdAt: new Date(createdAtMs).toISOString(),
    expiresAt: new Date(endOf(token, deps)).toISOString(),
    state: stateOf(token, deps),
  };
}

function stateOf(token: TokenListing, deps: TokenOperationDeps): 'active' | 'revoked' | 'expired' | 'disabled' {
  if (token.revokedAtMs !== undefined) return 'revoked';
  if (token.account.disabledAtMs !== undefined) return 'disabled';
  return deps.nowMs() < endOf(token, deps) ? 'active' : 'expired';
}

/** As the authenticator sees it: the limit of life counts for older tokens too. */
function endOf({ createdAtMs, expiresAtMs }: TokenListing, { maxTokenLifeMs }: TokenOperationDeps): number {
  return Math.min(expiresAtMs, createdAtMs + maxTokenLifeMs());
}
