import { lstatSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { systemCode } from '../exit.ts';
import { bad, type Finding, good, unknown } from './finding.ts';

const floor = [24, 9] as const;
/** A clock before this is certainly wrong: tokens would be refused or live too long. */
const notBefore = Date.UTC(2026, 0, 1);
const connectTimeoutMs = 2_000;

/** Whether this Node can run Sallyport. */
export function checkNode(version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const isEnough = major > floor[0] || (major === floor[0] && minor >= floor[1]);
  if (isEnough) return good('Node.js', version);
  return bad('Node.js', version, `Install ${floor.join('.')} or newer.`);
}

/** Whether the clock is plausible: expiry of tokens and the order of records depend on it. */
export function checkClock(nowMs: number): Finding {
  const seen = new Date(nowMs).toISOString();
  return nowMs >= notBefore ? good('clock', seen) : bad('clock', seen, 'Set the clock; tokens expire by it.');
}

/** Whether a file or folder that holds secrets is for its owner alone. Absent is well: it is made when needed. */
export function checkPrivate(what: string, path: string): Finding {
  if (process.platform === 'win32') return unknown(what, 'Windows has no permission bits to look at');
  try {
    const stats = lstatSync(path);
    const open = stats.mode & 0o077;
    const mode = (stats.mode & 0o777).toString(8).padStart(3, '0');
    if (open !== 0)
      return bad(
        what,
        `${path} has mode ${mode}: others can get in`,
        `chmod ${stats.isDirectory() ? '700' : '600'} '${path}'`,
      );
    if (stats.uid !== process.getuid?.() && stats.uid !== 0) {
      return bad(
        what,
        `${path} belongs to another user (uid ${stats.uid})`,
        `chown it to the user that runs the gateway.`,
      );
    }
    return good(what, `${path} (mode ${mode})`);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return good(what, `${path} is not there yet: it is made at the first start`);
    return bad(
      what,
      `${path} cannot be looked at (${systemCode(error) ?? 'unknown'})`,
      'Check the permissions of the folders above it.',
    );
  }
}

/** Whether a port can be listened on. 0 always can. */
export function checkPort(
  what: string,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<Finding> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error) => {
      const why =
        systemCode(error) === 'EADDRINUSE' ? 'is taken' : `cannot be used (${systemCode(error) ?? error.message})`;
      const advice =
        'Is a gateway running already? Else stop the other program, or change the port in the configuration.';
      resolve(bad(what, `${host}:${port} ${why}`, advice));
    });
    server.listen({ host, port, exclusive: true }, () => {
      server.close(() => resolve(good(what, `${host}:${port} is free`)));
    });
  });
}

/** Whether something answers at the address of a service: `unix:/path`, `tls:host:port`, `mtls:host:port` or an HTTP URL. */
export function checkReachable(what: string, address: string): Promise<Finding> {
  return new Promise((resolve) => {
    const socket = connect(endpoint(address));
    const settle = (finding: Finding) => {
      socket.destroy();
      resolve(finding);
    };
    const unreachable = (why: string) =>
      settle(bad(what, `nothing answers at ${address} (${why})`, 'Start the service, or correct its address.'));
    socket.setTimeout(connectTimeoutMs, () => unreachable('timeout'));
    socket.once('connect', () => settle(good(what, `${address} answers`)));
    socket.once('error', (error) => unreachable(systemCode(error) ?? 'unknown'));
  });
}

function endpoint(address: string): { readonly path: string } | { readonly host: string; readonly port: number } {
  if (address.startsWith('unix:')) return { path: address.slice('unix:'.length) };
  const url = new URL(address.replace(/^m?tls:/, 'tls://'));
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port };
}
