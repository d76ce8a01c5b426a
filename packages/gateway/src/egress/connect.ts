import { lookup } from 'node:dns/promises';
import { isIP, type Socket } from 'node:net';
import { Agent, buildConnector } from 'undici';
import { type AddressCheck, type AllowedAddresses, createAddressCheck, isLoopback } from './addresses.ts';

/** All addresses of a host name. */
export type Resolve = (hostname: string) => Promise<readonly string[]>;

/** Where a connection goes: to one address, whatever its name says by then. */
export interface ConnectTarget {
  readonly address: string;
  readonly port: number;
  /** The name that the certificate must be for; absent for plain HTTP. */
  readonly servername?: string;
}

/** Opens a socket, with TLS where the target has a server name; verifies the certificate against that name. */
export type Connect = (target: ConnectTarget) => Promise<Socket>;

/** Something left unasked because of where it would have gone, or cut short because of what came back. */
export class EgressError extends Error {
  override readonly name = 'EgressError';
}

/** What the guarded connector is made of. */
export interface GuardedConnectorOptions {
  readonly resolve?: Resolve;
  readonly connect?: Connect;
  readonly allow?: AllowedAddresses;
}

/**
 * A connector for undici that cannot be made to reach an address that is not lawful. The name is resolved once, every address of
 * it is checked (one that is not lawful spoils the name: that is how rebinding looks), and the connection goes to the first of
 * them that answers.
 */
export function createGuardedConnector(options: GuardedConnectorOptions): buildConnector.connector {
  const { resolve = resolveWithSystem, connect = connectWithSystem, allow = {} } = options;
  const mayReach = createAddressCheck(allow);
  return ({ hostname, port, protocol }, callback) => {
    const isTls = protocol === 'https:';
    open({ hostname, port: Number(port) || (isTls ? 443 : 80), isTls }, { resolve, connect, mayReach }).then(
      (socket) => callback(null, socket),
      (error: unknown) => callback(error instanceof Error ? error : new EgressError(String(error)), null),
    );
  };
}

interface Wanted {
  readonly hostname: string;
  readonly port: number;
  readonly isTls: boolean;
}

interface Means {
  readonly resolve: Resolve;
  readonly connect: Connect;
  readonly mayReach: AddressCheck;
}

/** So many of the addresses of a name are tried: it is a stranger who says how many there are. */
const mostTries = 4;

async function open({ hostname, port, isTls }: Wanted, { resolve, connect, mayReach }: Means): Promise<Socket> {
  const host = hostname.replace(/^\[|\]$/g, '');
  const addresses = isIP(host) === 0 ? await resolve(host) : [host];
  if (!addresses.every(mayReach)) throw new EgressError(`${host} is at an address that must not be reached`);
  if (!isTls && !addresses.every(isLoopback)) throw new EgressError(`${host} is asked without TLS`);
  let failure: unknown = new EgressError(`${host} has no address`);
  for (const address of addresses.slice(0, mostTries)) {
    try {
      return await connect({ address, port, ...(isTls && { servername: host }) });
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

async function resolveWithSystem(hostname: string): Promise<readonly string[]> {
  return (await lookup(hostname, { all: true, order: 'verbatim' })).map(({ address }) => address);
}

const connectTimeoutMs = 5_000;
const system = buildConnector({ timeout: connectTimeoutMs, maxCachedSessions: 0 });

function connectWithSystem({ address, port, servername }: ConnectTarget): Promise<Socket> {
  const protocol = servername === undefined ? 'http:' : 'https:';
  // A server name that is an address is for the certificate alone: TLS has no such names to send.
  const name = servername === undefined || isIP(servername) !== 0 ? {} : { servername };
  return new Promise((resolve, reject) => {
    system({ hostname: address, host: address, protocol, port: String(port), ...name }, (error, socket) => {
      // A connector that fails passes no socket at all, though its type says `null`.
      if (socket) resolve(socket);
      else reject(error ?? new EgressError(`${address} cannot be reached`));
    });
  });
}

/** How much an answer may be, beside its body. */
const maxHeaderBytes = 16 * 1024;

/** An agent that opens every connection with a guarded connector, and keeps none open for long. */
export function createGuardedAgent(connector: buildConnector.connector, timeoutMs: number): Agent {
  return new Agent({
    connect: connector,
    connections: 4,
    pipelining: 1,
    keepAliveTimeout: 1_000,
    keepAliveMaxTimeout: 5_000,
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    maxHeaderSize: maxHeaderBytes,
  });
}
