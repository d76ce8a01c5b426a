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

/** A configuration that gives the name `teller` to these certificates. */
async function configFor(names: readonly string[]) {
  const file = join(folder, 'sallyport.yaml');
  const files = { cert: 'gate.pem', key: 'gate.key', clientCa: 'ca.pem' };
  const mtls = { listen: '127.0.0.1:0', ...files, services: { teller: names } };
  const rest = { version: 1, data: 'data', listen: { port: 0 }, admin: { port: 0 } };
  writeFileSync(file, JSON.stringify({ ...rest, announce: { mtls } }));
  return (await loadConfig(file)).config;
}

it('a service comes with its certificate alone, and goes when the configuration says so', async () => {
  const authority = createAuthority(folder, 'ca');
  const gate = authority.issue('gate', 'IP:127.0.0.1');
  copyFileSync(gate.cert, join(folder, 'gate.pem'));
  copyFileSync(gate.key, join(folder, 'gate.key'));
  const lines: string[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk));
      done();
    },
  });
  const log = pino({ level: 'info' }, stream);
  const gateway = await startGateway({ config: await configFor(['spiffe://acme.example/teller']), log });
  closers.push(() => gateway.close());
  const { mutualPort } = JSON.parse(lines.find((line) => line.includes('listening for services')) ?? '{}');

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
