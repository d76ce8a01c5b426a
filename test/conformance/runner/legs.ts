import type { Row } from './compare.ts';
import { type RunningFixture, startFixtureProcess } from './fixture.ts';
import { mounted, type Services, startClosedGateway, startOpenGateway, type TestedGateway } from './gateway.ts';
import { startInjector } from './injector.ts';

/** What stands between the suite and the fixture, ready to be tested. */
export interface OpenLeg {
  readonly url: string;
  /** Checks of our own at the end of a run, beside those of the suite; the direct run has none. */
  readonly ownChecks: () => readonly Row[];
  close(): Promise<void>;
}

/** A way from the suite to the fixture. */
export interface Leg {
  readonly name: string;
  readonly about: string;
  open(signal: AbortSignal): Promise<OpenLeg>;
}

/** All ways to the fixture; the first is the one that the others are compared with. */
export const serverLegs: readonly Leg[] = [
  { name: 'direct', about: 'the fixture itself', open: openDirect },
  { name: 'gateway', about: 'a gateway that lets everybody in', open: (signal) => openMount(signal, startOpenGateway) },
  {
    name: 'gateway-auth',
    about: 'a gateway with tokens, one added by an injector',
    open: (signal) => openMount(signal, startClosedGateway),
  },
  {
    name: 'ten',
    about: 'the same, the fixture being one of ten services',
    open: (signal) => openMount(signal, startClosedGateway, 9),
  },
];

async function openDirect(signal: AbortSignal): Promise<OpenLeg> {
  const { url, stop } = await startFixtureProcess(signal);
  return { url, ownChecks: () => [], close: stop };
}

/** The fixture mounted at a gateway, beside other services: all of them one more fixture, under different names. */
async function openMount(
  signal: AbortSignal,
  start: (services: Services) => Promise<TestedGateway>,
  others = 0,
): Promise<OpenLeg> {
  const closers: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  try {
    const fixtures: RunningFixture[] = [];
    for (let count = 0; count < (others > 0 ? 2 : 1); count++) {
      const fixture = await startFixtureProcess(signal);
      closers.push(fixture.stop);
      fixtures.push(fixture);
    }
    const [own, other = own] = fixtures;
    if (own === undefined || other === undefined) throw new Error('there is at least one fixture');
    const neighbours = Array.from({ length: others }, (_, index) => [`other-${index + 1}`, other.url] as const);
    const gateway = await start({ ...Object.fromEntries(neighbours), [mounted]: own.url });
    closers.push(gateway.close);
    await refuseIfNotMounted(gateway);
    if (gateway.token === undefined) return { url: gateway.mount.href, ownChecks: () => [], close };
    const injector = await startInjector(gateway.mount, gateway.token);
    closers.push(injector.close);
    return { url: injector.url, ownChecks: () => [injector.check()], close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Without this a gateway that mounts nothing fails every check with a message that does not say why. */
async function refuseIfNotMounted({ mount, token }: TestedGateway): Promise<void> {
  const response = await fetch(mount, {
    method: 'POST',
    headers: {
      ...(token !== undefined && { Authorization: `Bearer ${token}` }),
      Accept: 'application/json, text/event-stream',
      'Content-Type': 'application/json',
      'MCP-Protocol-Version': '2026-07-28',
      'Mcp-Method': 'server/discover',
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'server/discover',
      params: {
        _meta: {
          'io.modelcontextprotocol/protocolVersion': '2026-07-28',
          'io.modelcontextprotocol/clientCapabilities': {},
        },
      },
    }),
  });
  if (response.ok) return;
  throw new Error(`${mount.pathname} answers server/discover with ${response.status}: ${await response.text()}`);
}
