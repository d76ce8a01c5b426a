import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type AnnounceCredential, mintCredential, writeCredentialFile } from '@sallyport/gateway';

/** A credential and where the service finds it. */
export interface RunCredential {
  readonly credential: AnnounceCredential;
  readonly file: string;
}

/** Credentials of one run, on disk only as long as it lasts. */
export interface RuntimeFolder {
  /** The credential of a service, made when first asked for, and the 0600 file it lies in. */
  credential(service: string): RunCredential;
  /** Removes all of it. */
  remove(): void;
}

/** Makes a 0700 folder under the data folder. What a killed run left behind is useless: its keys died with it. */
export function createRuntimeFolder(data: string): RuntimeFolder {
  mkdirSync(data, { recursive: true, mode: 0o700 });
  const parent = join(data, 'run');
  rmSync(parent, { recursive: true, force: true });
  mkdirSync(parent, { mode: 0o700 });
  const folder = mkdtempSync(join(parent, 'credentials-'));
  const made = new Map<string, RunCredential>();
  return {
    credential: (service) => {
      const known = made.get(service);
      if (known !== undefined) return known;
      const entry = { credential: mintCredential(service), file: join(folder, `${service}.json`) };
      writeCredentialFile(entry.file, entry.credential);
      made.set(service, entry);
      return entry;
    },
    remove: () => rmSync(parent, { recursive: true, force: true }),
  };
}
