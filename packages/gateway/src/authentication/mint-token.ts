import { type Account, GatewayError, type StoredToken } from '@sallyport/core';
import type { AuthenticationDeps } from './kind.ts';
import { refuseBadScopes } from './scope-syntax.ts';
import { drawToken, formatToken, hashSecret } from './token-text.ts';

/** What minting leans on. */
export type MintDeps = Pick<AuthenticationDeps, 'tokens' | 'pepper' | 'nowMs' | 'maxTokenLifeMs'>;

/** The token to be made. */
export interface TokenRequest {
  readonly account: Account;
  readonly scopes: readonly string[];
  /** For people, to tell tokens apart; becomes `token:<label>`, the principal's client. */
  readonly label: string;
  readonly lifeMs: number;
}

/** A new token. `text` is the only copy there is of its secret: show it once, keep it nowhere. */
export interface MintedToken {
  readonly text: string;
  readonly stored: StoredToken;
}

const labelPattern = /^[A-Za-z0-9][A-Za-z0-9 ._@+-]{0,63}$/;

/**
 * Makes a token and stores it, as the hash of its secret.
 *
 * @throws GatewayError `invalid_input` for bad scopes, labels and lives longer than the limit; whatever the store refuses.
 */
export async function mintToken(deps: MintDeps, request: TokenRequest): Promise<MintedToken> {
  const minted = draftToken(deps, request);
  await deps.tokens.add(minted.stored);
  return minted;
}

/** Makes a token without storing it, for those who store it together with something else. Refuses like `mintToken`. */
export function draftToken({ pepper, nowMs, maxTokenLifeMs }: MintDeps, request: TokenRequest): MintedToken {
  const { account, label, lifeMs } = request;
  const scopes = [...new Set(request.scopes)];
  refuseBadScopes(scopes);
  refuseBadLabel(label);
  refuseBadLife(lifeMs, maxTokenLifeMs());
  const { id, secret } = drawToken();
  const createdAtMs = nowMs();
  const stored: StoredToken = {
    id,
    account,
    label,
    scopes,
    secretHash: hashSecret(pepper, secret).toString('hex'),
    createdAtMs,
    expiresAtMs: createdAtMs + lifeMs,
  };
  return { text: formatToken({ id, secret }), stored };
}

function refuseBadLabel(label: string): void {
  if (labelPattern.test(label)) return;
  throw new GatewayError('invalid_input', { issues: [`/label: has to match ${labelPattern.source}`] });
}

function refuseBadLife(lifeMs: number, longestMs: number): void {
  if (Number.isSafeInteger(lifeMs) && lifeMs > 0 && lifeMs <= longestMs) return;
  const seconds = Math.floor(longestMs / 1000);
  throw new GatewayError('invalid_input', { issues: [`/lifeSeconds: has to be positive and at most ${seconds}`] });
}
