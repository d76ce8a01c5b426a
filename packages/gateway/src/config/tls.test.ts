import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { TlsFiles } from './gateway-config.ts';
import { loadTls, TlsError, type TlsMaterial, watchTls } from './tls.ts';

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
if (!hasOpenssl) console.warn('skipped: the tests of TLS make certificates with openssl, which is not here');

let folder = '';
const at = (name: string) => join(folder, name);

function makeCertificate(name: string, extra: readonly string[] = []): void {
  const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1'];
  const made = ['-keyout', at(`${name}.key`), '-out', at(`${name}.crt`)];
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', ...made, ...subject, ...extra],
    { stdio: 'ignore' },
  );
}

const files = (name: string, more: Partial<TlsFiles> = {}): TlsFiles => ({
  cert: at(`${name}.crt`),
  key: at(`${name}.key`),
  minVersion: 'TLSv1.2',
  ...more,
});

describe.skipIf(!hasOpenssl)('TLS files', () => {
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'sallyport-tls-'));
    makeCertificate('one', ['-days', '365']);
    makeCertificate('two', ['-days', '365']);
    makeCertificate('short', ['-days', '3']);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('a pair that belongs together is loaded, with nothing to warn of', async () => {
    const material = await loadTls(files('one'), Date.now());
    expect(material).toMatchObject({
      requestCert: false,
      rejectUnauthorized: false,
      warnings: [],
      context: { minVersion: 'TLSv1.2' },
    });
    expect(material.expiresAtMs).toBeGreaterThan(Date.now());
  });

  test('authorities for clients make a client certificate a must', async () => {
    const material = await loadTls(files('one', { clientCa: at('two.crt') }), Date.now());
    expect(material).toMatchObject({
      requestCert: true,
      rejectUnauthorized: true,
      context: { ca: expect.stringContaining('BEGIN') },
    });
  });

  test('dates are warnings', async () => {
    const year = 366 * 86_400_000;
    expect((await loadTls(files('short'), Date.now())).warnings).toEqual([expect.stringContaining('expires at')]);
    expect((await loadTls(files('one'), Date.now() + year)).warnings).toEqual([expect.stringContaining('expired at')]);
    expect((await loadTls(files('one'), Date.now() - year)).warnings).toEqual([
      expect.stringContaining('not valid before'),
    ]);
  });

  test('what cannot be used is an error that names the file and not its contents', async () => {
    writeFileSync(at('junk'), 'hunter2');
    writeFileSync(at('cut.crt'), '-----BEGIN CERTIFICATE-----\nhunter2\n-----END CERTIFICATE-----\n');
    execFileSync(
      'openssl',
      ['ec', '-aes256', '-passout', 'pass:hunter2', '-in', at('one.key'), '-out', at('locked.key')],
      { stdio: 'ignore' },
    );
    const cases: readonly (readonly [Partial<TlsFiles>, string])[] = [
      [{ key: at('two.key') }, 'two.key: this is not the key of the certificate in'],
      [{ cert: at('absent') }, 'absent: cannot be read'],
      [{ cert: at('junk') }, 'junk: there is no certificate in it'],
      [{ cert: at('cut.crt') }, 'cut.crt: certificate 1 in it cannot be read'],
      [{ key: at('junk') }, 'junk: there is no private key in it'],
      [{ key: at('locked.key') }, 'locked.key: the key is encrypted'],
      [{ clientCa: at('junk') }, 'junk: there is no certificate in it'],
    ];
    for (const [more, message] of cases) {
      const error: unknown = await loadTls(files('one', more), Date.now()).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(TlsError);
      expect(String(error)).toContain(message);
      expect(String(error)).not.toContain('hunter2');
    }
  });

  test('a listener changes its certificate while it runs, and never to a pair that does not match', async () => {
    for (const kind of ['crt', 'key']) copyFileSync(at(`one.${kind}`), at(`live.${kind}`));
    const first = await loadTls(files('live'), Date.now());
    const server = createServer({ ...first.context }, (_, response) => response.end('ok'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const stop = new AbortController();
    const errors: unknown[] = [];
    const watched = watchTls(files('live'), {
      onReload: (material: TlsMaterial) => server.setSecureContext({ ...material.context }),
      onError: (error) => void errors.push(error),
      nowMs: Date.now,
      pollMs: 30,
      settleMs: 10,
      signal: stop.signal,
    });
    try {
      await watched.look();
      expect(await subjectAt(port)).toBe('one');
      copyFileSync(at('two.crt'), at('live.crt'));
      await vi.waitFor(() => expect(String(errors)).toContain('this is not the key'), { timeout: 10_000 });
      expect(await subjectAt(port)).toBe('one');
      copyFileSync(at('two.key'), at('live.key'));
      await vi.waitFor(async () => expect(await subjectAt(port)).toBe('two'), { timeout: 10_000 });
    } finally {
      stop.abort();
      server.close();
      server.closeAllConnections();
    }
  });
});

/** The name in the certificate that the listener shows to a new connection. */
function subjectAt(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, rejectUnauthorized: false, agent: false }, (response) => {
      const socket = response.socket as import('node:tls').TLSSocket;
      const { CN } = socket.getPeerCertificate().subject;
      response.resume().on('end', () => resolve(String(CN)));
    });
    sent.on('error', reject).end();
  });
}
