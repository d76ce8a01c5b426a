import { isIPv6 } from 'node:net';

/** Whoever has one IPv6 address has at least 2^64 of them. */
const groupsOfNetwork = 4;

/** Under which name a peer's refusals are counted: an IPv6 address by its /64 network, everything else as it is. */
export function peerNetwork(peer: string): string {
  const address = peer.split('%', 1)[0] ?? peer;
  if (!isIPv6(address)) return peer;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  const [before = '', after] = address.toLowerCase().split('::');
  const left = groups(before);
  const right = after === undefined ? [] : groups(after);
  const gap = Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => '0');
  const network = [...left, ...gap, ...right].slice(0, groupsOfNetwork);
  return `${network.map((group) => Number.parseInt(group, 16).toString(16)).join(':')}::/64`;
}

/** The 16-bit groups of one side of `::`; an IPv4 tail counts as two. */
function groups(side: string): string[] {
  if (side === '') return [];
  return side.split(':').flatMap((group) => (group.includes('.') ? ['0', '0'] : [group]));
}
