import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect as dial, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GatewayConfig } from '../config/index.ts';
import { createIssuerFetch } from './issuer-fetch.ts';
import { createLifetime } from './lifetime.ts';

let server: Server;
let port: number;
let asked = 0;
const dialled: string[] = [];
const life = createLifetime();
const networks = { current: [] as readonly string[] };
const names: Readonly<Record<string, readonly string[]>> = {
  'login.example': ['93.184.216.34'],
  'intranet.example': ['10.1.2.3'],
  'trap.example': ['127.0.0.1'],
  localhost: ['127.0.0.1'],
};

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
  await life.close();
  server.close();
});

const fetchFor = createIssuerFetch(
  () => ({ auth: { issuerNetworks: networks.current } }) as unknown as GatewayConfig,
  life,
  {
    resolve: async (name) => names[name] ?? [],
    // Whatever address was lawful, the bytes end here.
    connect: ({ address }) => {
      dialled.push(address);
      return new Promise<Socket>((resolve, reject) => {
        const socket = dial({ host: '127.0.0.1', port });
        socket.once('connect', () => resolve(socket)).once('error', reject);
      });
    },
  },
);
const ask = (url: string, issuer: string) =>
  fetchFor(url, { headers: {}, redirect: 'error', signal: AbortSignal.timeout(5_000), issuer });

describe('an issuer', () => {
  it('on the internet is asked there, over TLS only', async () => {
    const issuer = 'https://login.example';
    expect(await (await ask(`${issuer}/jwks`, issuer)).json()).toEqual({});
    expect(dialled.splice(0)).toEqual(['93.184.216.34']);
    await expect(ask('http://login.example/jwks', issuer)).rejects.toThrow();
    expect(dialled).toEqual([]);
  });

  it.each([
    ...[
      'http://127.0.0.1',
      'http://127.1',
      'http://0x7f000001',
      'http://2130706433',
      'http://0.0.0.0',
      'http://localhost',
    ],
    ...['http://[::1]', 'http://[::ffff:127.0.0.1]', 'http://169.254.169.254', 'http://[fe80::1]', 'https://127.0.0.1'],
    ...['https://trap.example', 'https://intranet.example', 'https://localhost', 'file:///etc/passwd', 'data:,'],
  ])('on the internet cannot send the gateway to %s', async (origin) => {
    const before = asked;
    await expect(ask(`${origin}/jwks`, 'https://login.example')).rejects.toThrow();
    expect([asked, dialled]).toEqual([before, []]);
  });

  it('in a network of the company is asked where the configuration names the network, from then on', async () => {
    const issuer = 'https://intranet.example';
    await expect(ask(`${issuer}/jwks`, issuer)).rejects.toThrow();
    networks.current = ['10.1.0.0/16'];
    expect((await ask(`${issuer}/jwks`, issuer)).status).toBe(200);
    expect(dialled.splice(0)).toEqual(['10.1.2.3']);
    await expect(ask('https://trap.example/jwks', issuer)).rejects.toThrow();
    networks.current = [];
  });

  it('on this machine is asked there, with and without TLS, and cannot send the gateway into a network', async () => {
    for (const issuer of [`http://127.0.0.1:${port}`, `http://localhost:${port}`]) {
      expect((await ask(`${issuer}/jwks`, issuer)).status).toBe(200);
      await expect(ask('https://intranet.example/jwks', issuer)).rejects.toThrow();
    }
    dialled.splice(0);
  });

  it('is not behind a redirect', async () => {
    const before = asked;
    const issuer = `http://127.0.0.1:${port}`;
    await expect(ask(`${issuer}/away`, issuer)).rejects.toThrow();
    expect(asked).toBe(before + 1);
  });
});
