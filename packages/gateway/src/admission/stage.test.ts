import { GatewayError, type Origin, type RateLimiter } from '@sallyport/core';
import { expect, test } from 'vitest';
import { boundHostsOf, type HostOriginOptions, hostOrigin } from './host-origin.ts';
import type { Arrival } from './kind.ts';
import { peerFlood } from './peer-flood.ts';
import { createAdmit } from './stage.ts';

const arrival = (facts: Partial<Origin>): Arrival => ({
  origin: { transport: 'http', peer: '203.0.113.9', era: 'modern', ...facts },
});

async function reasonOf(run: () => unknown): Promise<string> {
  try {
    await run();
    return 'admitted';
  } catch (error) {
    if (error instanceof GatewayError) return error.reason;
    throw error;
  }
}

const options: HostOriginOptions = {
  boundHosts: () => ['192.0.2.7'],
  scheme: 'http',
  publicUrl: 'https://mcp.example.com',
  allowedHosts: ['inside.example', 'Other.Example:8443'],
  allowedOrigins: ['https://app.example'],
};
const ask = (facts: Partial<Origin>) => reasonOf(() => hostOrigin(options).admit(arrival(facts)));

test.each([
  'localhost',
  'localhost:3000',
  'LOCALHOST:1',
  'localhost.',
  '127.0.0.1:3000',
  '127.8.8.8',
  '[::1]:3000',
  '[0:0:0:0:0:0:0:1]',
  '192.0.2.7:3000',
  '[::ffff:192.0.2.7]',
  'mcp.example.com',
  'mcp.example.com:443',
  'MCP.Example.com',
  'inside.example:99',
  'inside.example',
  'other.example:8443',
])('the host %s is ours', async (host) => {
  expect(await ask({ host })).toBe('admitted');
});

test.each([
  undefined,
  '',
  'evil.example',
  'localhost.evil.example',
  'evil.example:3000',
  '127.0.0.1.evil.example',
  'mcp.example.com.evil.example',
  'other.example',
  'other.example:1',
  '192.0.2.8',
  '0.0.0.0',
  '[::]',
  'localhost@evil.example',
  'evil.example/localhost',
  'localhost:3000:4000',
  'localhost, evil.example',
  'localhost:x',
  ' localhost',
])('the host %s is not', async (host) => {
  expect(await ask(host === undefined ? {} : { host })).toBe('origin_refused');
});

test.each([
  [undefined, 'admitted'],
  ['http://localhost:3000', 'admitted'],
  ['https://mcp.example.com', 'admitted'],
  ['https://app.example', 'admitted'],
  ['null', 'origin_refused'],
  ['', 'origin_refused'],
  ['http://localhost:3001', 'origin_refused'],
  ['https://localhost:3000', 'origin_refused'],
  ['http://127.0.0.1:3000', 'origin_refused'],
  ['http://app.example', 'origin_refused'],
  ['https://app.example.evil.example', 'origin_refused'],
  ['https://evil.example', 'origin_refused'],
  ['chrome-extension://abcdef', 'origin_refused'],
])('a page of %s: %s', async (browserOrigin, expected) => {
  expect(await ask({ host: 'localhost:3000', ...(browserOrigin !== undefined && { browserOrigin }) })).toBe(expected);
});

test('default ports are the same whether written or not', async () => {
  expect(await ask({ host: 'inside.example:80', browserOrigin: 'http://inside.example' })).toBe('admitted');
});

test('every transport that a browser could reach is guarded, the others have no host', async () => {
  for (const transport of ['http', 'ws', 'rest', 'admin'] as const)
    expect(await ask({ transport, host: 'evil.example' })).toBe('origin_refused');
  for (const transport of ['stdio', 'embedded', 'hop'] as const)
    expect(await ask({ transport, peer: 'local' })).toBe('admitted');
});

test('over a Unix socket any host will do, but a web page still may not', async () => {
  expect(await ask({ transport: 'admin', peer: 'local', host: 'sallyport' })).toBe('admitted');
  expect(await ask({ transport: 'admin', peer: 'local' })).toBe('admitted');
  expect(await ask({ transport: 'admin', peer: 'local', host: 'x', browserOrigin: 'https://evil.example' })).toBe(
    'origin_refused',
  );
});

test('a listener on all addresses answers to each of them, and to no made-up one', () => {
  expect(boundHostsOf('192.0.2.7')).toEqual(['192.0.2.7']);
  expect(boundHostsOf('0.0.0.0')).toContain('127.0.0.1');
  expect(boundHostsOf('::')).toContain('127.0.0.1');
  expect(boundHostsOf('0.0.0.0')).not.toContain('0.0.0.0');
});

/** Gives each key its burst and nothing more. */
function burstsOnly(): RateLimiter & { readonly keys: Map<string, number> } {
  const keys = new Map<string, number>();
  return {
    keys,
    take(key, limit) {
      const used = (keys.get(key) ?? 0) + 1;
      keys.set(key, used);
      return used <= limit.burst ? { allowed: true } : { allowed: false, retryAfterMs: 5 };
    },
  };
}

test('an address is refused when it sends too much, its neighbours are not', async () => {
  const check = peerFlood({ limiter: burstsOnly(), limit: { rate: 1, burst: 2 } });
  const from = (peer: string) => reasonOf(() => check.admit(arrival({ peer })));
  expect([await from('203.0.113.9'), await from('203.0.113.9'), await from('203.0.113.9')]).toEqual([
    'admitted',
    'admitted',
    'peer_limited',
  ]);
  expect(await from('203.0.113.10')).toBe('admitted');
  expect([await from('2001:db8::1'), await from('2001:db8::2'), await from('2001:db8::ffff:3')]).toEqual([
    'admitted',
    'admitted',
    'peer_limited',
  ]);
});

test('the refusal of a flood says when to come back', () => {
  const check = peerFlood({
    limiter: { take: () => ({ allowed: false, retryAfterMs: 7 }) },
    limit: { rate: 1, burst: 1 },
  });
  expect(() => check.admit(arrival({}))).toThrow(expect.objectContaining({ details: { retryAfterMs: 7 } }));
});

test('this machine has a hundred times as much, and so has a service on its hop', async () => {
  const check = peerFlood({ limiter: burstsOnly(), limit: { rate: 1, burst: 1 } });
  const service = { transport: 'hop', peer: 'service:posts/i1' } as const;
  for (const from of [{ peer: '127.0.0.1' }, { peer: '::1' }, { peer: 'local' }, service]) {
    for (let request = 0; request < 100; request++)
      expect(await reasonOf(() => check.admit(arrival(from)))).toBe('admitted');
    expect(await reasonOf(() => check.admit(arrival(from)))).toBe('peer_limited');
  }
});

test('a limiter that is far away is waited for, and its failure lets nobody in', async () => {
  const late = peerFlood({
    limiter: { take: async () => ({ allowed: false, retryAfterMs: 1 }) },
    limit: { rate: 1, burst: 1 },
  });
  expect(await reasonOf(() => createAdmit([late])(arrival({}) as never))).toBe('peer_limited');
  const broken = peerFlood({
    limiter: { take: () => Promise.reject(new Error('gone')) },
    limit: { rate: 1, burst: 1 },
  });
  await expect(Promise.resolve(createAdmit([broken])(arrival({}) as never))).rejects.toThrow('gone');
});

test('all checks are asked in order and the first objection counts', async () => {
  const seen: string[] = [];
  const check = (kind: string, objects: boolean) => ({
    kind,
    admit() {
      seen.push(kind);
      if (objects) throw new GatewayError('peer_limited');
    },
  });
  const admit = createAdmit([check('a', false), check('b', true), check('c', false)]);
  expect(await reasonOf(() => admit(arrival({}) as never))).toBe('peer_limited');
  expect(seen).toEqual(['a', 'b']);
});
