import { createPrivateKey } from 'node:crypto';
import { type CryptoKey, importPKCS8 } from 'jose';
import * as oauth from 'oauth4webapi';
import { CredentialFailure } from './failure.ts';
import type { ClientSettings, SecretPlace } from './settings.ts';

/** Reads a secret from where the configuration says it is. Asked each time: one that was replaced counts at once. */
export type ReadSecret = (place: SecretPlace) => string;

/** A client as the OAuth library takes it. */
export interface Client {
  readonly client: oauth.Client;
  readonly authentication: oauth.ClientAuth;
}

/** Makes the client of a configuration. @throws CredentialFailure when its secret or key cannot be used. */
export async function configuredClient(settings: ClientSettings, readSecret: ReadSecret): Promise<Client> {
  const { id, method, secret, key, algorithm, keyId } = settings;
  const client = { client_id: id };
  if (method === 'private_key_jwt') {
    if (key === undefined) throw new CredentialFailure('no_key', `the client ${id} needs a key`);
    const imported = await importKey(readSecret(key), algorithm);
    const authentication = oauth.PrivateKeyJwt({ key: imported, ...(keyId !== undefined && { kid: keyId }) });
    return { client, authentication };
  }
  return { client, authentication: withSecret(method, secret && readSecret(secret)) };
}

/** How a client with this secret shows itself. */
export function withSecret(method: string | undefined, secret: string | undefined): oauth.ClientAuth {
  if (secret === undefined || method === 'none') return oauth.None();
  return method === 'client_secret_post' ? oauth.ClientSecretPost(secret) : basic(secret);
}

/**
 * RFC 6749 §2.3.1: both parts are encoded as in a form before they are joined. The library's own also encodes what a form leaves
 * as it is, and there are servers that decode nothing.
 */
function basic(secret: string): oauth.ClientAuth {
  return (...[, { client_id: id }, , headers]) => {
    const pair = `${formEncode(id)}:${formEncode(secret)}`;
    headers.set('authorization', `Basic ${Buffer.from(pair).toString('base64')}`);
  };
}

function formEncode(text: string): string {
  return new URLSearchParams({ '': text }).toString().slice(1);
}

/** A private key as PEM, of any of the usual containers. @throws CredentialFailure that does not repeat it. */
export async function importKey(pem: string, algorithm: string): Promise<CryptoKey> {
  try {
    const pkcs8 = createPrivateKey(pem).export({ type: 'pkcs8', format: 'pem' }).toString();
    return await importPKCS8(pkcs8, algorithm);
  } catch {
    throw new CredentialFailure('no_key', `a private key for ${algorithm} cannot be read`);
  }
}
