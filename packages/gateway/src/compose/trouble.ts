import type { JsonObject } from '@sallyport/protocol';
import { ConfigError } from '../config/index.ts';

/** Why a changed configuration is not in force, for the status. Nothing of its contents but names of keys and files. */
export interface Trouble extends JsonObject {
  /** When that was found, ISO 8601. */
  readonly since: string;
  /** `file:line:column message`, one for each thing to mend. */
  readonly problems: readonly string[];
}

/** @param error what reading or taking the configuration threw. */
export function troubleOf(error: unknown, nowMs: number): Trouble {
  const problems =
    error instanceof ConfigError
      ? error.problems.map(({ file, line, column, message }) => `${file}:${line}:${column} ${message}`)
      : [error instanceof Error ? error.message : String(error)];
  return { since: new Date(nowMs).toISOString(), problems };
}
