import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Problem } from '../../text/source.ts';
import { ConfigError, loadConfig } from '../load.ts';

/** A folder to write configurations into, and what is said about them. */
export interface ConfigFolder {
  readonly path: string;
  /** Writes a file, `sallyport.yaml` by default, and returns its path. */
  write(text: string | Uint8Array, name?: string): string;
  problemsOf(text: string | Uint8Array): Promise<readonly Problem[]>;
  /** `line:column message` of the only problem. */
  problemOf(text: string | Uint8Array): Promise<string>;
  remove(): void;
}

/** Makes a temporary one. */
export function makeConfigFolder(): ConfigFolder {
  const path = mkdtempSync(join(tmpdir(), 'sallyport-config-'));
  const write = (text: string | Uint8Array, name = 'sallyport.yaml'): string => {
    const file = join(path, name);
    writeFileSync(file, text);
    return file;
  };
  const problemsOf = async (text: string | Uint8Array): Promise<readonly Problem[]> => {
    const error = await loadConfig(write(text)).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    if (error instanceof ConfigError) return error.problems;
    if (error !== undefined) throw error;
    return [];
  };
  return {
    path,
    write,
    problemsOf,
    async problemOf(text) {
      const [problem, ...more] = await problemsOf(text);
      if (problem === undefined || more.length > 0) throw new Error(`${more.length + (problem ? 1 : 0)} problems`);
      return `${problem.line}:${problem.column} ${problem.message}`;
    },
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
}
