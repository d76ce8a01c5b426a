import {
  type Answer,
  type CancelSignal,
  GatewayError,
  type Hop,
  type Permit,
  type Stages,
  type Suspended,
  type Upstream,
} from '@sallyport/core';
import type { Logger } from 'pino';
import { localOwner } from '../authentication/local-owner.ts';
import { createLiveContainment, type LiveContainment } from '../entitlement/live.ts';
import type { Containment } from '../entitlement/stage.ts';
import type { OnRecheck } from './recheck.ts';
import type { Stores } from './stores.ts';

/** Ends what runs when it is contained. */
export interface ContainmentGuard {
  /** The way to services, on which nothing stays that is contained. */
  find(find: (service: string) => Upstream | undefined): (service: string) => Upstream | undefined;
  /** Stages after which nothing comes out that is contained, and that end what waits. */
  stages(stages: Stages): Stages;
}

/** Everything about containment, for one gateway. */
export interface ContainmentParts {
  readonly live: LiveContainment;
  /** For the plane of agents. */
  readonly guard: ContainmentGuard;
  /** For planes of the gateway's own: whoever is contained may not administer either. The owner at the socket always may. */
  readonly callers: Containment;
  /** Says the same as the one it is made of, and tells of every containment when it counts. */
  readonly onRecheck: OnRecheck;
}

/** What was lifted, or ended, is listed for so long. */
const keepEndedMs = 90 * 86_400_000;

interface OpenOptions {
  readonly stores: Pick<Stores, 'state'>;
  readonly nowMs: () => number;
  readonly log: Logger;
  readonly onRecheck: OnRecheck;
}

/** Reads what is contained, and follows it. @throws what the store throws. */
export async function openContainment({ stores, nowMs, log, onRecheck }: OpenOptions): Promise<ContainmentParts> {
  const { containments } = stores.state;
  await containments.prune(nowMs() - keepEndedMs);
  const live = createLiveContainment({ store: containments, nowMs, log });
  await live.refresh();
  onRecheck(() => {
    live.refresh().catch((err: unknown) => log.warn({ err }, 'what is contained cannot be read; what was known stays'));
  });
  return {
    live,
    guard: createContainmentGuard(live),
    callers: { contains: (principal) => principal.method !== localOwner.kind && live.containsCaller(principal) },
    onRecheck(listener) {
      const stops = [onRecheck(listener), live.onChange(listener)];
      return () => {
        for (const stop of stops) stop();
      };
    },
  };
}

/** Something that goes on until it is contained. */
interface Going {
  readonly permit: Permit;
  readonly end: (error: GatewayError) => void;
}

/** Calls that came back with a question are remembered for so long, and so many of them: as long as a state is good for. */
const waitingMs = 15 * 60_000;
const mostWaiting = 10_000;

/** Watches over all calls that were let through. */
export function createContainmentGuard(live: Pick<LiveContainment, 'contains' | 'onChange'>): ContainmentGuard {
  const going = new Set<Going>();
  const isContained = ({ principal, target }: Permit): boolean => live.contains(principal, target);
  live.onChange(() => {
    for (const one of [...going]) if (isContained(one.permit)) one.end(new GatewayError('contained'));
  });
  const waiting = createWaiting(going);

  return {
    find: (find) => (service) => {
      const upstream = find(service);
      return (
        upstream && {
          describe: () => upstream.describe(),
          open: async (permit, hop) => {
            if (isContained(permit)) throw new GatewayError('contained');
            return open({ upstream, going, waiting }, permit, hop);
          },
          close: () => upstream.close(),
        }
      );
    },
    stages: (stages) => ({
      ...stages,
      async approve(permit, request) {
        const answer = await stages.approve(permit, request);
        return 'kind' in answer ? endingWait(answer, permit, going) : answer;
      },
      filter(permit, answer) {
        const pass = (cleaned: Answer): Answer => {
          // Filters may take their time.
          if (isContained(permit)) throw new GatewayError('contained');
          return cleaned;
        };
        const cleaned = stages.filter(permit, answer);
        return cleaned instanceof Promise ? cleaned.then(pass) : pass(cleaned);
      },
    }),
  };
}

interface Around {
  readonly upstream: Upstream;
  readonly going: Set<Going>;
  readonly waiting: (permit: Permit, ending: AbortController) => void;
}

/** Calls a service until it answers or the call is contained: whatever it says afterwards is heard by nobody. */
async function open({ upstream, going, waiting }: Around, permit: Permit, hop: Hop): Promise<Answer> {
  const ending = new AbortController();
  const contained = new AbortController();
  const stopped = Promise.withResolvers<never>();
  const end = (error: GatewayError): void => {
    stopped.reject(error);
    contained.abort(error);
    ending.abort(error);
  };
  const one: Going = { permit, end };
  const onGone = (): void => ending.abort(hop.signal.reason);
  going.add(one);
  hop.signal.addEventListener('abort', onGone, { once: true });
  if (hop.signal.aborted) onGone();
  try {
    const guarded = { ...silencedBy(contained.signal, hop), signal: ending.signal, contained: contained.signal };
    const answer = await Promise.race([upstream.open(permit, guarded), stopped.promise]);
    if (answer.resultType !== 'input_required') return answer;
    waiting(permit, contained);
    return { ...answer, contained: contained.signal };
  } finally {
    going.delete(one);
    hop.signal.removeEventListener('abort', onGone);
  }
}

function silencedBy(contained: AbortSignal, hop: Hop): Hop {
  const { onProgress, onNotification } = hop;
  return {
    ...hop,
    ...(onProgress && {
      onProgress: (progress) => {
        if (!contained.aborted) onProgress(progress);
      },
    }),
    ...(onNotification && {
      onNotification: (method, paramsText) => {
        if (!contained.aborted) onNotification(method, paramsText);
      },
    }),
  };
}

/** What waits for the answer to a question is contained like what runs. Whether it still waits is not known here, so it is kept for a while. */
function createWaiting(going: Set<Going>): Around['waiting'] {
  const kept = new Map<Going, NodeJS.Timeout>();
  const forget = (one: Going): void => {
    clearTimeout(kept.get(one));
    kept.delete(one);
    going.delete(one);
  };
  return (permit, contained) => {
    const one: Going = {
      permit,
      end(error) {
        forget(one);
        contained.abort(error);
      },
    };
    going.add(one);
    kept.set(one, setTimeout(() => forget(one), waitingMs).unref());
    const [oldest] = kept.keys();
    if (kept.size > mostWaiting && oldest !== undefined) forget(oldest);
  };
}

/** Whoever waits for an approval is told that it is time to ask again: then it hears that it is contained. */
function endingWait(suspended: Suspended, permit: Permit, going: Set<Going>): Suspended {
  const { settled } = suspended;
  if (settled === undefined) return suspended;
  return {
    ...suspended,
    async settled(signal: CancelSignal) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const one: Going = { permit, end: () => resolve() };
      going.add(one);
      try {
        await Promise.race([settled(signal), promise]);
      } finally {
        going.delete(one);
      }
    },
  };
}
