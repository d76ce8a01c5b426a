import { isIP } from 'node:net';

/** How a PostgreSQL server is reached, read from a URL. */
export interface PostgresAddress {
  /** A name or address, or the folder of a Unix socket. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
  /** Only when the URL as a whole is a secret. */
  readonly password?: string;
  /** Absent: no TLS. */
  readonly tls?: PostgresTls;
  /** What is set at the start of each connection (`-c name=value`). */
  readonly options?: string;
}

/** TLS to a server. The certificate of the server is always checked. */
export interface PostgresTls {
  /** False: it may be of another name than the one that was connected to. */
  readonly checkName: boolean;
  /** Files in PEM: authorities to trust instead of those of the system, and who we are. */
  readonly rootCertificate?: string;
  readonly certificate?: string;
  readonly key?: string;
}

const known = ['host', 'user', 'options', 'sslmode', 'sslrootcert', 'sslcert', 'sslkey'];
const modes = ['disable', 'verify-ca', 'verify-full'];

/**
 * Reads `postgres://user@host:port/database`, with the parameters of libpq that are known here. TLS with a check of the whole
 * certificate is the default for every host but this one. `host=/folder` is a Unix socket.
 *
 * @throws Error which names what to fix, and never the URL: it may hold a password.
 */
export function readPostgresUrl(text: string): PostgresAddress {
  const url = URL.parse(text);
  if (url === null || !['postgres:', 'postgresql:'].includes(url.protocol)) {
    throw new Error('the URL of the database is not of the form postgres://user@host:5432/database');
  }
  const unknown = [...url.searchParams.keys()].find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new Error(`the URL of the database has the parameter "${unknown}"; known are ${known.join(', ')}`);
  }
  const host = url.searchParams.get('host') ?? decodeURIComponent(url.hostname).replace(/^\[|\]$/g, '');
  const user = url.searchParams.get('user') ?? decodeURIComponent(url.username);
  const database = decodeURIComponent(url.pathname.slice(1)) || user;
  if (host === '') throw new Error('the URL of the database names no host');
  if (user === '') throw new Error('the URL of the database names no user');
  const tls = readTls(url.searchParams, host);
  const options = url.searchParams.get('options');
  return {
    ...{ host, port: url.port === '' ? 5432 : Number(url.port), user, database },
    ...(url.password !== '' && { password: decodeURIComponent(url.password) }),
    ...(tls !== undefined && { tls }),
    ...(options !== null && { options }),
  };
}

function readTls(parameters: URLSearchParams, host: string): PostgresTls | undefined {
  const mode = parameters.get('sslmode') ?? (isHere(host) ? 'disable' : 'verify-full');
  if (!modes.includes(mode)) {
    // `require` and `prefer` encrypt for whoever answers.
    throw new Error(`the URL of the database says sslmode=${mode}; known are ${modes.join(', ')}`);
  }
  if (mode === 'disable') return undefined;
  const file = (name: string) => parameters.get(name) ?? undefined;
  const [rootCertificate, certificate, key] = [file('sslrootcert'), file('sslcert'), file('sslkey')];
  if ((certificate === undefined) !== (key === undefined)) {
    throw new Error('the URL of the database names one of sslcert and sslkey without the other');
  }
  return {
    checkName: mode === 'verify-full',
    ...(rootCertificate !== undefined && { rootCertificate }),
    ...(certificate !== undefined && { certificate }),
    ...(key !== undefined && { key }),
  };
}

function isHere(host: string): boolean {
  if (host.startsWith('/') || host === 'localhost' || host === '::1') return true;
  return isIP(host) === 4 && host.startsWith('127.');
}
