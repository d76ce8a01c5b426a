import { randomBytes } from 'node:crypto';
import { readPrivateFile, replacePrivateFile } from './private-file.ts';

/** What a service proves with that it may announce itself under its name. */
export interface AnnounceCredential {
  /** Names the credential; not a secret. */
  readonly id: string;
  /** The one service name it is good for. */
  readonly service: string;
  /** base64url of 32 bytes. The secret. */
  readonly key: string;
}

const idPattern = /^[a-z0-9][a-z0-9._-]{0,62}$/;
const servicePattern = /^[a-z][a-z0-9-]{0,62}$/;
const keyPattern = /^[A-Za-z0-9_-]{43}$/;
const members: readonly string[] = ['id', 'service', 'key'];

/** Makes a fresh credential for one service; its id is the service's name unless another is given. */
export function mintCredential(service: string, id: string = service): AnnounceCredential {
  return checkCredential({ id, service, key: randomBytes(32).toString('base64url') }, 'the new credential');
}

/** Writes a credential to a 0600 file, replacing what was there in one step. */
export function writeCredentialFile(path: string, credential: AnnounceCredential): void {
  const { id, service, key } = checkCredential(credential, path);
  replacePrivateFile(path, Buffer.from(`${JSON.stringify({ id, service, key })}\n`));
}

/**
 * Reads a credential file.
 *
 * @throws Error when it is missing, open to others, or not exactly `{id, service, key}`; never with the key in its text.
 */
export function readCredentialFile(path: string): AnnounceCredential {
  const text = readPrivateFile(path).toString('utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's own message quotes the text, which is secret.
    throw new Error(`${path} is not a credential file: it is not JSON`);
  }
  return checkCredential(value, path);
}

function checkCredential(value: unknown, where: string): AnnounceCredential {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Error(`${where} is not a credential: it has to be an object {id, service, key}`);
  }
  const unknown = Object.keys(value).find((name) => !members.includes(name));
  if (unknown !== undefined) throw new Error(`${where} is not a credential: unknown member ${JSON.stringify(unknown)}`);
  const { id, service, key } = value as Partial<Record<string, unknown>>;
  if (typeof id !== 'string' || !idPattern.test(id)) throw new Error(`${where}: "id" has to match ${idPattern.source}`);
  if (typeof service !== 'string' || !servicePattern.test(service)) {
    throw new Error(`${where}: "service" has to match ${servicePattern.source}`);
  }
  if (typeof key !== 'string' || !keyPattern.test(key)) {
    throw new Error(`${where}: "key" has to be 32 bytes in base64url`);
  }
  return { id, service, key };
}
