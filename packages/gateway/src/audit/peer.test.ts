import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { peerNetwork } from './peer.ts';

describe('a peer', () => {
  it.each([
    ['192.0.2.7', '192.0.2.7'],
    ['local', 'local'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:DB8:0001:2::6', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['64:ff9b::192.0.2.1', '64:ff9b:0:0::/64'],
  ])('%s is counted as %s', (peer, network) => {
    expect(peerNetwork(peer)).toBe(network);
  });

  it('is counted the same for every address of its IPv6 network, and twice the same', () => {
    fc.assert(
      fc.property(fc.ipV6(), fc.string(), (a, b) => {
        const network = peerNetwork(a);
        expect(peerNetwork(network)).toBe(network);
        expect(peerNetwork(a.toUpperCase())).toBe(network);
        expect(typeof peerNetwork(b)).toBe('string');
      }),
    );
  });
});
