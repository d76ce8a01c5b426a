import { type LookupAddress, type LookupOptions, lookup } from 'node:dns';
import { BlockList, isIP } from 'node:net';
import { Agent, fetch } from 'undici';

/** `fetch`, as far as asking for documents needs it. */
export type CheckedFetch = (
  url: string,
  options: {
    readonly headers: Readonly<Record<string, string>>;
    readonly redirect: 'error';
    readonly signal: AbortSignal;
  },
) => Promise<Response>;

/** What the check leans on. */
export interface CheckedFetchOptions {
  /** Addresses that may be reached although they are nobody's on the internet: the company's own network, this machine. */
  readonly allows: (address: string) => boolean;
}

/** An address that must not be reached. Says which name led there, for the operator's log. */
export class AddressRefused extends Error {
  override readonly name = 'AddressRefused';
}

/**
 * Makes a `fetch` that reaches only addresses of the internet, and those that are allowed: not this machine, not the network it
 * is in, not the metadata service of its cloud, whatever a name resolves to. The address that was checked is the one that is
 * connected to, so a name that changes its mind in between gains nothing. Redirects are errors.
 *
 * The sockets it keeps are let go of by `close`.
 */
export function createCheckedFetch({ allows }: CheckedFetchOptions): {
  readonly fetch: CheckedFetch;
  close(): Promise<void>;
} {
  const mayReach = (address: string): boolean => isPublic(address) || allows(address);
  const agent = new Agent({ connect: { lookup: checkedLookup(mayReach) } });
  return {
    async fetch(url, options) {
      // A socket looks up names only: an address in the URL goes straight to it.
      const host = new URL(url).hostname.replace(/^\[|\]$/g, '');
      if (isIP(host) !== 0 && !mayReach(host)) throw new AddressRefused(`${host} may not be reached`);
      const response = await fetch(url, { ...options, redirect: 'error', dispatcher: agent });
      return response as unknown as Response;
    },
    close: () => agent.close(),
  };
}

type LookupCallback = (error: NodeJS.ErrnoException | null, address: string | LookupAddress[], family?: number) => void;

function checkedLookup(mayReach: (address: string) => boolean) {
  return (host: string, options: LookupOptions, callback: LookupCallback): void => {
    lookup(host, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return callback(error, []);
      const good = addresses.filter(({ address }) => mayReach(address));
      const [first] = good;
      if (first === undefined) return callback(new AddressRefused(`${host} leads where nobody may go`), []);
      if (options.all === true) callback(null, good);
      else callback(null, first.address, first.family);
    });
  };
}

/** What is not on the internet (IANA special-purpose registries; RFC 6890 and its updates), and what only leads elsewhere. */
const special = new BlockList();
for (const range of [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24'],
  ...['192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24'],
  ...['224.0.0.0/4', '240.0.0.0/4'],
]) {
  const [base = '', length] = range.split('/');
  special.addSubnet(base, Number(length), 'ipv4');
}

/** Of IPv6 only what was ever given out; in that, tunnels and documentation are nobody's place either. */
const global6 = new BlockList();
global6.addSubnet('2000::', 3, 'ipv6');
for (const range of ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20']) {
  const [base = '', length] = range.split('/');
  special.addSubnet(base, Number(length), 'ipv6');
}

/** Whether an IP address is somebody's on the internet. IPv4 inside IPv6 is not: nobody has to be reached that way. */
export function isPublic(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return !special.check(address, 'ipv4');
  return family === 6 && global6.check(address, 'ipv6') && !special.check(address, 'ipv6');
}
