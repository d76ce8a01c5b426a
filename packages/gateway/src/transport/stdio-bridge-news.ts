import { setTimeout as sleep } from 'node:timers/promises';
import { type Headers, isEventStream, type Link } from './stdio-bridge-link.ts';

/** What is read, and for how long. */
export interface NewsOptions {
  readonly link: Link;
  readonly headers: Headers;
  readonly write: (message: string) => void;
  readonly signal: AbortSignal;
}

/** Between attempts to read what the gateway says by itself. Milliseconds. */
const firstRetryMs = 1_000;
const longestRetryMs = 30_000;

interface Place {
  readonly lastEventId: string | undefined;
  readonly waitMs: number;
}

/**
 * Reads what the gateway says to a session without being asked, coming back whenever the connection breaks, until the signal
 * fires. Resolves with `lost` when the gateway does not know the session any more, with `none` when it says nothing ever.
 */
export async function readNews(options: NewsOptions): Promise<'lost' | 'none'> {
  const { signal } = options;
  let place: Place = { lastEventId: undefined, waitMs: firstRetryMs };
  while (!signal.aborted) {
    const next = await readOnce(options, place);
    if (typeof next === 'string') return next;
    place = next;
    await sleep(place.waitMs, undefined, { signal, ref: false }).catch(() => undefined);
  }
  return 'none';
}

async function readOnce(options: NewsOptions, { lastEventId, waitMs }: Place): Promise<Place | 'lost' | 'none'> {
  const { link, headers, write, signal } = options;
  const response = await link.get({ headers, signal, lastEventId }).catch(() => undefined);
  if (response !== undefined && isEventStream(response)) {
    const broken = await link.read(response, write);
    return { lastEventId: broken.lastEventId ?? lastEventId, waitMs: broken.retryMs ?? firstRetryMs };
  }
  await response?.body?.cancel();
  if (response?.status === 404) return 'lost';
  if (response?.status === 405) return 'none';
  // A place that the gateway does not know any more is given up.
  const kept = response?.status === 400 ? undefined : lastEventId;
  return { lastEventId: kept, waitMs: Math.min(waitMs * 2, longestRetryMs) };
}
