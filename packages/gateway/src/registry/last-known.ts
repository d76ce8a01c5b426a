import { readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import type { Logger } from 'pino';

/** Remembers over a restart of the gateway which services there were. */
export interface LastKnown<One> {
  /** What the file holds; nothing when it is absent, unreadable or damaged. */
  read(): readonly One[];
  /** Writes soon, and at most one write at a time: what is written last is what stays. */
  write(all: readonly One[]): void;
  /** Resolves when everything is written. */
  settled(): Promise<void>;
}

/** Where it is remembered, and how. */
export interface LastKnownOptions<One> {
  readonly file: string;
  /** Checks what is read back like what is new; `undefined` for what is no good. */
  readonly check: (value: unknown) => One | undefined;
  readonly log: Logger;
}

const layout = 1;

/** Keeps what is known of services in a file that only its owner can read, replaced whole by a rename. */
export function createLastKnown<One>({ file, check, log }: LastKnownOptions<One>): LastKnown<One> {
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
        return parse(readFileSync(file, 'utf8')).flatMap((value) => check(value) ?? []);
      } catch (error) {
        if (!isAbsent(error)) log.error({ err: error, file }, 'the last known services could not be read');
        return [];
      }
    },
    write(all) {
      next = JSON.stringify({ layout, services: all });
      writing ??= drain();
    },
    async settled() {
      await writing;
    },
  };
}

function parse(text: string): readonly unknown[] {
  const value = JSON.parse(text) as { readonly layout?: unknown; readonly services?: unknown } | null;
  return value?.layout === layout && Array.isArray(value.services) ? value.services : [];
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
