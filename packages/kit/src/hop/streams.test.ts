import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { pino } from 'pino';
import { afterEach, expect, test } from 'vitest';
import { service } from '../index.ts';
import { parseHopAddress } from './address.ts';
import { createEnd, createHopFolder, type GatewayEnd } from './gateway.fixture.ts';
import { listenForStreams, openStream } from './streams.ts';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

test('a service is served over TLS with the key of its credential, with forward secrecy', async () => {
  const hop = createHopFolder('tasks');
  closing.push(hop.remove);
  const first = Promise.withResolvers<GatewayEnd>();
  // The service's own listener stands in for the gateway's: both sides are made by the same rules.
  const server = await listenForStreams({ kind: 'tls', host: '127.0.0.1', port: 0 }, hop.credential, (stream) =>
    first.resolve(createEnd(stream, 'accept', hop.credential)),
  );
  closing.push(() => server.close());
  const tasks = service('tasks', { version: '1.0.0', log: pino({ level: 'silent' }) });
  tasks.tool('A.B', { description: 'x', input: { jsonSchema: { type: 'object' } } }, () => ({ fine: true }));
  closing.push(() => tasks.close());
  const { port } = server.address() as AddressInfo;
  await tasks.listen({ hop: `tls:127.0.0.1:${port}`, credentialFile: hop.credentialFile, signals: false });
  const end = await first.promise;
  closing.push(() => end.socket.destroy());
  expect((await end.call('A.B', {})).kind).toBe('result');
  expect((end.socket as any).getCipher().name).toBe('ECDHE-PSK-CHACHA20-POLY1305');
});

test('a wrong key, an unknown identity and a client without a key do not get through TLS', async () => {
  const hop = createHopFolder('tasks');
  closing.push(hop.remove);
  let streams = 0;
  const address = { kind: 'tls', host: '127.0.0.1', port: 0 } as const;
  const server = await listenForStreams(address, hop.credential, () => {
    streams += 1;
  });
  closing.push(() => server.close());
  const { port } = server.address() as AddressInfo;
  const wrongKey = { ...hop.credential, key: Buffer.alloc(32, 1).toString('base64url') };
  for (const credential of [wrongKey, { ...hop.credential, id: 'users' }]) {
    await expect(openStream({ ...address, port }, credential)).rejects.toThrow();
  }
  const certain = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false });
  const [error] = await once(certain, 'error');
  expect(error).toBeInstanceOf(Error);
  expect(streams).toBe(0);
});

test('addresses are read strictly', () => {
  expect(parseHopAddress('unix:/run/hop.sock')).toEqual({ kind: 'unix', path: '/run/hop.sock' });
  expect(parseHopAddress('tls:gateway.internal:7000')).toEqual({ kind: 'tls', host: 'gateway.internal', port: 7000 });
  expect(parseHopAddress('tls:[::1]:7000')).toEqual({ kind: 'tls', host: '::1', port: 7000 });
  for (const text of [
    '',
    'unix:',
    'tcp:host:1',
    'tls:host',
    'tls::1',
    'tls:::1:7000',
    'tls:host:70000',
    'http://host',
  ]) {
    expect(() => parseHopAddress(text), text).toThrow(TypeError);
  }
});
