import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A certificate and its key, as paths of PEM files. */
export interface Pair {
  readonly cert: string;
  readonly key: string;
}

/** An authority that signs what it is asked to. */
export interface Authority extends Pair {
  /** `names` as OpenSSL writes alternative names: `URI:spiffe://…,IP:127.0.0.1`. */
  issue(name: string, names: string, subject?: string): Pair;
}

const openssl = (...words: readonly string[]): void => {
  execFileSync('openssl', [...words], { stdio: 'ignore' });
};
const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

/** Makes an authority whose files are in that folder. */
export function createAuthority(folder: string, name: string): Authority {
  const at = (file: string): string => join(folder, file);
  const own = { cert: at(`${name}.pem`), key: at(`${name}.key`) };
  openssl('req', '-x509', ...newKey, '-days', '2', '-keyout', own.key, '-out', own.cert, '-subj', `/CN=${name}`);
  return {
    ...own,
    issue(of, names, subject = `/CN=${of}`) {
      const pair = { cert: at(`${name}-${of}.pem`), key: at(`${name}-${of}.key`) };
      const [request, extensions] = [at(`${of}.csr`), at(`${of}.ext`)];
      writeFileSync(extensions, names === '' ? '' : `subjectAltName=${names}\n`);
      openssl('req', '-new', ...newKey, '-keyout', pair.key, '-out', request, '-subj', subject);
      const signing = ['-CA', own.cert, '-CAkey', own.key, '-CAcreateserial', '-days', '1', '-extfile', extensions];
      openssl('x509', '-req', '-in', request, ...signing, '-out', pair.cert);
      return pair;
    },
  };
}
