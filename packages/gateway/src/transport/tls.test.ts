import { type RequestOptions, request } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { afterEach, expect, it } from 'vitest';
import type { HttpTransport } from './http.ts';
import { certificates } from './testing/certificates.ts';
import { createRig, startHttp } from './testing/rig.ts';
import type { TlsSettings } from './tls.ts';

const open: HttpTransport[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((http) => http.close(0)));
});

async function start(tls: TlsSettings) {
  const started = await startHttp(createRig(), { tls });
  open.push(started.http);
  return started;
}

/** Asks for `/health` and tells who answered. */
function subjectAt(port: number, options: RequestOptions = {}): Promise<string | undefined> {
  const ca = [certificates.one.cert, certificates.two.cert];
  return new Promise((resolve, reject) => {
    const target = { host: '127.0.0.1', port, path: '/health', ca, agent: false };
    const asked = request({ ...target, ...options }, (response) => {
      const { subject } = (response.socket as TLSSocket).getPeerCertificate();
      response.resume();
      response.on('end', () => resolve(subject.CN as string | undefined));
    });
    asked.on('error', reject);
    asked.end();
  });
}

it('speaks TLS, and takes new certificates without a restart', async () => {
  const { http, port } = await start(certificates.one);
  expect(await subjectAt(port)).toBe('one');
  http.reload(certificates.two);
  expect(await subjectAt(port)).toBe('two');
  expect(() => http.reload({ cert: 'nonsense', key: 'nonsense' })).toThrow();
  expect(await subjectAt(port)).toBe('two');
});

it('refuses old versions of TLS', async () => {
  const { port } = await start({ ...certificates.one, minVersion: 'TLSv1.3' });
  await expect(subjectAt(port, { maxVersion: 'TLSv1.2' })).rejects.toThrow();
});

it('asks for a certificate of the right authority where one is set, also after a reload', async () => {
  const tls = { ...certificates.one, clientCa: certificates.two.cert };
  const { http, port } = await start(tls);
  await expect(subjectAt(port)).rejects.toThrow();
  await expect(subjectAt(port, certificates.one)).rejects.toThrow();
  expect(await subjectAt(port, certificates.client)).toBe('one');
  http.reload(tls);
  await expect(subjectAt(port)).rejects.toThrow();
  expect(await subjectAt(port, certificates.client)).toBe('one');
});

it('cannot be given certificates when it was started without', async () => {
  const { http } = await startHttp(createRig());
  open.push(http);
  expect(() => http.reload(certificates.one)).toThrow('without TLS');
});
