import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { certificates } from '../../packages/gateway/src/transport/testing/certificates.ts';
import { sallyport, startGateway, type TestGateway, writeConfig } from './support/gateway.ts';
import { callOnce, startLoad, tally } from './support/load.ts';
import { endAll, startNode, temporaryFolder, until } from './support/program.ts';
import { createSite, ready } from './support/site.ts';

afterEach(endAll);

const roomy = 'limits: { presets: { read: { rate: 100000, burst: 100000 } } }';
const inForce = 'the changed configuration is in force';

/** How often a program has said something. */
const said = (gateway: TestGateway, words: string): number => gateway.program.stderr().split(words).length - 1;

describe('a configuration that changes under load', () => {
  it('is followed, all of it or nothing, without one call failing', async () => {
    const site = createSite(['one', 'two'], roomy);
    const gateway = await site.startGateway();
    for (const name of ['one', 'two']) site.startService(name);
    await Promise.all([ready(gateway, 'one'), ready(gateway, 'two')]);
    const token = await gateway.mint('load', ['one:use', 'two:use']);
    const load = startLoad({ mcp: gateway.mcp, token, tool: 'one.Trial.Who' }, 8);
    const who = async () => (await callOnce({ mcp: gateway.mcp, token, tool: 'two.Trial.Who' })).end;
    expect(await who()).toBe('answered');

    site.configure(`tools: { 'two.*': { scopes: [two:more] } }\n${roomy}`);
    await until(async () => (await who()) === 'insufficient_scope', 'the scopes are in force');
    site.configure(`tools: { 'two.*': { limit: { rate: 0.01, burst: 1 } } }\n${roomy}`);
    await until(async () => (await who()) === 'rate_limited', 'the limit is in force');

    site.configure('limits: { presets: { read: nonsense } }');
    await until(() => said(gateway, 'the one before stays in force') === 1, 'it is said to be wrong');
    expect(gateway.program.stderr()).toMatch(/sallyport\.yaml:\d+:\d+/);
    expect(await who()).toBe('rate_limited');
    const times = said(gateway, inForce);
    site.configure(roomy);
    await until(() => said(gateway, inForce) > times, 'it is in force');
    // What was used up stays so under the wider limit, but fills at its rate.
    await until(async () => (await who()) === 'answered', 'the wider limit is in force');
    expect(tally(await load.stop())).toEqual({ answered: load.fates.length });
  });

  it('is followed when a link to it is moved, as orchestrators do', async () => {
    const folder = temporaryFolder();
    const version = (name: string, text: string): void => {
      mkdirSync(join(folder, name));
      writeConfig(join(folder, name), `data: ${folder}/data\n${text}`.replace(/^data: .*\n/, ''));
    };
    version('..v1', '');
    symlinkSync('..v1', join(folder, '..data'));
    symlinkSync('..data/sallyport.yaml', join(folder, 'sallyport.yaml'));
    const gateway = await startGateway('serve', join(folder, 'sallyport.yaml'));
    for (const next of ['..v2', '..v3']) {
      const times = said(gateway, inForce);
      version(next, `limits: { denied: { rate: ${next.length + Number(next.at(-1))}, burst: 9 } }`);
      symlinkSync(next, join(folder, '..next'));
      renameSync(join(folder, '..next'), join(folder, '..data'));
      await until(() => said(gateway, inForce) > times, `${next} is in force`);
    }
  });
});

/** Asks for `/health` over TLS and tells who answered. */
function subjectAt(gateway: TestGateway, client: { cert?: string; key?: string }): Promise<string> {
  const ca = [certificates.one.cert, certificates.two.cert];
  return new Promise((resolve, reject) => {
    const asking = request(new URL('/health', gateway.mcp), { ca, agent: false, ...client }, (response) => {
      const { subject } = (response.socket as TLSSocket).getPeerCertificate();
      response.resume().on('end', () => resolve(String(subject.CN)));
    });
    asking.on('error', reject);
    asking.end();
  });
}

describe('TLS', () => {
  it('is spoken with clients whose certificates are of the right authority, and takes a new certificate as it runs', async () => {
    const folder = temporaryFolder();
    const put = ({ cert, key }: { cert: string; key: string }): void => {
      writeFileSync(join(folder, 'cert.pem'), cert);
      writeFileSync(join(folder, 'key.pem'), key, { mode: 0o600 });
    };
    put(certificates.one);
    writeFileSync(join(folder, 'ca.pem'), certificates.two.cert);
    const tls = '{ cert: cert.pem, key: key.pem, clientCa: ca.pem }';
    const gateway = await startGateway(
      'serve',
      writeConfig(folder, `listen: { host: 127.0.0.1, port: 0, tls: ${tls} }\n`),
    );
    expect(gateway.mcp.protocol).toBe('https:');
    expect(await subjectAt(gateway, certificates.client)).toBe('one');
    await expect(subjectAt(gateway, {})).rejects.toThrow();
    await expect(subjectAt(gateway, certificates.one)).rejects.toThrow();
    put(certificates.two);
    await until(async () => (await subjectAt(gateway, certificates.client)) === 'two', 'the new one is shown');
    await expect(subjectAt(gateway, {})).rejects.toThrow();
    writeFileSync(join(folder, 'cert.pem'), 'nonsense');
    await until(() => said(gateway, 'the new certificate cannot be used') > 0, 'it is said to be wrong');
    expect(await subjectAt(gateway, certificates.client)).toBe('two');
  });

  it.each(['0.0.0.0', '::'])('is needed to listen on %s, or a proxy that speaks it', async (host) => {
    const listen = (more: string) => writeConfig(temporaryFolder(), `listen: { host: '${host}', port: 0 }\n${more}`);
    const refused = startNode([...sallyport, 'serve', '--json', '--config', listen('')]);
    expect(await refused.ended).not.toBe(0);
    expect(refused.stdout()).not.toContain('ready');
    expect(refused.stderr()).toContain('can be reached from other machines');
  });
});
