import type { GatewayConfig, RunningGateway } from '@sallyport/gateway';

/** A server on this machine says what it offers well within this; an `npx` that downloads first may not. */
const patienceMs = 10_000;

/**
 * Waits until the services that `run` does not start itself (`stdio`, `address`) have said what they offer, so that the
 * token that is made next has their scopes. Gives up after ten seconds.
 *
 * @returns the names of those that have said nothing, in the order of the configuration.
 */
export async function untilServersAnswer(
  gateway: Pick<RunningGateway, 'services' | 'onChange'>,
  config: Pick<GatewayConfig, 'services'>,
  waitMs: number = patienceMs,
): Promise<readonly string[]> {
  const names = Object.entries(config.services).flatMap(([name, { kind }]) => (kind === 'command' ? [] : [name]));
  const silent = (): readonly string[] => {
    const there = gateway.services().flatMap(({ name, instances }) => (instances > 0 ? [name] : []));
    return names.filter((name) => !there.includes(name));
  };
  if (silent().length === 0) return [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, waitMs).unref();
  const stop = gateway.onChange(() => silent().length === 0 && resolve());
  await promise;
  clearTimeout(timer);
  stop();
  return silent();
}
