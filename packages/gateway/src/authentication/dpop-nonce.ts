import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';

/** Nonces that proofs have to hold, so that none can be made ahead of time (RFC 9449 §9). */
export interface Nonces {
  /** The one to hand out now. */
  current(): string;
  isGood(nonce: string): boolean;
}

/** What nonces are made of. */
export interface NonceOptions {
  /** Gateways with the same key take each other's nonces. */
  readonly key: KeyObject;
  readonly nowMs: () => number;
  /** How often they change; each is good for up to twice as long. Default: two minutes. */
  readonly periodMs?: number;
}

const pattern = /^[A-Za-z0-9_-]{1,64}$/;

/** Makes nonces that need no memory: a keyed hash of the time they stand for. Good are this period's and the last one's. */
export function createNonces({ key, nowMs, periodMs = 120_000 }: NonceOptions): Nonces {
  const nonceOf = (period: number): string =>
    createHmac('sha256', key).update(`dpop-nonce ${period}`).digest('base64url').slice(0, 32);
  let known = { period: Number.NaN, now: '', before: '' };
  const look = (): typeof known => {
    const period = Math.floor(nowMs() / periodMs);
    if (period !== known.period) known = { period, now: nonceOf(period), before: nonceOf(period - 1) };
    return known;
  };
  return {
    current: () => look().now,
    isGood(nonce) {
      const { now, before } = look();
      return pattern.test(nonce) && [now, before].some((one) => areEqual(one, nonce));
    },
  };
}

function areEqual(one: string, other: string): boolean {
  return one.length === other.length && timingSafeEqual(Buffer.from(one), Buffer.from(other));
}
