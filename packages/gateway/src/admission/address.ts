import { BlockList, isIP, isIPv4 } from 'node:net';

/** An IP address in its one canonical spelling, without zone; IPv4 inside IPv6 is IPv4. `undefined` for anything else. */
export function canonicalAddress(text: string): string | undefined {
  const bare = text.replace(/%.*$/, '');
  const family = isIP(bare);
  if (family === 0) return undefined;
  if (family === 4) return bare;
  const groups = toGroups(bare);
  const [a, b, c, d, e, f, high = 0, low = 0] = groups;
  if ([a, b, c, d, e].every((group) => group === 0) && f === 0xffff) {
    return [high >> 8, high & 255, low >> 8, low & 255].join('.');
  }
  return groups.map((group) => group.toString(16)).join(':');
}

/** Who shares a budget: one IPv4 address; of IPv6 the /64, which is what one household or one machine is given. */
export function peerGroup(address: string): string {
  const canonical = canonicalAddress(address);
  if (canonical === undefined) return address;
  return isIPv4(canonical) ? canonical : `${canonical.split(':').slice(0, 4).join(':')}::/64`;
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Whether an address is this machine's own. */
export function isLoopback(address: string): boolean {
  const canonical = canonicalAddress(address);
  if (canonical === undefined) return false;
  return loopback.check(canonical, isIPv4(canonical) ? 'ipv4' : 'ipv6');
}

/** The eight 16-bit groups of a valid IPv6 address. */
function toGroups(text: string): readonly number[] {
  const [head = '', tail] = expandTail(text).split('::');
  const parse = (part: string) => (part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16)));
  const before = parse(head);
  const after = tail === undefined ? [] : parse(tail);
  return [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after];
}

/** `::ffff:1.2.3.4` → `::ffff:102:304`. */
function expandTail(text: string): string {
  const at = text.lastIndexOf(':') + 1;
  const last = text.slice(at);
  if (!last.includes('.')) return text;
  const [a = 0, b = 0, c = 0, d = 0] = last.split('.').map(Number);
  return `${text.slice(0, at)}${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
}
