// biome-ignore-all lint/suspicious/noExplicitAny: tests look into what they receive without declaring it
import type { Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { service } from '@sallyport/kit';
import { createDialer, type HopCredential, requestFrame, type ServiceManifest } from '@sallyport/protocol';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { hopCrypto } from '../../packages/gateway/src/registry/hop-crypto.ts';
import { fakeManifest } from '../../packages/gateway/src/registry/testing/fake-service.ts';
import { type AnnounceWorld, bankTools, keyOf, openAnnounceWorld } from './announce-world.ts';

let world: AnnounceWorld;
const key = 'A'.repeat(43);

beforeAll(async () => {
  world = await openAnnounceWorld();
  await vi.waitFor(async () => expect((await world.seen()).tools).toEqual(bankTools), 10_000);
});
afterAll(() => world.close());

/** Says these lines to a socket, and hears what it says until it hangs up, or for a short while. */
async function say(socket: Socket, ...lines: readonly string[]): Promise<string> {
  let heard = '';
  socket.setEncoding('utf8').on('data', (text: string) => {
    heard += text;
  });
  socket.on('error', () => undefined);
  for (const line of lines) socket.write(`${line}\n`);
  await Promise.race([
    new Promise((resolve) => socket.once('close', resolve)),
    new Promise((done) => setTimeout(done, 300)),
  ]);
  socket.destroy();
  return heard;
}

const announce = (manifest: ServiceManifest, instance = 'i1'): string =>
  requestFrame(0, 'announce', { instance, manifest }).trim();
const stolen = fakeManifest('bank', {
  tools: [{ name: 'Account.Show', description: '', inputSchema: { type: 'object' } }],
});
/** With a credential of its own, and a manifest that says something else. */
const claiming =
  (service: string, more: Partial<ServiceManifest> = {}) =>
  async () => {
    const { announced } = world.fake(world.thief, fakeManifest(service, more));
    expect(await announced).toMatchObject({ kind: 'error', error: { code: -32602 } });
  };
const proving = (credential: Partial<HopCredential>, dial?: () => Socket) => async () => {
  const { announced } = world.fake({ id: 'bank', service: 'bank', key, ...credential }, stolen, dial);
  await expect(announced).rejects.toThrow();
};
const uri = (id: string): string => `URI:${id}`;
let pairs = 0;
/** With a certificate of our own authority. */
const shown = (names: string, subject?: string) => async () => {
  const socket = world.mutual(world.pair(`p${pairs++}`, names, subject)) as TLSSocket;
  expect(await mutually(socket, 'bank')).toBe(false);
};

/** Whether a service got in over a channel with certificates. */
async function mutually(socket: TLSSocket, name: string, manifest = fakeManifest(name)): Promise<boolean> {
  socket.on('error', () => undefined);
  const isConnected = await new Promise((resolve) => {
    socket.once('secureConnect', () => resolve(true));
    socket.once('close', () => resolve(false));
  });
  if (isConnected !== true) return false;
  const fake = world.fake({ id: name, service: name, key: keyOf(socket) }, manifest, () => socket);
  return fake.announced.then(
    ({ kind }) => kind === 'result',
    () => false,
  );
}

const attempts: readonly (readonly [string, () => Promise<unknown>])[] = [
  ['announcing without a proof', async () => say(world.plain(), announce(stolen))],
  ['a proof with a wrong key', proving({ id: 'nobody' })],
  ['the id of another credential', async () => proving({ id: world.bank.id })()],
  ['the id of another credential with its own key', async () => proving({ id: world.bank.id, key: world.thief.key })()],
  ['the name of a prototype for an id', proving({ id: '__proto__' })],
  ['an empty id', proving({ id: '' })],
  [
    'a proof that is none',
    async () => say(world.plain(), '{"jsonrpc":"2.0","id":0,"method":"prove","params":{"credential":{},"nonce":1}}'),
  ],
  [
    'the challenge given back',
    async () =>
      say(
        world.plain(),
        `{"jsonrpc":"2.0","id":0,"method":"prove","params":{"credential":"${world.bank.id}","nonce":"${key}","proof":"${key}"}}`,
      ),
  ],
  ['a line without end', async () => say(world.plain(), 'x'.repeat(100_000))],
  [
    'an answer instead of a proof',
    async () => say(world.plain(), '{"jsonrpc":"2.0","id":0,"result":{}}', announce(stolen)),
  ],
  [
    'a second announcement',
    async () => {
      const fake = world.fake(world.thief, fakeManifest('thief'));
      await fake.announced;
      expect(await fake.request('a2', 'announce', { instance: 'i1', manifest: stolen })).toMatchObject({
        kind: 'error',
        error: { code: -32601 },
      });
      fake.kill();
    },
  ],
  [
    'the instance of another service',
    async () => {
      const [own] = world.registry.registrations();
      const fake = world.fake(world.thief, fakeManifest('thief'), undefined, String(own?.instances));
      await fake.announced;
      fake.kill();
    },
  ],
  ['the name of another service', claiming('bank')],
  ['its name in capitals', claiming('Bank')],
  ['its name in capitals throughout', claiming('BANK')],
  ['its name with a letter that looks alike', claiming('b\u0430nk')],
  ['its name in full-width letters', claiming('ｂａｎｋ')],
  ['its name with a letter that is not seen', claiming('ba\u200bnk')],
  ['its name and a space', claiming('bank ')],
  ['its name and a line break', claiming('bank\n')],
  ['its name and a dot', claiming('bank.')],
  ['its name as a path', claiming('../bank')],
  ['its name escaped', claiming('%62ank')],
  ['the mount of another service', claiming('thief/bank')],
  ['a view', claiming('views')],
  ['a path of the gateway', claiming('call')],
  ['the administration', claiming('admin')],
  ['a prototype', claiming('__proto__')],
  [
    'two tools of one alias',
    claiming('thief', {
      tools: ['A.B', 'A_B'].map((name) => ({ name, description: '', inputSchema: { type: 'object' } })),
    }),
  ],
  [
    'a tool whose name is no name',
    claiming('thief', { tools: [{ name: '../bank.Account.Show', description: '', inputSchema: { type: 'object' } }] }),
  ],
  ['a manifest with more in it', claiming('thief', { aliases: ['bank'] } as never)],
  ['a channel of no credential', async () => expect(await say(world.keyed({ id: 'nobody', key }))).toBe('')],
  [
    'a channel under the id of another',
    async () => expect(await say(world.keyed({ id: world.bank.id, key }))).toBe(''),
  ],
  [
    'a channel of its own, and the proof of another',
    async () => proving({ id: world.bank.id }, () => world.keyed(world.thief))(),
  ],
  [
    'no encryption where there has to be',
    async () => {
      const { connect } = await import('node:net');
      for (const port of [world.registry.port, world.registry.mutualPort]) {
        expect(await say(connect(Number(port), '127.0.0.1'), announce(stolen))).not.toContain('challenge');
      }
    },
  ],
  [
    'TLS without a key',
    async () => {
      const port = Number(world.registry.port);
      expect(await say(connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false }))).toBe('');
    },
  ],
  ['no certificate', async () => expect(await mutually(world.mutual(undefined) as TLSSocket, 'bank')).toBe(false)],
  [
    'the certificate of another authority',
    async () => {
      const socket = world.mutual(world.strangers.issue('bank', uri('spiffe://acme.example/bank'))) as TLSSocket;
      expect(await mutually(socket, 'bank')).toBe(false);
    },
  ],
  ['a certificate that may claim nothing', shown('')],
  ['a certificate of another service', shown(uri('spiffe://acme.example/thief'))],
  ['a certificate with two ids', shown(`${uri('spiffe://acme.example/thief')},${uri('spiffe://acme.example/bank')}`)],
  ['an id that goes on', shown(uri('spiffe://acme.example/bank/x'))],
  ['an id that ends before', shown(uri('spiffe://acme.example/ban'))],
  ['an id in capitals', shown(uri('spiffe://acme.example/BANK'))],
  ['an id of another domain', shown(uri('spiffe://acme.example.evil/bank'))],
  ['an id with a slash more', shown(uri('spiffe://acme.example/bank/'))],
  ['an id as a DNS name', shown('DNS:spiffe-bank,DNS:bank', '/CN=spiffe:\\/\\/acme.example\\/bank')],
  ['an id as an email address', shown('email:bank@acme.example')],
  ['a subject that goes on', shown('', '/O=Acme/CN=bank/OU=x')],
  ['a subject in one attribute', shown('', '/CN=bank,O=Acme')],
  [
    'a certificate, and the manifest of another',
    async () => {
      const socket = world.mutual(world.pair('own', uri('spiffe://acme.example/thief'))) as TLSSocket;
      expect(await mutually(socket, 'thief', stolen)).toBe(false);
    },
  ],
  [
    'the key of another session',
    async () => {
      const pair = world.pair('relay', uri('spiffe://acme.example/bank'));
      const [one, other] = [world.mutual(pair) as TLSSocket, world.mutual(pair) as TLSSocket];
      await Promise.all([one, other].map((socket) => new Promise((resolve) => socket.once('secureConnect', resolve))));
      await proving({ id: 'bank', key: keyOf(one) }, () => other)();
      one.destroy();
    },
  ],
];

describe('a stranger, and a service that is not content with its own name', () => {
  it.each(attempts)('adds, replaces and hides nothing by %s', async (_name, attempt) => {
    await attempt();
    await vi.waitFor(async () => {
      expect(await world.seen()).toEqual({ tools: bankTools, answer: { from: 'bank' }, instances: 1 });
    }, 5_000);
  });

  it('shows what it likes under its own name, and that hides nobody', async () => {
    const names = ['bank.Account.Show', 'Account.Show'];
    const tools = names.map((name) => ({ name, description: '', inputSchema: { type: 'object' } }));
    const fake = world.fake(world.thief, fakeManifest('thief', { tools }));
    expect((await fake.announced).kind).toBe('result');
    await vi.waitFor(async () => {
      const { tools: seen, answer } = await world.seen();
      expect(seen).toEqual([...bankTools, 'thief.Account.Show', 'thief.bank.Account.Show']);
      expect(answer).toEqual({ from: 'bank' });
    }, 5_000);
    fake.kill();
    await vi.waitFor(async () => expect((await world.seen()).tools).toEqual(bankTools), 5_000);
  });
});

describe('a credential', () => {
  it('follows another one without a gap, and once taken back its services are gone at once', async () => {
    const next = { ...world.thief, id: 'thief-2', key };
    world.credentials = [...world.credentials, next];
    const [old, young] = [world.fake(world.thief), world.fake(next, undefined, undefined, 'i2')];
    await Promise.all([old.announced, young.announced]);
    const instances = () =>
      world.registry.registrations().find(({ manifest }) => manifest.service === 'thief')?.instances;
    await vi.waitFor(() => expect(instances()).toBe(2), 15_000);
    world.credentials = [world.bank, next];
    world.registry.dropRevoked();
    await old.closed;
    await vi.waitFor(() => expect(instances()).toBe(1), 15_000);
    await expect(world.fake(world.thief).announced).rejects.toThrow();
    world.credentials = [world.bank];
    world.registry.dropRevoked();
    await young.closed;
    await vi.waitFor(async () => expect((await world.seen()).tools).toEqual(bankTools), 5_000);
    world.credentials = [world.bank, world.thief];
  });

  it('that is taken back between the proof and the announcement is not good for it any more', async () => {
    const socket = world.plain();
    const dialer = createDialer(hopCrypto, world.thief);
    const heard: string[] = [];
    socket
      .setEncoding('utf8')
      .on('data', (text: string) => heard.push(...text.split('\n').filter((line) => line !== '')));
    await vi.waitFor(() => expect(heard).toHaveLength(1), 15_000);
    socket.write(String(dialer.answer(heard[0] ?? '')));
    await vi.waitFor(() => expect(heard).toHaveLength(2), 15_000);
    world.credentials = [world.bank];
    world.registry.dropRevoked();
    socket.write(`${announce(fakeManifest('thief'))}\n`);
    await vi.waitFor(() => expect(heard[2]).toContain('not good any more'), 15_000);
    world.credentials = [world.bank, world.thief];
  });

  it('with the same id and another key is another one', async () => {
    const fake = world.fake(world.thief);
    await fake.announced;
    world.credentials = [world.bank, { ...world.thief, key }];
    world.registry.dropRevoked();
    await fake.closed;
    world.credentials = [world.bank, world.thief];
  });
});

describe('a certificate', () => {
  const listed = (count: number) =>
    vi.waitFor(() => {
      const found = world.registry.registrations().find(({ manifest }) => manifest.service === 'teller');
      expect(found?.instances ?? 0).toBe(count);
    }, 5_000);

  async function startTeller(gateway?: string) {
    const made = service('teller', { version: '1.0.0', log: pino({ level: 'silent' }) });
    made.tool('Teller.Hello', { description: 'Greets.', input: z.object({}) }, () => ({}));
    const pair = world.pair('teller', uri('spiffe://acme.example/teller'));
    const certificates = { ...pair, ca: world.authority.cert, ...(gateway !== undefined && { gateway }) };
    const hop = `mtls:127.0.0.1:${world.registry.mutualPort}`;
    const listening = await made.listen({ hop, certificates, signals: false });
    return { made, listening };
  }

  it('lets a service of the kit in under the name that it may claim, until that is taken back', async () => {
    world.claims = { ...world.claims, teller: ['spiffe://acme.example/teller'] };
    const { made, listening } = await startTeller('spiffe://acme.example/gate');
    expect(listening.connected).toBe(true);
    await listed(1);
    const { teller: _, ...claims } = world.claims;
    world.claims = claims;
    world.registry.dropRevoked();
    await listed(0);
    await made.close();
  });

  it('does not let it in with a gateway that is another', async () => {
    world.claims = { ...world.claims, teller: ['spiffe://acme.example/teller'] };
    const { made, listening } = await startTeller('spiffe://acme.example/other');
    expect(listening.connected).toBe(false);
    await listed(0);
    await made.close();
  });

  it('lets nobody in once it is over', async () => {
    world.laterMs = 2 * 86_400_000;
    const { made, listening } = await startTeller();
    expect(listening.connected).toBe(false);
    world.laterMs = 0;
    await made.close();
  });

  it('with the whole subject that is named is as good as one with an id', async () => {
    const socket = world.mutual(world.pair('whole', '', '/O=Acme/CN=bank')) as TLSSocket;
    expect(await mutually(socket, 'bank', fakeManifest('bank', { version: '0.0.1' }))).toBe(true);
    socket.destroy();
  });
});
