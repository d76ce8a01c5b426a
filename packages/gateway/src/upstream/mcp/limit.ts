import { GatewayError, type Hop } from '@sallyport/core';

/** One signal for all ends of a call, with the error to end with as its reason. `release` is to be called when it is over. */
export function limitCall(
  hop: Pick<Hop, 'signal' | 'timeoutMs'>,
  closing: AbortSignal,
): { readonly signal: AbortSignal; readonly release: () => void } {
  const ended = new AbortController();
  const onAbort = (): void => ended.abort(new GatewayError('cancelled'));
  const onClosing = (): void => ended.abort(new GatewayError('upstream_failed', {}, { cause: 'closed' }));
  const clock = setTimeout(() => ended.abort(new GatewayError('upstream_timeout')), hop.timeoutMs);
  hop.signal.addEventListener('abort', onAbort, { once: true });
  closing.addEventListener('abort', onClosing, { once: true });
  return {
    signal: ended.signal,
    release() {
      clearTimeout(clock);
      hop.signal.removeEventListener('abort', onAbort);
      closing.removeEventListener('abort', onClosing);
    },
  };
}
