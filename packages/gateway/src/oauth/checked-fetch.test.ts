import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCheckedFetch, isPublic } from './checked-fetch.ts';

let server: Server;
let port: number;
let asked = 0;
const closed = createCheckedFetch({ allows: () => false });
const open = createCheckedFetch({ allows: (address) => address === '127.0.0.1' });

beforeAll(async () => {
  server = createServer((request, response) => {
    asked++;
    if (request.url === '/away') response.writeHead(302, { location: '/' });
    response.end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ({ port } = server.address() as AddressInfo);
});
afterAll(async () => {
  await Promise.all([closed.close(), open.close()]);
  server.close();
});

const options = () => ({ headers: {}, redirect: 'error', signal: AbortSignal.timeout(5_000) }) as const;

describe('a document on the internet', () => {
  it.each([
    'http://127.0.0.1',
    'http://127.1',
    'http://0x7f000001',
    'http://2130706433',
    'http://0.0.0.0',
    'http://localhost',
    'http://[::1]',
    'http://[::ffff:127.0.0.1]',
    'http://169.254.169.254',
    'http://[fe80::1]',
  ])('is not at %s', async (origin) => {
    const before = asked;
    await expect(closed.fetch(`${origin}:${port}/`, options())).rejects.toThrow();
    expect(asked).toBe(before);
  });

  it('may be where it is allowed to be, by address or by name', async () => {
    for (const host of ['127.0.0.1', 'localhost']) {
      const response = await open.fetch(`http://${host}:${port}/`, options());
      expect(await response.json()).toEqual({});
    }
  });

  it('is not behind a redirect', async () => {
    const before = asked;
    await expect(open.fetch(`http://127.0.0.1:${port}/away`, options())).rejects.toThrow();
    expect(asked).toBe(before + 1);
  });
});

describe('an address', () => {
  it.each(['1.1.1.1', '8.8.8.8', '172.32.0.1', '100.128.0.1', '2606:4700::1111', '2a00:1450:4001::1'])(
    '%s is on the internet',
    (address) => expect(isPublic(address)).toBe(true),
  );

  it.each([
    ...['10.1.2.3', '172.16.0.1', '192.168.1.1', '100.64.0.1', '169.254.169.254', '127.0.0.1', '0.0.0.0', '224.0.0.1'],
    ...['255.255.255.255', '198.18.0.1', '192.0.0.192', '::', '::1', '::ffff:8.8.8.8', '64:ff9b::a00:1', 'fd00::1'],
    ...['fe80::1', 'fec0::1', 'ff02::1', '2002:a00:1::', '2001:0:1::', '2001:db8::1', '100::1', 'fd00:ec2::254'],
    ...['', 'localhost', '1.2.3', '::1%lo'],
  ])('%s is not', (address) => {
    expect(isPublic(address)).toBe(false);
  });
});
