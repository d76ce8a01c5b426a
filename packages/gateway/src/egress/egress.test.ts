import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect as dial, type Socket } from 'node:net';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { createAddressCheck } from './addresses.ts';
import type { Connect, ConnectTarget } from './connect.ts';
import { createGuardedFetch, type Guarded, type GuardedFetchOptions } from './guarded-fetch.ts';

const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const publicAddress = '93.184.216.34';

/** A world of names; whatever address is connected to, the bytes end at a server in this process. */
async function world(
  names: Readonly<Record<string, readonly string[]>>,
  answer: (request: IncomingMessage, response: ServerResponse) => void,
  options: GuardedFetchOptions = {},
): Promise<{ guarded: Guarded; dialled: ConnectTarget[]; asked: string[] }> {
  const server: Server = createServer(answer);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  closers.push(() => new Promise((resolve) => void server.close(resolve)));
  closers.push(() => server.closeAllConnections());
  const { port } = server.address() as AddressInfo;
  const dialled: ConnectTarget[] = [];
  const asked: string[] = [];
  const connect: Connect = (target) => {
    dialled.push(target);
    return new Promise<Socket>((resolve, reject) => {
      const socket = dial({ host: '127.0.0.1', port });
      socket.once('connect', () => resolve(socket)).once('error', reject);
    });
  };
  const resolve = async (hostname: string) => {
    asked.push(hostname);
    return names[hostname] ?? [];
  };
  const guarded = createGuardedFetch({ resolve, connect, ...options });
  closers.push(guarded.close);
  return { guarded, dialled, asked };
}

const ok = (_: IncomingMessage, response: ServerResponse): void => {
  response.setHeader('content-type', 'application/json').end('{"fine":true}');
};

describe('addresses', () => {
  const isPublic = createAddressCheck({});

  it.each([
    ...['0.0.0.0', '10.1.2.3', '100.64.0.1', '100.127.255.255', '127.0.0.1', '127.255.255.254', '169.254.169.254'],
    ...['172.16.0.1', '172.31.255.255', '192.0.0.8', '192.168.1.1', '198.18.0.1', '224.0.0.1', '255.255.255.255'],
    ...['::', '::1', '::ffff:127.0.0.1', '::ffff:10.0.0.1', '::ffff:93.184.216.34', '::10.0.0.1', '64:ff9b::a00:1'],
    ...['fe80::1', 'fe80::1%lo', 'fec0::1', 'fc00::1', 'fd12:3456::1', 'ff02::1', '2001:db8::1', '2002:7f00:1::1'],
    ...['2001::1', '3fff::1', '5f00::1', '100::1', 'fd00:ec2::254', '', 'localhost', '1.2.3', '0x7f.0.0.1', '127.1'],
  ])('refuses %j', (address) => {
    expect(isPublic(address)).toBe(false);
  });

  it.each(['1.1.1.1', publicAddress, '100.63.255.255', '172.32.0.1', '2606:4700::1111', '2a00:1450:4001::1'])(
    'lets %s through',
    (address) => {
      expect(isPublic(address)).toBe(true);
    },
  );

  it('lets in what is allowed and nothing beside it', () => {
    const check = createAddressCheck({ loopback: true, ranges: ['10.20.0.0/16', 'fd00::5'] });
    expect(['127.0.0.1', '::1', '10.20.3.4', 'fd00::5'].map(check)).toEqual([true, true, true, true]);
    expect(['10.21.0.1', 'fd00::6', '::ffff:127.0.0.1', '192.168.0.1'].map(check)).toEqual([
      false,
      false,
      false,
      false,
    ]);
    expect(() => createAddressCheck({ ranges: ['nonsense/8'] })).toThrow(RangeError);
  });

  it('of all private networks are refused, whichever they are', () => {
    const octet = fc.integer({ min: 0, max: 255 });
    const nets = fc.oneof(
      fc.tuple(fc.constant(10), octet, octet, octet),
      fc.tuple(fc.constant(172), fc.integer({ min: 16, max: 31 }), octet, octet),
      fc.tuple(fc.constant(192), fc.constant(168), octet, octet),
      fc.tuple(fc.constant(169), fc.constant(254), octet, octet),
    );
    fc.assert(
      fc.property(nets, (bytes) => {
        expect(isPublic(bytes.join('.'))).toBe(false);
        expect(isPublic(`::ffff:${bytes.join('.')}`)).toBe(false);
      }),
    );
  });
});

describe('a guarded fetch', () => {
  it('connects to the address that was checked, with the name for the certificate', async () => {
    const { guarded, dialled, asked } = await world({ 'client.example': [publicAddress] }, ok);
    const response = await guarded.fetch('https://client.example/app.json');
    expect(await response.json()).toEqual({ fine: true });
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(dialled).toEqual([{ address: publicAddress, port: 443, servername: 'client.example' }]);
    expect(asked).toEqual(['client.example']);
  });

  it('resolves a name once: what it says a moment later does not matter', async () => {
    let turn = 0;
    const { dialled, guarded } = await world({}, ok, {
      resolve: async () => (turn++ === 0 ? [publicAddress] : ['169.254.169.254']),
    });
    await guarded.fetch('https://rebinding.example/');
    expect(dialled.map(({ address }) => address)).toEqual([publicAddress]);
  });

  it.each([
    ['one bad address among good ones', 'https://mixed.example/'],
    ['a private address', 'https://private.example/'],
    ['no address', 'https://unknown.example/'],
    ['plain http', 'http://client.example/'],
    ['an address instead of a name', 'https://192.168.0.1/'],
    ['the same, written as a number', 'https://3232235521/'],
    ['the same, in hexadecimal', 'https://0xc0.0xa8.0x0.0x1/'],
    ['IPv4 inside IPv6', 'https://[::ffff:192.168.0.1]/'],
    ['loopback', 'https://localhost/'],
    ['loopback over http', 'http://127.0.0.1/'],
    ['a password in the URL', 'https://user:secret@client.example/'],
    ['another scheme', 'file:///etc/passwd'],
    ['data', 'data:application/json,{}'],
  ])('goes nowhere for %s', async (_, url) => {
    const { guarded, dialled } = await world(
      {
        'client.example': [publicAddress],
        'mixed.example': [publicAddress, '10.0.0.1'],
        'private.example': ['10.0.0.1'],
        localhost: ['127.0.0.1'],
      },
      ok,
    );
    await expect(guarded.fetch(url)).rejects.toThrow();
    expect(dialled).toEqual([]);
  });

  it('goes on to the next address where one does not answer', async () => {
    const server = createServer(ok);
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    closers.push(
      () => server.close(),
      () => server.closeAllConnections(),
    );
    const { port } = server.address() as AddressInfo;
    const resolve = async () => ['::1', '127.0.0.1'];
    const guarded = createGuardedFetch({ allow: { loopback: true }, resolve });
    closers.push(guarded.close);
    expect((await guarded.fetch(`http://localhost:${port}/`)).status).toBe(200);
  });

  it.each(['http', 'https'])('fails like any other where nobody listens or speaks (%s)', async (scheme) => {
    const server = createServer();
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const guarded = createGuardedFetch({ allow: { loopback: true }, timeoutMs: 2_000 });
    closers.push(guarded.close);
    if (scheme === 'http') await new Promise((resolve) => void server.close(resolve));
    else closers.push(() => server.close());
    await expect(guarded.fetch(`${scheme}://127.0.0.1:${port}/`)).rejects.toThrow();
  });

  it('asks this machine over http only where that is allowed', async () => {
    const names = { localhost: ['127.0.0.1'], 'app.localhost': ['10.0.0.1'] };
    const { guarded, dialled } = await world(names, ok, { allow: { loopback: true } });
    expect((await guarded.fetch('http://localhost:4000/x')).status).toBe(200);
    expect(dialled).toEqual([{ address: '127.0.0.1', port: 4000 }]);
    await expect(guarded.fetch('http://app.localhost/')).rejects.toThrow('must not be reached');
    await expect(guarded.fetch('http://client.example/')).rejects.toThrow('not an address');
  });

  it('never speaks plain http to another machine, even in a range that is allowed', async () => {
    const { guarded, dialled } = await world({ 'app.localhost': ['10.0.0.1'] }, ok, {
      allow: { loopback: true, ranges: ['10.0.0.0/8'] },
    });
    await expect(guarded.fetch('http://app.localhost/')).rejects.toThrow('without TLS');
    expect((await guarded.fetch('https://app.localhost/')).status).toBe(200);
    expect(dialled).toHaveLength(1);
  });

  describe('that is redirected', () => {
    const names = { 'a.example': [publicAddress], 'b.example': ['1.1.1.1'], 'inside.example': ['10.0.0.1'] };
    const redirects = (request: IncomingMessage, response: ServerResponse): void => {
      const to = new URL(request.url ?? '', 'https://a.example').searchParams.get('to');
      if (to === null) response.end(JSON.stringify(request.headers));
      else response.writeHead(302, { location: to }).end();
    };

    it('refuses unless it was asked to follow', async () => {
      const { guarded } = await world(names, redirects);
      await expect(guarded.fetch('https://a.example/?to=https://b.example/')).rejects.toThrow('redirect');
      const manual = await guarded.fetch('https://a.example/?to=https://b.example/', { redirect: 'manual' });
      expect([manual.status, manual.headers.get('location')]).toEqual([302, 'https://b.example/']);
    });

    it('checks each hop', async () => {
      const { guarded, dialled } = await world(names, redirects);
      const follow = (to: string) => guarded.fetch(`https://a.example/?to=${encodeURIComponent(to)}`, followed);
      const followed = { redirect: 'follow', headers: { authorization: 'Bearer x', accept: 'text/plain' } } as const;
      const seen = (await (await follow('https://b.example/')).json()) as Record<string, string>;
      expect([seen.host, seen.accept, seen.authorization]).toEqual(['b.example', 'text/plain', undefined]);
      const before = dialled.length;
      for (const to of ['https://inside.example/', 'http://b.example/', 'https://127.0.0.1/', 'file:///etc/passwd']) {
        await expect(follow(to)).rejects.toThrow();
      }
      expect(dialled.slice(before).filter(({ address }) => address !== publicAddress)).toEqual([]);
      expect(await (await follow('/plain')).json()).toMatchObject({ authorization: 'Bearer x' });
    });

    it('gives up on a circle, and never repeats what changes something', async () => {
      const { guarded } = await world(names, (_, response) => {
        response.writeHead(307, { location: '/again' }).end();
      });
      await expect(guarded.fetch('https://a.example/', { redirect: 'follow' })).rejects.toThrow('once too often');
      const post = { redirect: 'follow', method: 'POST', body: 'a=b' } as const;
      await expect(guarded.fetch('https://a.example/', post)).rejects.toThrow('redirects a POST');
    });
  });

  it.each<readonly [what: string, answer: (response: ServerResponse) => void, says: string]>([
    ['too long', (response) => response.end('x'.repeat(2_000)), 'longer than 1000'],
    [
      'without end',
      (response) => {
        const timer = setInterval(() => response.write('x'.repeat(100)), 1);
        response.on('close', () => clearInterval(timer));
      },
      'longer than 1000',
    ],
    ['compressed', (response) => response.setHeader('content-encoding', 'gzip').end('x'), 'coded'],
  ])('cuts off an answer that is %s', async (_, answer, says) => {
    const names = { 'a.example': [publicAddress] };
    const { guarded } = await world(names, (_request, response) => answer(response), { maxBytes: 1_000 });
    await expect(guarded.fetch('https://a.example/')).rejects.toThrow(says);
  });

  it('does not wait for ever: not for a name, not for headers, not for a body', async () => {
    const names = { 'a.example': [publicAddress] };
    const never = new Promise<never>(() => undefined);
    const slow = { timeoutMs: 50 };
    const deaf = await world(names, ok, { ...slow, resolve: () => never });
    await expect(deaf.guarded.fetch('https://a.example/')).rejects.toThrow();
    const mute = await world(names, () => undefined, slow);
    await expect(mute.guarded.fetch('https://a.example/')).rejects.toThrow();
    const halting = await world(names, (_, response) => void response.write('x'), slow);
    await expect(halting.guarded.fetch('https://a.example/')).rejects.toThrow();
    const free = await world(names, ok);
    await expect(free.guarded.fetch('https://a.example/', { signal: AbortSignal.abort() })).rejects.toThrow();
  });
});
