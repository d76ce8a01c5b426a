import type { Logger } from 'pino';
import type { CallScope } from './call-context.ts';
import type { Environment } from './environment.ts';
import { parseHopAddress } from './hop/address.ts';
import { checkIdentity } from './hop/connect.ts';
import { readCredentialFile } from './hop/credential-file.ts';
import { accept, dial, type LinkOptions, type Links } from './hop/links.ts';
import type { HopCertificates } from './hop/mutual.ts';
import { nodeCrypto } from './hop/node-crypto.ts';
import { type McpEndpoint, type McpOptions, startMcpEndpoint } from './mcp/endpoint.ts';
import type { NewsDesk } from './news.ts';
import { obeySignals } from './process-signals.ts';
import type { Runner } from './runner.ts';
import { CallError } from './tool-error.ts';
import type { CallTool } from './tool-options.ts';
import type { ReadyTable } from './tool-table.ts';

/** Where a service is to be reached. What is absent is taken from the environment that `sallyport run` sets. */
export interface ListenOptions {
  /** Dials this gateway: `unix:/path`, `tls:host:port` or, with certificates, `mtls:host:port`. Default: `SALLYPORT_HOP`. */
  readonly hop?: string;
  /** Listens here for a gateway that dials: `unix:/path`, `tls:host:port` or `mtls:host:port`. Default: `SALLYPORT_LISTEN`. */
  readonly listen?: string;
  /** A 0600 file with this service's credential. Default: `SALLYPORT_CREDENTIAL_FILE`. */
  readonly credentialFile?: string;
  /** For `mtls:`. Default: `SALLYPORT_TLS_CERT`, `_KEY`, `_CA` and `_GATEWAY`. */
  readonly certificates?: HopCertificates;
  /** Serves MCP clients directly, beside or without a gateway. */
  readonly mcp?: McpOptions;
  /** Whether SIGTERM and SIGINT drain and end the process. Default: true. */
  readonly signals?: boolean;
}

/** A service that runs. */
export interface Listening {
  /** The URL for MCP clients, if asked for. */
  readonly mcpUrl?: string;
  /** Whether a gateway has taken the announcement, right now. */
  readonly connected: boolean;
  /** Calls another service in this one's own name. */
  readonly call: CallTool;
  /** Takes no new calls, finishes those in flight for up to ten seconds, then closes. */
  close(): Promise<void>;
}

/** What listening needs of a service. */
export interface Served {
  readonly instance: string;
  readonly table: ReadyTable;
  readonly runner: Runner;
  readonly news: NewsDesk;
  readonly log: Logger;
  readonly environment: Environment;
}

const noticeTimeoutMs = 1_000;
const drainTimeoutMs = 10_000;
const lastWriteTimeoutMs = 1_000;

/** Opens the faces that are asked for. Throws when there is none, or one cannot be opened; nothing is open then. */
export async function listen(served: Served, options: ListenOptions): Promise<Listening> {
  const { table, runner, news, log } = served;
  const hops = hopOptions(served, options);
  if (hops.length === 0 && options.mcp === undefined) throw new Error(nowhere);
  for (const { address, identity } of hops) await checkIdentity(address, identity);

  const links: Links[] = [];
  const callAlone = (scope: CallScope | undefined): CallTool => {
    const session = links.flatMap((each) => each.sessions())[0];
    return session === undefined ? noGateway : session.callAlone(scope);
  };
  const { manifest } = table;
  // A call that did not come over a hop has no parent that a gateway would know of: it calls in the service's own name.
  const mcpOptions = options.mcp && {
    ...options.mcp,
    manifest,
    runner,
    news,
    log,
    nowMs: served.environment.nowMs,
    callTool: callAlone,
  };
  const mcp = mcpOptions && (await startMcpEndpoint(mcpOptions));
  try {
    for (const { open, ...link } of hops) links.push(await open(link));
  } catch (error) {
    await closeAll({ links, mcp, runner });
    throw error;
  }
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    // Signals are obeyed until the end: the second one is to cut this short.
    closing ??= closeAll({ links, mcp, runner }).finally(restore);
    return closing;
  };
  const restore = options.signals === false ? (): void => undefined : obeySignals(close, log);
  log.info({ tools: manifest.tools.length, ...(mcp && { mcp: mcp.url }) }, 'listening');
  return {
    ...(mcp && { mcpUrl: mcp.url }),
    get connected() {
      return links.some((each) => each.sessions().length > 0);
    },
    call: (tool, args, callOptions) => callAlone(undefined)(tool, args, callOptions),
    close,
  };
}

interface Open {
  readonly links: readonly Links[];
  readonly mcp: McpEndpoint | undefined;
  readonly runner: Runner;
}

async function closeAll({ links, mcp, runner }: Open): Promise<void> {
  const sessions = links.flatMap((each) => each.sessions());
  for (const each of links) each.stop();
  // Calls that crossed the notice on the wire are served like those before it.
  await within(noticeTimeoutMs, Promise.all(sessions.map((session) => session.announceDraining())));
  await within(drainTimeoutMs, runner.drain());
  for (const session of sessions) session.close();
  // What was written last must leave before the process does.
  await within(lastWriteTimeoutMs, Promise.all(sessions.map((session) => session.closed)));
  await mcp?.close();
}

const nowhere =
  'There is nowhere to listen: start the service with `sallyport run`, set SALLYPORT_HOP or SALLYPORT_LISTEN and ' +
  'SALLYPORT_CREDENTIAL_FILE, or pass { mcp: { port, token } } or { mcp: { port, gateway } }.';

type Hop = LinkOptions & { readonly open: (options: LinkOptions) => Promise<Links> };

function hopOptions(
  { instance, table, runner, news, log, environment }: Served,
  options: ListenOptions,
): readonly Hop[] {
  const { manifest } = table;
  const file = options.credentialFile ?? environment.credentialFile;
  const { nowMs, random } = environment;
  const hop = (text: string, open: Hop['open']): Hop => {
    const address = parseHopAddress(text);
    if (file === undefined && address.kind !== 'mtls') {
      throw new Error('A hop needs a credential: set SALLYPORT_CREDENTIAL_FILE');
    }
    const { service } = manifest;
    const credential = () => readCredentialFile(file ?? '', service);
    const identity = { service, credential, certificates: options.certificates ?? certificatesIn(environment) };
    return {
      manifest,
      instance,
      runner,
      news,
      log,
      nowMs,
      address,
      identity,
      crypto: nodeCrypto,
      random,
      open,
    };
  };
  const dialed = options.hop ?? environment.hop;
  const listened = options.listen ?? environment.listen;
  return [
    ...(dialed === undefined ? [] : [hop(dialed, dial)]),
    ...(listened === undefined ? [] : [hop(listened, accept)]),
  ];
}

function certificatesIn({ tls: { cert, key, ca, gateway } }: Environment): HopCertificates | undefined {
  if (cert === undefined || key === undefined || ca === undefined) return undefined;
  return { cert, key, ca, ...(gateway !== undefined && { gateway }) };
}

const noGateway: CallTool = async () => {
  throw new CallError('No gateway is connected.', { code: 'unavailable', reason: 'no_gateway' });
};

async function within(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work, limit]);
  clearTimeout(timer);
}
