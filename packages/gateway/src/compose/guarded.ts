import {
  createGuardedFetch,
  type Guarded,
  type GuardedConnectorOptions,
  type GuardedFetchOptions,
} from '../egress/index.ts';
import type { Lifetime } from './lifetime.ts';

/** What guarded fetches lean on. */
export interface GuardParts {
  readonly life: Pick<Lifetime, 'onClose'>;
  readonly egress?: Pick<GuardedConnectorOptions, 'resolve' | 'connect'> | undefined;
}

/** Where something may be asked, how long, and for how much. */
export type Reach = Pick<GuardedFetchOptions, 'allow' | 'timeoutMs' | 'maxBytes'>;

/** One guarded fetch for each reach, made when it is first wanted; all end with the gateway. */
export function createGuards({ life, egress }: GuardParts): (reach: Reach) => Guarded {
  const made = new Map<string, Guarded>();
  life.onClose(async () => {
    await Promise.all([...made.values()].map((guarded) => guarded.close()));
  });
  return (reach) => {
    const key = JSON.stringify(reach);
    const guarded = made.get(key) ?? createGuardedFetch({ ...egress, ...reach });
    made.set(key, guarded);
    return guarded;
  };
}

/** Whether something is on this machine, by its address alone. */
export function isOfThisMachine(address: string): boolean {
  const { hostname } = new URL(address);
  return /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(hostname);
}
