import type { ReadSecret } from './client.ts';
import { CredentialFailure } from './failure.ts';
import type { SecretPlace } from './settings.ts';

/** What reading secrets needs. */
export interface SecretSources {
  /** Reads a file that nobody else may read. @throws Error for any other. */
  readonly readFile: (path: string) => Buffer;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Reads secrets from where they are; blanks around them are not part of them. @throws CredentialFailure `no_secret` */
export function createReadSecret({ readFile, env }: SecretSources): ReadSecret {
  return (place) => {
    const secret = (place.env === undefined ? fromFile(place.file, readFile) : env[place.env])?.trim();
    if (secret) return secret;
    const where = place.env === undefined ? place.file : `the variable ${place.env}`;
    throw new CredentialFailure('no_secret', `there is no secret in ${where}`);
  };
}

function fromFile(path: string, readFile: SecretSources['readFile']): string {
  try {
    return readFile(path).toString('utf8');
  } catch (error) {
    // These messages name the path and what is wrong with it, never what is in it.
    throw new CredentialFailure('no_secret', error instanceof Error ? error.message : path);
  }
}

/** All places of secrets in settings, to be looked at before anything is started. */
export function secretPlaces(settings: unknown): readonly SecretPlace[] {
  if (typeof settings !== 'object' || settings === null) return [];
  return Object.values(settings).flatMap((value: unknown) => (isPlace(value) ? [value] : secretPlaces(value)));
}

function isPlace(value: unknown): value is SecretPlace {
  if (typeof value !== 'object' || value === null) return false;
  const keys = Object.keys(value);
  return keys.length === 1 && (keys[0] === 'file' || keys[0] === 'env');
}
