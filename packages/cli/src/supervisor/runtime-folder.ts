import { mkdirSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type AnnounceCredential, mintCredential, writeCredentialFile } from '@sallyport/gateway';
import { systemCode } from '../exit.ts';

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

/** Makes a 0700 folder for this process under the data folder, and removes those of processes that are gone. */
export function createRuntimeFolder(data: string): RuntimeFolder {
  const parent = join(data, 'run');
  mkdirSync(parent, { recursive: true, mode: 0o700 });
  for (const name of readdirSync(parent)) {
    if (!isRunning(Number(name))) rmSync(join(parent, name), { recursive: true, force: true });
  }
  const folder = join(parent, String(process.pid));
  // One of the same name was left by another process that had our number.
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { mode: 0o700 });
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
    remove: () => {
      rmSync(folder, { recursive: true, force: true });
      removeIfEmpty(parent);
    },
  };
}

function isRunning(pid: number): boolean {
  try {
    return Number.isInteger(pid) && pid > 0 && process.kill(pid, 0);
  } catch (error) {
    return systemCode(error) === 'EPERM';
  }
}

function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch (error) {
    const code = systemCode(error);
    if (code !== 'ENOTEMPTY' && code !== 'ENOENT') throw error;
  }
}
