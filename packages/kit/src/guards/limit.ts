import { failure } from '../answer.ts';
import type { Guard } from '../running-call.ts';
import type { CallLimit } from '../tool-options.ts';

/** More callers than this at one time share one allowance: strangers must not make us remember without end. */
const maxCallers = 10_000;
const everybody = '';

/**
 * Refuses calls beyond a limit, by the generic cell rate algorithm: one number for each caller, no timers.
 *
 * @throws TypeError for a rate that is none.
 */
export function limitGuard(
  { rate, burst = Math.max(1, Math.floor(rate)), per = 'caller' }: CallLimit,
  nowMs: () => number,
): Guard {
  if (!(rate > 0 && Number.isFinite(rate))) throw new TypeError('limit.rate: a number of calls per second, above 0');
  if (!(Number.isInteger(burst) && burst >= 1)) throw new TypeError('limit.burst: a whole number from 1');
  const gapMs = 1000 / rate;
  const toleranceMs = gapMs * (burst - 1);
  /** When each caller's allowance is whole again. */
  const wholeAt = new Map<string, number>();

  const keyFor = (key: string, now: number): string => {
    if (wholeAt.has(key) || wholeAt.size < maxCallers) return key;
    for (const [other, at] of wholeAt) if (at <= now) wholeAt.delete(other);
    return wholeAt.size < maxCallers ? key : everybody;
  };

  return ({ principal }) => {
    const now = nowMs();
    const own = per === 'all' ? everybody : JSON.stringify([principal.tenant ?? null, principal.subject]);
    const key = keyFor(own, now);
    const at = Math.max(wholeAt.get(key) ?? now, now);
    const retryAfterMs = Math.ceil(at - toleranceMs - now);
    if (retryAfterMs > 0) return failure('limited', { retryAfterMs });
    wholeAt.set(key, at + gapMs);
    return undefined;
  };
}
