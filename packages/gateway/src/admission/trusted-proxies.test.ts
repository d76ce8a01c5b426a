import { expect, test } from 'vitest';
import { canonicalAddress, isLoopback, peerGroup } from './address.ts';
import { createIsTrusted, createPeerOf } from './trusted-proxies.ts';

const proxies = ['10.0.0.0/8', '192.168.1.1', 'fd00::/8'];

test.each([
  ['no proxy between: the header is the caller’s invention', '203.0.113.9', '1.2.3.4', '203.0.113.9'],
  ['one proxy', '10.1.1.1', '203.0.113.9', '203.0.113.9'],
  ['one proxy, and what the caller made up before it', '10.1.1.1', '1.2.3.4, 203.0.113.9', '203.0.113.9'],
  ['two proxies', '10.1.1.1', '203.0.113.9, 192.168.1.1', '203.0.113.9'],
  ['a proxy that is not ours in the middle', '10.1.1.1', '1.2.3.4, 198.51.100.1, 10.2.2.2', '198.51.100.1'],
  ['only proxies', '10.1.1.1', '10.3.3.3, 10.2.2.2', '10.3.3.3'],
  ['no header', '10.1.1.1', undefined, '10.1.1.1'],
  ['an empty header', '10.1.1.1', '', '10.1.1.1'],
  ['rubbish ends the walk', '10.1.1.1', '1.2.3.4, nonsense, 10.2.2.2', '10.2.2.2'],
  ['"unknown" ends the walk', '10.1.1.1', 'unknown', '10.1.1.1'],
  ['ports are dropped', '10.1.1.1', '203.0.113.9:4711', '203.0.113.9'],
  ['IPv6 with a port', 'fd00::1', '[2001:db8::7]:443', '2001:db8:0:0:0:0:0:7'],
  ['IPv4 inside IPv6 is the proxy all the same', '::ffff:10.1.1.1', '203.0.113.9', '203.0.113.9'],
  ['spaces do not matter', '10.1.1.1', '  203.0.113.9  ', '203.0.113.9'],
  ['a Unix socket', undefined, '203.0.113.9', 'local'],
])('%s', (_, socket, header, peer) => {
  expect(createPeerOf(proxies)(socket, header)).toBe(peer);
});

test('without proxies the header is never believed', () => {
  expect(createPeerOf([])('127.0.0.1', '203.0.113.9')).toBe('127.0.0.1');
});

test('a long header costs one pass', () => {
  const header = Array(20_000).fill('10.0.0.1').join(',');
  expect(createPeerOf(proxies)('10.1.1.1', header)).toBe('10.0.0.1');
});

test('what is no range is an error at start, not a proxy nobody named', () => {
  expect(() => createPeerOf(['10.0.0.0.0/8'])).toThrow(RangeError);
  expect(() => createPeerOf(['10.0.0.0/99'])).toThrow();
});

test('only addresses in the ranges are trusted', () => {
  const isTrusted = createIsTrusted(proxies);
  expect(['10.255.0.1', '192.168.1.1', '::ffff:10.0.0.1', 'fd12::1'].map(isTrusted)).toEqual([true, true, true, true]);
  expect(['11.0.0.1', '192.168.1.2', '::1', 'local', ''].map(isTrusted)).toEqual([false, false, false, false, false]);
});

test('an address has one spelling', () => {
  const spellings = [
    '2001:db8::1',
    '2001:DB8:0:0::1',
    '2001:0db8:0000:0000:0000:0000:0000:0001',
    '2001:db8::0.0.0.1',
    '2001:db8::1%eth0',
  ];
  expect(new Set(spellings.map(canonicalAddress))).toEqual(new Set(['2001:db8:0:0:0:0:0:1']));
  expect(canonicalAddress('::')).toBe('0:0:0:0:0:0:0:0');
  expect(canonicalAddress('::ffff:127.0.0.1')).toBe('127.0.0.1');
  expect(canonicalAddress('1::')).toBe('1:0:0:0:0:0:0:0');
  expect(canonicalAddress('localhost')).toBeUndefined();
});

test('IPv6 addresses of one /64 are one peer, IPv4 addresses are each their own', () => {
  expect(peerGroup('2001:db8:1:2:3:4:5:6')).toBe(peerGroup('2001:db8:1:2::'));
  expect(peerGroup('2001:db8:1:2::')).not.toBe(peerGroup('2001:db8:1:3::'));
  expect(peerGroup('::ffff:1.2.3.4')).toBe('1.2.3.4');
  expect(peerGroup('1.2.3.4')).not.toBe(peerGroup('1.2.3.5'));
});

test('this machine is known by its addresses only', () => {
  expect(['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1'].every(isLoopback)).toBe(true);
  expect(['10.0.0.1', '::2', 'localhost', '::127.0.0.1'].some(isLoopback)).toBe(false);
});
