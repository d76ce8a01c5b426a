import { PassThrough } from 'node:stream';
import { type Authenticator, type Call, notResponsible } from '@sallyport/core';
import {
  type Driver,
  embedded,
  httpLegacy,
  httpModern,
  httpSession,
  mounted,
  rest,
  type Seen,
  type SessionClient,
  stdio,
  ws,
} from '@sallyport/testkit';
import { createServiceCalls } from '../../packages/gateway/src/compose/service-calls.ts';
import type { transportDeps } from '../../packages/gateway/src/compose/serving.ts';
import { createEmbedded } from '../../packages/gateway/src/transport/embedded.ts';
import { serveStdio } from '../../packages/gateway/src/transport/stdio.ts';
import { bridgeStdio } from '../../packages/gateway/src/transport/stdio-bridge.ts';
import { hop } from './hop-driver.ts';
import { type Caller, principalOf } from './lab.ts';
import type { Way } from './ways.ts';

/** Where the drivers of a world go. */
export interface DriverParts {
  /** Called when a session is asked something. */
  readonly onAsked: () => void;
  /** The endpoint of everything. */
  readonly url: URL;
  readonly deps: ReturnType<typeof transportDeps>;
}

/** The view of a world that takes in everything it can. */
export const wholeView = 'whole';

/** One maker of drivers for each way in. */
export function driverMakers({
  url,
  deps,
  onAsked,
}: DriverParts): Readonly<Record<Way, (token: string | undefined) => Driver>> {
  const at = (token: string | undefined, path = '') => ({
    url: new URL(`${url.pathname}${path}`, url),
    ...(token !== undefined && { token }),
  });
  const colorblind: SessionClient = {
    capabilities: { elicitation: {} },
    answer() {
      onAsked();
      return { action: 'accept', content: { color: 'grey' } };
    },
  };
  const stdioOf = (token: string | undefined) => () =>
    piped((streams) =>
      serveStdio(deps, { ...streams, presented: token === undefined ? { kind: 'none' } : { kind: 'bearer', token } }),
    );
  const bridgeOf = (token: string) => () =>
    piped((streams) => bridgeStdio({ ...streams, url, token, stderr: new PassThrough() }));
  return {
    'http-modern': (token) => httpModern(at(token)),
    'http-legacy': (token) => httpLegacy(at(token)),
    'http-session': (token) => httpSession({ ...at(token), ...colorblind }),
    mount: (token) => ({ ...mounted(httpModern(at(token, '/lab')), 'lab'), name: 'mount' }),
    'mount-session': (token) => ({
      ...mounted(httpSession({ ...at(token, '/lab'), ...colorblind }), 'lab'),
      name: 'mount-session',
    }),
    view: (token) => ({ ...httpModern(at(token, `/views/${wholeView}`)), name: 'view' }),
    ws: (token) => ws(at(token)),
    'ws-session': (token) => ws({ ...at(token), client: colorblind }),
    'ws-message-token': (token) => ws({ ...at(token), tokenIn: 'message' }),
    stdio: (token) => stdio({ start: stdioOf(token) }),
    'stdio-session': (token) => stdio({ start: stdioOf(token), client: colorblind, name: 'stdio-session' }),
    'bridge-session': (token = '') => stdio({ start: bridgeOf(token), client: colorblind, name: 'bridge-session' }),
    // The bridge mirrors arguments into headers for tools that it has seen listed, as its hosts list them first.
    'stdio-bridge': (token = '') => {
      const driver = stdio({ start: bridgeOf(token), name: 'stdio-bridge' });
      return principalOf(token as Caller) === undefined ? driver : listingFirst(driver);
    },
    rest: (token) => rest(at(token)),
    embedded: (token) => embedded(createEmbedded(deps), token),
    hop: (token = '') => hop(createServiceCalls({ ...deps, pipeline: Promise.resolve(deps.pipeline) }).onInvoke, token),
  };
}

/** On a hop a caller is the service that the connection belongs to, by the same names. */
export function serviceCaller(bearers: Authenticator): Authenticator {
  return {
    authenticate({ presented, origin }: Pick<Call, 'presented' | 'origin'>) {
      if (presented.kind !== 'service') return notResponsible;
      return bearers.authenticate({ presented: { kind: 'bearer', token: presented.service }, origin });
    },
  };
}

function listingFirst(driver: Driver): Driver {
  let listed: Promise<Seen> | undefined;
  return {
    ...driver,
    list(what = 'tools') {
      const list = driver.list(what);
      if (what === 'tools') listed = list;
      return list;
    },
    async call(tool, args, options) {
      listed ??= driver.list();
      await listed;
      return driver.call(tool, args, options);
    },
  };
}

interface Streams {
  readonly stdin: PassThrough;
  readonly stdout: PassThrough;
}

function piped(serve: (streams: Streams) => Promise<void>): Streams {
  const streams = { stdin: new PassThrough(), stdout: new PassThrough() };
  void serve(streams).finally(() => streams.stdout.end());
  return streams;
}
