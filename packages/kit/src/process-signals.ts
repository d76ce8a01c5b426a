import type { Logger } from 'pino';

/**
 * Ends the process well: the first SIGTERM or SIGINT drains and exits, the second exits at once. Also keeps a rejection
 * that a handler left behind from ending the process. Returns the function that takes all of it back.
 */
export function obeySignals(drain: () => Promise<void>, log: Logger): () => void {
  let asked = false;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (asked) process.exit(1);
    asked = true;
    log.info({ signal }, 'finishing what is in flight');
    drain().then(
      () => process.exit(0),
      (err: unknown) => {
        log.error({ err }, 'could not finish');
        process.exit(1);
      },
    );
  };
  const onRejection = (err: unknown): void => log.error({ err }, 'a rejection that nobody handled');
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal).on('unhandledRejection', onRejection);
  return () => {
    process.off('SIGTERM', onSignal).off('SIGINT', onSignal).off('unhandledRejection', onRejection);
  };
}
