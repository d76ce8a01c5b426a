import { BlockList, isIP } from 'node:net';

/** Which addresses may be reached beside those of the public Internet. */
export interface AllowedAddresses {
  /** This machine: for development and tests. Also makes plain `http` lawful, for this machine only. */
  readonly loopback?: boolean;
  /** CIDRs of a company's own network. */
  readonly ranges?: readonly string[];
}

/** Whether an IP address, as the operating system writes it, may be connected to. */
export type AddressCheck = (address: string) => boolean;

/** Special-purpose IPv4 blocks (RFC 6890 and its registry): private, shared (CGNAT), link-local with metadata services, … */
const specialIpv4: readonly (readonly [net: string, prefix: number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.31.196.0', 24],
  ['192.52.193.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['192.175.48.0', 24],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
];

/**
 * IPv6 is public only in 2000::/3, so everything else is refused, whatever it may mean one day: loopback, IPv4 in IPv6,
 * NAT64 (`64:ff9b::/96`), ULA, link-local, multicast. The rest are the special blocks inside: Teredo and ORCHID,
 * documentation, 6to4.
 */
const specialIpv6: readonly (readonly [net: string, prefix: number])[] = [
  ['::', 3],
  ['4000::', 2],
  ['8000::', 1],
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
];

/** One list for each family: an IPv4 address is in the IPv6 ranges that its spelling inside IPv6 is in. */
const special = { ipv4: new BlockList(), ipv6: new BlockList() };
for (const [net, prefix] of specialIpv4) special.ipv4.addSubnet(net, prefix, 'ipv4');
for (const [net, prefix] of specialIpv6) special.ipv6.addSubnet(net, prefix, 'ipv6');

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Makes the check. @throws RangeError for a range that is none. */
export function createAddressCheck({ loopback: mayLoopback = false, ranges = [] }: AllowedAddresses): AddressCheck {
  const own = new BlockList();
  for (const range of ranges) addRange(own, range);
  return (address) => {
    const family = familyOf(address);
    if (family === undefined) return false;
    if (mayLoopback && isLoopback(address)) return true;
    return !special[family].check(address, family) || own.check(address, family);
  };
}

/** Whether an IP address is this machine's. IPv4 written inside IPv6 is not: nobody asks for that in good faith. */
export function isLoopback(address: string): boolean {
  const family = familyOf(address);
  if (family === undefined || (family === 'ipv6' && address.includes('.'))) return false;
  return loopback.check(address, family);
}

/** An address with a zone (`fe80::1%eth0`) is of no family: it means something on this machine's links only. */
function familyOf(address: string): 'ipv4' | 'ipv6' | undefined {
  if (address.includes('%')) return undefined;
  const family = isIP(address);
  return family === 0 ? undefined : family === 4 ? 'ipv4' : 'ipv6';
}

function addRange(list: BlockList, range: string): void {
  const [net = '', prefix] = range.split('/');
  const family = familyOf(net);
  if (family === undefined) throw new RangeError(`not an address range: ${range}`);
  if (prefix === undefined) list.addAddress(net, family);
  else list.addSubnet(net, Number(prefix), family);
}
