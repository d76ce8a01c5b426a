import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { loadConfig, startGateway } from '@sallyport/gateway';
import { service } from '@sallyport/kit';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { createAuthority } from './certificates.ts';

const closers: (() => unknown)[] = [];
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sp-mtls-'));
});
afterAll(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

const id = (name: string): string => `URI:spiffe://acme.example/${name}`;

/** A configuration that gives the name `teller` to these certificates. */
async function configFor(names: readonly string[]) {
  const file = join(folder, 'sallyport.yaml');
  const files = { cert: 'gate.pem', key: 'gate.key', clientCa: 'ca.pem' };
  const mtls = { listen: '127.0.0.1:0', ...files, services: { teller: names } };
  const rest = { version: 1, data: 'data', listen: { port: 0 }, admin: { port: 0 } };
  writeFileSync(file, JSON.stringify({ ...rest, announce: { mtls } }));
  return (await loadConfig(file)).config;
}

/** A log, and what it says under a message. */
function keptLog() {
  const lines: string[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk));
      done();
    },
  });
  const said = (message: string) => JSON.parse(lines.find((line) => line.includes(message)) ?? '{}');
  return { log: pino({ level: 'debug' }, stream), said };
}

it('a service comes with its certificate alone, and goes when the configuration says so', async () => {
  const authority = createAuthority(folder, 'ca');
  const gate = authority.issue('gate', 'IP:127.0.0.1');
  copyFileSync(gate.cert, join(folder, 'gate.pem'));
  copyFileSync(gate.key, join(folder, 'gate.key'));
  const { log, said } = keptLog();
  const gateway = await startGateway({ config: await configFor(['spiffe://acme.example/teller']), log });
  closers.push(() => gateway.close());
  const { mutualPort } = said('listening for services');

  const own = authority.issue('teller', 'URI:spiffe://acme.example/teller');
  const settings = {
    HOP: `mtls:127.0.0.1:${mutualPort}`,
    TLS_CERT: own.cert,
    TLS_KEY: own.key,
    TLS_CA: authority.cert,
  };
  for (const [name, value] of Object.entries(settings)) vi.stubEnv(`SALLYPORT_${name}`, value);
  const teller = service('teller', { version: '1.0.0', log: pino({ level: 'silent' }) });
  teller.tool('Teller.Hello', { description: 'Greets.', input: z.object({}) }, () => ({ hello: true }));
  const listening = await teller.listen({ signals: false });
  closers.push(() => teller.close());
  expect(listening.connected).toBe(true);
  const instances = (): number => gateway.services().find(({ name }) => name === 'teller')?.instances ?? 0;
  await vi.waitFor(() => expect(instances()).toBe(1), 5_000);

  const token = await gateway.mintRunToken(['*']);
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const body = JSON.stringify({ tool: 'teller.Teller.Hello', input: {} });
  const answer = await fetch(new URL('/mcp/call', gateway.mcpUrl), { method: 'POST', headers, body });
  expect(await answer.json()).toMatchObject({ result: { hello: true } });

  expect(gateway.reload(await configFor(['spiffe://acme.example/other']))).toEqual([]);
  await vi.waitFor(() => expect(instances()).toBe(0), 5_000);
  expect(gateway.reload(await configFor(['CN=teller']))).toEqual([]);
  await vi.waitFor(() => expect(instances()).toBe(1), 10_000);
});

it('a service is dialed where both have certificates, by its own gateway alone, and is the one that is meant', async () => {
  const authority = createAuthority(folder, 'dialed');
  const [gate, other] = [authority.issue('gate', id('gate')), authority.issue('other', id('other'))];
  const own = authority.issue('vault', id('vault'));
  const { log, said } = keptLog();
  const vault = service('vault', { version: '1.0.0', log });
  vault.tool('Vault.Open', { description: 'Opens.', input: z.object({}) }, () => ({ open: true }));
  const certificates = { ...own, ca: authority.cert };
  const listen = 'mtls:127.0.0.1:0';
  await expect(
    service('v', { version: '1.0.0', log }).listen({ listen, certificates, signals: false }),
  ).rejects.toThrow(/SALLYPORT_TLS_GATEWAY/);
  await vault.listen({
    listen,
    certificates: { ...certificates, gateway: 'spiffe://acme.example/gate' },
    signals: false,
  });
  closers.push(() => vault.close());
  const { port } = said('listening for gateways').address;
  const dial = async (pair: object, name: string, ca = authority.cert) => {
    const file = join(folder, `${crypto.randomUUID()}.yaml`);
    const shown = { ...pair, ca, id: `spiffe://acme.example/${name}` };
    const services = { vault: { address: `mtls:127.0.0.1:${port}`, certificates: shown } };
    const rest = { version: 1, data: `data-${crypto.randomUUID()}`, listen: { port: 0 }, admin: { port: 0 } };
    writeFileSync(file, JSON.stringify({ ...rest, services }));
    const gateway = await startGateway({ config: (await loadConfig(file)).config, log: pino({ level: 'silent' }) });
    closers.push(() => gateway.close());
    return () => gateway.services().find(({ name: service }) => service === 'vault')?.instances ?? 0;
  };
  const wrong = await Promise.all([
    dial(other, 'vault'),
    dial(gate, 'bank'),
    dial(gate, 'vault', createAuthority(folder, 'strange').cert),
    dial({ cert: gate.cert, key: other.key }, 'vault'),
  ]);
  const right = await dial(gate, 'vault');
  await vi.waitFor(() => expect(right()).toBe(1), 5_000);
  expect(wrong.map((instances) => instances())).toEqual([0, 0, 0, 0]);
});

it.each(['spiffe://acme.example/*', 'spiffe://ACME/x', 'spiffe://acme', 'spiffe://a/../b', 'teller', 'CN=*', ''])(
  'no name can be claimed by a pattern, or by what is no name: %s',
  async (name) => {
    await expect(configFor([name])).rejects.toThrow(/SPIFFE id like/);
  },
);

it('no name of the gateway’s own can be given away', async () => {
  const file = join(folder, 'bad.yaml');
  const mtls = { listen: '127.0.0.1:0', cert: 'a', key: 'a', clientCa: 'a', services: { admin: ['CN=a'] } };
  writeFileSync(file, JSON.stringify({ version: 1, announce: { mtls } }));
  await expect(loadConfig(file)).rejects.toThrow(/service name|names like/);
});
