import { readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import type { ServiceManifest } from '@sallyport/protocol';
import type { Logger } from 'pino';
import { checkManifest } from './manifest.ts';

/** Remembers over a restart of the gateway which services there were. */
export interface LastKnown {
  /** What the file holds; nothing when it is absent, unreadable or damaged. Each manifest is checked like a new one. */
  read(): readonly ServiceManifest[];
  /** Writes soon, and at most one write at a time: what is written last is what stays. */
  write(manifests: readonly ServiceManifest[]): void;
  /** Resolves when everything is written. */
  settled(): Promise<void>;
}

const layout = 1;

/** Keeps the manifests in a file that only its owner can read, replaced whole by a rename. */
export function createLastKnown(file: string, log: Logger): LastKnown {
  let next: string | undefined;
  let written = '';
  let writing: Promise<void> | undefined;

  const drain = async (): Promise<void> => {
    while (next !== undefined && next !== written) {
      const text = next;
      try {
        await writeFile(`${file}.new`, text, { mode: 0o600 });
        await rename(`${file}.new`, file);
        written = text;
      } catch (error) {
        log.error({ err: error, file }, 'the last known services could not be written');
        break;
      }
    }
    writing = undefined;
  };

  return {
    read() {
      try {
        return parse(readFileSync(file, 'utf8'));
      } catch (error) {
        if (!isAbsent(error)) log.error({ err: error, file }, 'the last known services could not be read');
        return [];
      }
    },
    write(manifests) {
      next = JSON.stringify({ layout, services: manifests });
      writing ??= drain();
    },
    async settled() {
      await writing;
    },
  };
}

function parse(text: string): readonly ServiceManifest[] {
  const value = JSON.parse(text) as { readonly layout?: unknown; readonly services?: unknown };
  if (value.layout !== layout || !Array.isArray(value.services)) return [];
  return value.services.flatMap((service: unknown) => {
    const checked = checkManifest(service);
    return checked.ok ? [checked.manifest] : [];
  });
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
