import { BlockList, isIP, isIPv4 } from 'node:net';
import { canonicalAddress } from './address.ts';

/**
 * Finds the address of the caller.
 *
 * @param socketAddress the other end of the socket; `undefined` for a Unix socket.
 * @param forwardedFor the `X-Forwarded-For` header, all of its lines joined with commas.
 * @returns an IP address in canonical spelling, or `local`.
 */
export type PeerOf = (socketAddress: string | undefined, forwardedFor?: string) => string;

/**
 * Tells whether an address is one of the proxies in `cidrs`. What is not an IP address never is.
 *
 * @throws RangeError when one of the ranges is none.
 */
export function createIsTrusted(cidrs: readonly string[]): (address: string) => boolean {
  const trusted = toBlockList(cidrs);
  return (address) => {
    const canonical = canonicalAddress(address);
    return canonical !== undefined && trusted.check(canonical, isIPv4(canonical) ? 'ipv4' : 'ipv6');
  };
}

/**
 * Believes `X-Forwarded-For` as far as it was written by the proxies in `cidrs`: from the right, the first address that
 * is not one of them. An entry that is no address ends the walk at the proxy that wrote it. Without proxies the header is
 * ignored. `Forwarded` (RFC 7239) is ignored always: a proxy that writes only the one lets callers make up the other.
 *
 * @param cidrs address ranges or single addresses.
 * @throws RangeError when one of them is not.
 */
export function createPeerOf(cidrs: readonly string[]): PeerOf {
  const isTrusted = createIsTrusted(cidrs);
  return (socketAddress, forwardedFor) => {
    if (socketAddress === undefined || socketAddress === '') return 'local';
    let peer = canonicalAddress(socketAddress) ?? socketAddress;
    if (cidrs.length === 0 || forwardedFor === undefined) return peer;
    const hops = forwardedFor.split(',');
    while (isTrusted(peer)) {
      const next = canonicalAddress(hopAddress(hops.pop() ?? ''));
      if (next === undefined) return peer;
      peer = next;
    }
    return peer;
  };
}

/** Some proxies add a port: `1.2.3.4:5678`, `[::1]:5678`. */
function hopAddress(hop: string): string {
  const text = hop.trim();
  const [, address] = /^\[([^\]]*)\](?::\d+)?$/.exec(text) ?? /^([\d.]+):\d+$/.exec(text) ?? [];
  return address ?? text;
}

/** IPv4 ranges are checked against IPv4 addresses, also when they arrive inside IPv6. */
function toBlockList(cidrs: readonly string[]): BlockList {
  const list = new BlockList();
  for (const cidr of cidrs) {
    const [base = '', length] = cidr.split('/');
    const family = isIP(base);
    if (family === 0) throw new RangeError(`not an address range: ${cidr}`);
    list.addSubnet(
      base,
      length === undefined ? (family === 4 ? 32 : 128) : Number(length),
      family === 4 ? 'ipv4' : 'ipv6',
    );
  }
  return list;
}
