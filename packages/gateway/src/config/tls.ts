import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { SecureContextOptions } from 'node:tls';
import type { TlsFiles } from './gateway-config.ts';
import { type FileWatch, watchFiles } from './watch-files.ts';

/** What a TLS listener is made of, or changed to with `setSecureContext`. */
export interface TlsMaterial {
  readonly context: SecureContextOptions;
  /** For the server's options: whether clients are asked for a certificate of `clientCa`, and turned away without. */
  readonly requestCert: boolean;
  readonly rejectUnauthorized: boolean;
  /** What works but should be looked at: expired, not yet valid, expiring within two weeks. */
  readonly warnings: readonly string[];
  /** When the certificate ends, milliseconds since the epoch. */
  readonly expiresAtMs: number;
}

/** Certificate, key or authorities that cannot be used. The message names the file and what is wrong, never its contents. */
export class TlsError extends Error {
  override readonly name = 'TlsError';
}

const soonMs = 14 * 86_400_000;

/**
 * Reads and checks the files of a TLS listener.
 *
 * @param nowMs milliseconds since the epoch; a bad date is a warning, not an error: a listener that is down helps nobody.
 * @throws TlsError when a file cannot be read or is not PEM, or key and certificate do not belong together.
 */
export async function loadTls(files: TlsFiles, nowMs: number): Promise<TlsMaterial> {
  const [cert, key, ca] = await Promise.all([
    readPem(files.cert),
    readPem(files.key),
    files.clientCa === undefined ? undefined : readPem(files.clientCa),
  ]);
  const [leaf] = certificates(cert, files.cert);
  if (!leaf) throw new TlsError(`${files.cert}: there is no certificate in it`);
  if (!leaf.checkPrivateKey(privateKey(key, files.key))) {
    throw new TlsError(`${files.key}: this is not the key of the certificate in ${files.cert}`);
  }
  if (ca !== undefined && certificates(ca, files.clientCa ?? '').length === 0) {
    throw new TlsError(`${files.clientCa}: there is no certificate in it`);
  }
  const clients = ca !== undefined;
  return {
    context: { cert, key, minVersion: files.minVersion, ...(clients && { ca }) },
    requestCert: clients,
    rejectUnauthorized: clients && files.clientAuth !== 'optional',
    warnings: dateWarnings(leaf, files.cert, nowMs),
    expiresAtMs: leaf.validToDate.getTime(),
  };
}

/** What a watch of TLS files needs. */
export interface WatchTlsOptions {
  /** New material, already checked. */
  readonly onReload: (material: TlsMaterial) => void;
  /** Why the new files are not used; the old ones stay. */
  readonly onError: (error: unknown) => void;
  readonly nowMs: () => number;
  /** Milliseconds; default 2000. */
  readonly pollMs?: number;
  readonly settleMs?: number;
  readonly signal: AbortSignal;
}

/**
 * Follows the files of a listener. Certificate and key are often replaced one after the other; a pair that does not
 * match is not used, and the next look finds the other half. Reports what it finds at the start too: setting the same
 * material twice changes nothing.
 */
export function watchTls(files: TlsFiles, options: WatchTlsOptions): FileWatch {
  const { onReload, onError, nowMs, pollMs = 2_000, settleMs, signal } = options;
  const paths = [files.cert, files.key, ...(files.clientCa === undefined ? [] : [files.clientCa])];
  return watchFiles({
    files: () => paths,
    onChange: () => loadTls(files, nowMs()).then(onReload).catch(onError),
    pollMs,
    signal,
    ...(settleMs !== undefined && { settleMs }),
  });
}

async function readPem(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new TlsError(`${path}: cannot be read`, { cause: error });
  }
}

function certificates(pem: string, path: string): readonly X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block, index) => {
    try {
      return new X509Certificate(block);
    } catch (error) {
      throw new TlsError(`${path}: certificate ${index + 1} in it cannot be read`, { cause: error });
    }
  });
}

function privateKey(pem: string, path: string): KeyObject {
  if (/-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(pem)) {
    throw new TlsError(
      `${path}: the key is encrypted; give it without a passphrase, in a file only the gateway may read`,
    );
  }
  try {
    return createPrivateKey(pem);
  } catch {
    // No cause: what OpenSSL says may quote the file.
    throw new TlsError(`${path}: there is no private key in it`);
  }
}

function dateWarnings(leaf: X509Certificate, path: string, nowMs: number): readonly string[] {
  const from = leaf.validFromDate;
  const to = leaf.validToDate;
  if (nowMs < from.getTime()) return [`${path}: the certificate is not valid before ${from.toISOString()}`];
  if (nowMs >= to.getTime()) return [`${path}: the certificate expired at ${to.toISOString()}`];
  return to.getTime() - nowMs < soonMs ? [`${path}: the certificate expires at ${to.toISOString()}`] : [];
}
