import { GatewayError, type Hop } from '@sallyport/core';
import type { Control } from './control.ts';
import { limitCall } from './limit.ts';
import { unavailable } from './pool-entry.ts';
import { unlessAborted } from './unless-aborted.ts';

/** What waiting for the first listing needs. */
export interface FirstListing {
  readonly control: Pick<Control, 'manifest' | 'onChange' | 'ask'>;
  /** How long a call waits for it, in milliseconds. */
  readonly connectWaitMs: number;
  /** Fires when nothing is to be waited for any more. */
  readonly closing: AbortSignal;
}

const pauseMs = 100;

/**
 * Makes the function that waits until a server has said what it offers, for as long as a call waits for a server that is
 * away. Meanwhile the server is asked again and again. @throws GatewayError `upstream_unavailable`, or `cancelled`
 */
export function awaitListing({
  control,
  connectWaitMs,
  closing,
}: FirstListing): (hop: Pick<Hop, 'signal' | 'timeoutMs'>) => Promise<void> {
  return async ({ signal, timeoutMs }) => {
    if (signal.aborted) throw new GatewayError('cancelled');
    if (control.manifest() !== undefined) return;
    if (closing.aborted) throw unavailable('closed');
    const known = Promise.withResolvers<void>();
    const look = (): void => {
      if (control.manifest() !== undefined) known.resolve();
      else control.ask();
    };
    const stop = control.onChange(look);
    const again = setInterval(look, pauseMs);
    const { signal: over, release } = limitCall({ signal, timeoutMs: Math.min(connectWaitMs, timeoutMs) }, closing);
    try {
      look();
      await unlessAborted(known.promise, over);
    } catch {
      throw signal.aborted ? new GatewayError('cancelled') : unavailable('it is away');
    } finally {
      release();
      clearInterval(again);
      stop();
    }
  };
}
