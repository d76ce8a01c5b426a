import type { RateLimit } from '@sallyport/core';
import type { JsonObject } from '@sallyport/protocol';
import { createAttempts } from './attempts.ts';
import type { Parts } from './parts.ts';
import { isPassword } from './password.ts';
import { totpStep } from './totp.ts';

/** What came of an attempt to sign in. `more`: the password was right, a code is needed too. */
export type SignIn =
  | { readonly kind: 'in'; readonly person: string; readonly factors: readonly string[] }
  | { readonly kind: 'more'; readonly step: string }
  | { readonly kind: 'wrong' }
  | { readonly kind: 'busy'; readonly retryAfterMs: number };

/** An attempt, by whom and within which sign-in. */
export interface Attempt {
  readonly interaction: string;
  readonly peer: string;
}

/** Ten wrong guesses at once, then one in half a minute: of one name, from wherever they come. */
const accountLimit: RateLimit = { rate: 1 / 30, burst: 10 };
/** An office behind one address, not a list of passwords. */
const peerLimit: RateLimit = { rate: 1 / 3, burst: 40 };
/** With three codes good at a time and one guess in five minutes, a stolen password alone is no use for years. */
const codeLimit: RateLimit = { rate: 1 / 300, burst: 5 };
const stepLifeMs = 300_000;
const stepKind = 'authserver second factor';

/** Judges passwords and codes. An unknown name, a wrong password and a disabled user are the same, also in the time they take. */
export function createSignIn(parts: Pick<Parts, 'users' | 'passwordCost' | 'records' | 'nowMs' | 'log' | 'settings'>) {
  const { users, passwordCost, records, nowMs, log, settings } = parts;
  const byAccount = createAttempts(accountLimit, nowMs);
  const byPeer = createAttempts(peerLimit, nowMs);
  const byCode = createAttempts(codeLimit, nowMs);
  const begin = (name: string, peer: string): number =>
    Math.max(byPeer.begin(peer), byAccount.begin(name.toLowerCase()));
  const succeeded = (name: string, peer: string): void => {
    byPeer.succeeded(peer);
    byAccount.succeeded(name.toLowerCase());
  };

  async function withPassword(name: string, password: string, { interaction, peer }: Attempt): Promise<SignIn> {
    const retryAfterMs = begin(name, peer);
    if (retryAfterMs > 0) return { kind: 'busy', retryAfterMs };
    const user = settings.passwords ? await users.find(name) : undefined;
    const isRight = await isPassword(password, user?.passwordHash, passwordCost);
    if (user === undefined || !isRight || user.account.disabledAtMs !== undefined) {
      // What was typed as a name may be a password: it is told only where it is the name of somebody.
      log.info({ peer, ...(user && { user: user.account.name }) }, 'a sign-in failed');
      return { kind: 'wrong' };
    }
    succeeded(name, peer);
    const { account, totp, changedAtMs } = user;
    if (totp === undefined) return { kind: 'in', person: account.name, factors: ['pwd'] };
    const claims: JsonObject = { name: account.name, interaction, changedAtMs };
    return { kind: 'more', step: records.sealer.seal(stepKind, claims, nowMs() + stepLifeMs) };
  }

  async function withCode(step: string, code: string, { interaction, peer }: Attempt): Promise<SignIn> {
    const claims = records.sealer.open(stepKind, step);
    if (claims === undefined || claims.interaction !== interaction) return { kind: 'wrong' };
    const name = String(claims.name);
    const retryAfterMs = byCode.begin(name);
    if (retryAfterMs > 0) return { kind: 'busy', retryAfterMs };
    const user = await users.find(name);
    const isSame = user?.account.disabledAtMs === undefined && user?.changedAtMs === claims.changedAtMs;
    const secret = records.sealer.open(`totp ${name}`, user?.totp ?? '')?.secret;
    if (user === undefined || !isSame || typeof secret !== 'string') return { kind: 'wrong' };
    const at = await totpStep(secret, code, nowMs());
    if (at === undefined || !(await users.useTotpStep(name, at))) {
      log.info({ peer, user: name }, 'a sign-in failed at its second factor');
      return { kind: 'wrong' };
    }
    byCode.succeeded(name);
    return { kind: 'in', person: name, factors: ['pwd', 'otp'] };
  }

  return { withPassword, withCode };
}

/** Judges who somebody is. */
export type SignInDesk = ReturnType<typeof createSignIn>;
