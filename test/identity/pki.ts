import { execFileSync } from 'node:child_process';
import { hash, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A certificate and its key, as text and as files. */
export interface Issued {
  readonly cert: string;
  readonly key: string;
  readonly certFile: string;
  readonly keyFile: string;
  /** SHA-256 of the certificate, base64url (RFC 8705 §3.1). */
  readonly thumbprint: string;
}

/** A certificate authority in a folder of its own. */
export interface Pki {
  readonly caFile: string;
  readonly ca: string;
  /** Issues a certificate. `names` as in `subjectAltName`: `URI:spiffe://…`, `IP:127.0.0.1`. */
  issue(name: string, names?: string, days?: number): Issued;
  close(): void;
}

/** Makes one, with what every Unix has. */
export function openPki(name = 'ca'): Pki {
  const folder = mkdtempSync(join(tmpdir(), 'sp-pki-'));
  const at = (file: string): string => join(folder, file);
  const openssl = (...words: readonly string[]) => execFileSync('openssl', words, { stdio: 'ignore' });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl(
    'req',
    '-x509',
    ...newKey,
    '-keyout',
    at('ca.key'),
    '-out',
    at('ca.pem'),
    '-days',
    '30',
    '-subj',
    `/CN=${name}`,
  );
  return {
    caFile: at('ca.pem'),
    ca: readFileSync(at('ca.pem'), 'utf8'),
    issue(who, names = `DNS:${who}.example`, days = 30) {
      const [certFile, keyFile] = [at(`${who}.pem`), at(`${who}.key`)];
      openssl('req', ...newKey, '-keyout', keyFile, '-out', at(`${who}.csr`), '-subj', `/O=Acme/CN=${who}`);
      writeFileSync(at(`${who}.ext`), `subjectAltName=${names}\n`);
      const signing = ['-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial', '-days', String(days)];
      openssl('x509', '-req', '-in', at(`${who}.csr`), ...signing, '-extfile', at(`${who}.ext`), '-out', certFile);
      const [cert, key] = [readFileSync(certFile, 'utf8'), readFileSync(keyFile, 'utf8')];
      const thumbprint = hash('sha256', new X509Certificate(cert).raw, 'base64url');
      return { cert, key, certFile, keyFile, thumbprint };
    },
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}
