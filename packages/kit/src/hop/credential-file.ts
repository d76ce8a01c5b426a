import { open } from 'node:fs/promises';
import type { HopCredential } from '@sallyport/protocol';

/** More than any credential needs. */
const maxFileBytes = 4096;

/**
 * Reads the credential of a service: a JSON file `{"id","service","key"}` that only its owner may read. Throws when
 * others can read it, and when it is not for this service; no error holds anything of its content.
 */
export async function readCredentialFile(path: string, service: string): Promise<HopCredential> {
  const credential = parse(path, await readPrivately(path));
  if (credential.service !== service) throw new Error(`The credential ${path} is not for the service ${service}`);
  return credential;
}

async function readPrivately(path: string): Promise<string> {
  // Checked on the open file, so that it cannot be swapped in between.
  const file = await open(path, 'r');
  try {
    const { mode, size } = await file.stat();
    if ((mode & 0o077) !== 0 && process.platform !== 'win32') {
      throw new Error(`The credential ${path} can be read by others: chmod 600 ${path}`);
    }
    if (size > maxFileBytes) throw new Error(`${path} is no credential`);
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

function parse(path: string, text: string): HopCredential {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error(`${path} is no credential`);
  }
  const { id, service, key } = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
  if (typeof id !== 'string' || typeof service !== 'string' || typeof key !== 'string' || !isKey(key)) {
    throw new Error(`${path} is no credential`);
  }
  return { id, service, key };
}

function isKey(text: string): boolean {
  return Buffer.from(text, 'base64url').length === 32;
}
