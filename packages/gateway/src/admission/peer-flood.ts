import { GatewayError, type RateLimit, type RateLimiter, type Taken } from '@sallyport/core';
import { isLoopback, peerGroup } from './address.ts';
import type { AdmissionCheck } from './kind.ts';

/** This machine's own address stands for many callers at once: stdio bridges, services, a proxy beside the gateway. */
export const loopbackFactor = 100;

/** What the check needs. */
export interface PeerFloodOptions {
  readonly limiter: RateLimiter;
  /** Of one address; IPv6 by /64. */
  readonly limit: RateLimit;
}

/** Refuses with `peer_limited` when one address sends too much, before a credential of it is even looked at. */
export function peerFlood({ limiter, limit }: PeerFloodOptions): AdmissionCheck {
  const local = { rate: limit.rate * loopbackFactor, burst: limit.burst * loopbackFactor };
  return {
    kind: 'peer-flood',
    admit({ origin: { peer, transport } }) {
      // A service on its hop has proved who it is before, and asks for many.
      const own = transport === 'hop' || peer === 'local' || isLoopback(peer);
      const taken = limiter.take(`peer\n${peerGroup(peer)}`, own ? local : limit);
      return 'then' in taken ? taken.then(refuseUnlessTaken) : refuseUnlessTaken(taken);
    },
  };
}

function refuseUnlessTaken(taken: Taken): void {
  if (!taken.allowed) throw new GatewayError('peer_limited', { retryAfterMs: taken.retryAfterMs });
}
